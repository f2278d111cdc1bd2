# SPDX-License-Identifier: Apache-2.0
"""Thermal recordings labelled by the network itself, and what may come of adapting to them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from loop_people import Person, read_people

from thermal_fld_ros.__main__ import main
from thermal_fld_ros.datasets.pairs import SPLITS, read_pairs
from thermal_fld_ros.distillation.self_training import DISAGREEMENT, MOST_FORGOTTEN, disagreements, refusal, relabelled
from thermal_fld_ros.evaluation.consistency import many_looks
from thermal_fld_ros.perception.decoding import decode_array
from thermal_fld_ros.perception.geometry import extent
from thermal_fld_ros.perception.landmarker import Landmarker
from thermal_fld_ros.perception.models import default_model_folder, load_model

CLIP = "rendered clip, 68 points"


@pytest.fixture(scope="module")
def people() -> list[Person]:
    return read_people(Path(__file__).parents[1] / "system/people.npz")


@pytest.fixture(scope="module")
def landmarker() -> Landmarker:
    return Landmarker(load_model(default_model_folder() / "face_landmarks.onnx", provider="cpu"))


@pytest.fixture(scope="module")
def labelled(people: list[Person], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of five people, each a recording of thermal images alone."""
    folder = tmp_path_factory.mktemp("thermal")
    files = []
    for person in people[:5]:
        files.append(str(folder / f"{person.name}.npy"))
        np.save(files[-1], np.stack([person.seen(k) for k in range(len(person.points))]))
    out = folder / "faces"
    assert main(["pseudo_label", *files, "--out", str(out), "--unit", "centikelvin", "--test", people[0].name]) == 0
    return out


def test_the_labels_are_near_the_truth_and_tell_where_they_are_not(labelled: Path, people: list[Person]) -> None:
    truth = {person.name: person.points for person in people}
    pairs = read_pairs(labelled)
    assert len(pairs) > 10
    errors, worth = [], []
    for pair in pairs:
        assert pair.rgb is None
        assert pair.confidence is not None
        assert pair.face.points is not None
        points = truth[pair.episode][int(Path(str(pair.thermal)).stem)]
        errors.append(np.linalg.norm(pair.face.points - points, axis=1) / extent(points))
        worth.append(pair.confidence)
    assert np.median(np.mean(errors, axis=1)) < 0.07
    trusted, doubted = np.array(worth) > np.quantile(worth, 0.8), np.array(worth) < np.quantile(worth, 0.2)
    assert np.array(errors)[trusted].mean() < 0.8 * np.array(errors)[doubted].mean()


def test_recordings_are_split_as_people(labelled: Path, people: list[Person]) -> None:
    of_split = {split: {pair.episode for pair in read_pairs(labelled, split)} for split in SPLITS}
    assert of_split["test"] == {people[0].name}
    assert sum(map(len, of_split.values())) == 5
    assert json.loads((labelled / "dataset.json").read_text())["settings"]["teacher"]["pseudo"] is True


def test_a_mirrored_image_is_looked_at_alike(landmarker: Landmarker, people: list[Person]) -> None:
    image, points = people[0].seen(0), people[0].points[0]
    looks = many_looks(landmarker, decode_array(image), points)
    assert np.linalg.norm(looks.points - points, axis=1).mean() / extent(points) < 0.08
    assert ((looks.spread > 0) & (looks.spread < 0.2)).all()
    assert ((looks.confidence > 0) & (looks.confidence <= 1)).all()


def test_the_next_round_s_labels_are_of_the_same_images(labelled: Path, landmarker: Landmarker, tmp_path: Path) -> None:
    before, after = read_pairs(labelled), read_pairs(relabelled(labelled, landmarker, tmp_path / "round"))
    assert [Path(str(a.thermal)).resolve() for a in after] == [Path(str(b.thermal)).resolve() for b in before]
    assert len(disagreements(landmarker, after)) == len(before)


def test_what_does_not_help_is_refused() -> None:
    people = [f"p{k % 5}" for k in range(20)]
    same = {DISAGREEMENT: 2.0, CLIP: 2.0}
    assert refusal(same, same, np.full(20, -0.3), people) == ""
    assert "did not become less" in refusal(same, same, np.full(20, 0.1), people)
    noise = np.random.default_rng(0).normal(0, 1, 20)
    assert "bootstrap over people" in refusal(same, same, noise - noise.mean() - 0.01, people)  # less, but by chance
    assert "NME rose" in refusal(same, same | {CLIP: 2.1 + MOST_FORGOTTEN}, np.full(20, -0.3), people)


def test_what_cannot_be_is_named(labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pseudo_label", str(tmp_path / "absent.mcap"), "--out", str(tmp_path / "out")]) == 2
    assert "absent.mcap: no such file or folder" in capsys.readouterr().err
    assert main(["pseudo_label", "x.npy", "--out", str(labelled)]) == 2
    assert "expected an empty or a new folder" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    np.save(tmp_path / "empty.npy", np.full((3, 120, 160), 29500, np.uint16))
    assert main(["pseudo_label", str(tmp_path / "empty.npy"), "--out", str(tmp_path / "none")]) == 2
    assert "no face was kept" in capsys.readouterr().err
    assert main(["adapt", str(labelled), "--teacher", "rgb.pt"]) == 2
    assert "--teacher is for a data set with RGB images" in capsys.readouterr().err
    assert main(["adapt", str(labelled)]) == 2
    assert "expected 50 and more" in capsys.readouterr().err
