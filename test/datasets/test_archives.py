# SPDX-License-Identifier: Apache-2.0
"""The public archives as pairs for training, from rendered people in exactly their layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from loop_people import Person, read_people
from public_archives import write_sf_tl54, write_tfw

from thermal_fld_ros.__main__ import main
from thermal_fld_ros.datasets.forms import open_dataset
from thermal_fld_ros.datasets.pairs import SPLITS, read_pairs
from thermal_fld_ros.datasets.sample import SCHEMES
from thermal_fld_ros.perception.geometry import box_around, iou

LABELLED = [group[0] for group in SCHEMES["sftl54"].groups]


@pytest.fixture(scope="module")
def people() -> dict[str, list[Person]]:
    read = read_people(Path(__file__).parents[1] / "system/people.npz")
    return {"train": read[:2], "val": read[2:3], "test": read[3:4]}


def test_sf_tl54_becomes_pairs_with_54_points_and_its_own_splits(
    tmp_path: Path, people: dict[str, list[Person]], capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_sf_tl54(tmp_path, people)
    assert main(["index", "sf-tl54", str(root)]) == 0
    frames = len(people["train"][0].points)
    assert f"{4 * frames} faces: train {2 * frames}, validation {frames}, test {frames}" in capsys.readouterr().out
    pairs = {split: read_pairs(root, split) for split in SPLITS}
    first, truth = pairs["train"][0], people["train"][0].points[0]
    assert first.face.points is not None
    np.testing.assert_allclose(first.face.points[LABELLED], truth[LABELLED], atol=0.01)
    assert np.isfinite(first.face.points).all(axis=1).sum() == 54
    np.testing.assert_allclose(
        first.face.box, box_around(truth), atol=0.02
    )  # not the labelled one, which holds the forehead
    assert first.pixels("thermal").shape[:2] == first.pixels("rgb").shape[:2]
    subjects = {split: {pair.face.subject for pair in of_split} for split, of_split in pairs.items()}
    assert subjects == {"train": {"1", "2"}, "validation": {"3"}, "test": {"4"}}


def test_sf_tl54_without_the_images_that_its_authors_leave_out(
    tmp_path: Path, people: dict[str, list[Person]], capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_sf_tl54(tmp_path, people)
    everything = len(open_dataset(f"sf-tl54:{root}/gray/test").samples)
    (root / "challenging_images.csv").write_text("sub_id,trial_id,pos_id\n4,1,2\n4,2,1\n")
    (next((root / "rgb/train").iterdir())).unlink()
    data = open_dataset(f"sf-tl54:{root}/gray/test")
    assert len(data.samples) == everything - 1
    assert data.left_out == {"images that challenging_images.csv names": 1}
    assert main(["index", "sf-tl54", str(root)]) == 0
    said = capsys.readouterr().out
    assert "1 images that challenging_images.csv names" in said
    assert "1 without a colour image" in said
    assert sum(pair.rgb is None for pair in read_pairs(root)) == 1
    (root / "challenging_images.csv").write_text("subject\n4\n")
    assert main(["index", "sf-tl54", str(root)]) == 2
    assert "columns subject, expected sub_id, trial_id, pos_id" in capsys.readouterr().err


def test_tfw_becomes_thermal_faces_of_three_points_with_the_box_of_a_face(
    tmp_path: Path, people: dict[str, list[Person]]
) -> None:
    root = write_tfw(tmp_path, people)
    assert main(["index", "tfw", str(root)]) == 0
    pairs = read_pairs(root, "train")
    truth = np.concatenate([person.points for person in people["train"]])
    assert len(pairs) == len(truth)
    assert all(pair.rgb is None for pair in pairs)
    for pair in pairs:
        assert pair.face.points is not None
        assert np.flatnonzero(np.isfinite(pair.face.points).all(axis=1)).tolist() == [30, 48, 54]
    overlaps = [iou(pair.face.box, [box_around(points)])[0] for pair, points in zip(pairs, truth, strict=True)]
    assert np.median(overlaps) > 0.8


def test_another_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["index", "tfw", str(tmp_path)]) == 2
    assert "no labelled faces in it, expected the folder of tfw" in capsys.readouterr().err
