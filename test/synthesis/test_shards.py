# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import numpy as np
import pytest

from thermal_fld_ros.__main__ import main
from thermal_fld_ros.provenance import git_state
from thermal_fld_ros.synthesis import shards
from thermal_fld_ros.synthesis.shards import Recipe, load_shards, render_shards

FACES = Recipe("face", 7, 100, (64, 64))


def test_shards_are_resumed_and_do_not_depend_on_the_processes(
    face_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "SHARD", 3)
    assert list(render_shards(face_model_folder, tmp_path / "one", FACES))[-1] == 7
    images, labels = load_shards(tmp_path / "one")
    assert images.shape == (7, 64, 64)
    assert images.dtype == np.uint16
    assert set(labels["frame"].tolist()) == set(range(7))
    (tmp_path / "one/labels_0001.npz").unlink()
    assert next(render_shards(face_model_folder, tmp_path / "one", FACES)) == 4  # what was there is kept
    list(render_shards(face_model_folder, tmp_path / "one", FACES))
    list(render_shards(face_model_folder, tmp_path / "two", FACES, processes=2))
    for other in (load_shards(tmp_path / "one"), load_shards(tmp_path / "two")):
        np.testing.assert_array_equal(other[0], images)
        np.testing.assert_array_equal(other[1]["points"], labels["points"])


def test_another_recipe_in_the_same_folder_is_refused(face_model_folder: Path, tmp_path: Path) -> None:
    list(render_shards(face_model_folder, tmp_path, Recipe("face", 1, 0, (64, 64))))
    with pytest.raises(ValueError, match="another data set"):
        list(render_shards(face_model_folder, tmp_path, Recipe("face", 1, 1, (64, 64))))


def test_the_recipe_tells_the_code_and_may_be_an_older_one(face_model_folder: Path, tmp_path: Path) -> None:
    list(render_shards(face_model_folder, tmp_path, Recipe("face", 1, 0, (64, 64))))
    note = tmp_path / "recipe.json"
    assert json.loads(note.read_text())["git"] == [git_state()]
    note.write_text(json.dumps({"kind": "face", "count": 1, "seed": 0, "size": [64, 64]}))  # had fewer fields
    assert list(render_shards(face_model_folder, tmp_path, Recipe("face", 1, 0, (64, 64)))) == [1]


def test_the_command_writes_a_contact_sheet_and_a_clip(face_model_folder: Path, tmp_path: Path) -> None:
    model = ["--face-model", str(face_model_folder)]
    assert main(["render", *model, "--out", str(tmp_path / "sheet.png"), "--sheet", "--count", "3"]) == 0
    assert (tmp_path / "sheet.png").stat().st_size > 1000
    assert main(["render", *model, "--out", str(tmp_path / "clip.npz"), "--kind", "clip", "--count", "2"]) == 0
    with np.load(tmp_path / "clip.npz") as clip:
        assert clip["frames"].shape == (2, 120, 160)
        assert clip["frames"].dtype == np.uint16
        assert 273.15 * 100 < clip["frames"].mean() < 320 * 100
