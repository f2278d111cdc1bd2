# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from thermal_fld_ros.__main__ import main
from thermal_fld_ros.provenance import git_state
from thermal_fld_ros.synthesis import shards
from thermal_fld_ros.synthesis.mesh import MATERIALS
from thermal_fld_ros.synthesis.morphable import load_morphable_model
from thermal_fld_ros.synthesis.scene import Renderer
from thermal_fld_ros.synthesis.shards import Recipe, load_images, load_shards, render_shards

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


def test_pairs_are_stored_with_colour_image_segmentation_and_the_map_between_them(
    face_model_folder: Path, tmp_path: Path
) -> None:
    recipe = Recipe("pair", 3, 20, (48, 48), misregistration=2.0)
    list(render_shards(face_model_folder, tmp_path, recipe))
    images, labels = load_shards(tmp_path)
    rgb, material = load_images(tmp_path, "rgb"), load_images(tmp_path, "material")
    assert (images.shape, rgb.shape, material.shape) == ((3, 48, 48), (3, 48, 48, 3), (3, 48, 48))
    assert (images.dtype, rgb.dtype, material.dtype) == (np.uint16, np.uint8, np.uint8)
    assert material.max() <= len(MATERIALS)
    assert labels["to_rgb"].shape == (len(labels["frame"]), 2, 3)
    renderer = Renderer(load_morphable_model(face_model_folder))
    third = renderer.render(recipe.scene(renderer, 2))
    np.testing.assert_array_equal(rgb[2], third.rgb)
    mine = labels["frame"] == 2
    np.testing.assert_array_equal(labels["to_rgb"][mine][0], third.to_rgb.matrix)
    assert not np.allclose(third.to_rgb.matrix, np.eye(2, 3), atol=1e-3)


def test_an_interrupted_set_of_pairs_is_completed(
    face_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "SHARD", 2)
    recipe = Recipe("pair", 4, 20, (32, 32))
    list(render_shards(face_model_folder, tmp_path, recipe))
    rgb = load_images(tmp_path, "rgb")
    for name in ("labels_0001.npz", "material_0001.npy"):  # stopped before the second shard was whole
        (tmp_path / name).unlink()
    assert list(render_shards(face_model_folder, tmp_path, recipe)) == [2, 4]
    np.testing.assert_array_equal(load_images(tmp_path, "rgb"), rgb)
    assert len(load_images(tmp_path, "material")) == 4


def test_labels_say_who_wears_glasses_and_masks(face_model_folder: Path, tmp_path: Path) -> None:
    recipe = Recipe("frame", 8, 3, (96, 80))
    list(render_shards(face_model_folder, tmp_path, recipe))
    images, labels = load_shards(tmp_path)
    assert images.shape == (8, 80, 96)
    renderer = Renderer(load_morphable_model(face_model_folder))
    people = [p for k in range(8) for p in sorted(recipe.scene(renderer, k).people, key=lambda place: place.scale)]
    assert labels["glasses"].tolist() == [place.person.glasses is not None for place in people]
    assert labels["mask"].tolist() == [bool(place.person.mask) for place in people]
    np.testing.assert_allclose(labels["box"][:, 2:], labels["points"].max(1))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kind": "film"}, "film.*face, frame, pair"),
        ({"size": (64, 48)}, "64x48.*square"),
        ({"kind": "frame", "size": (8, 64)}, "8x64.*16 or more"),
        ({"misregistration": 1.0}, "one image only"),
    ],
)
def test_a_recipe_that_has_no_data_set_says_why(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replace(FACES, **wrong)


def test_the_command_renders_pairs_of_a_size(
    face_model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["render", "--face-model", str(face_model_folder), "--kind", "pair", "--count", "2", "--size", "40"]
    assert main([*command, "--out", str(tmp_path / "pairs")]) == 0
    assert load_images(tmp_path / "pairs", "rgb").shape == (2, 40, 40, 3)
    assert main([*command, "--out", str(tmp_path / "pairs"), "--seed", "9"]) == 2
    assert "another data set" in capsys.readouterr().err
    assert main([*command, "--out", str(tmp_path / "x"), "--beside", str(tmp_path)]) == 2
    assert "--sheet" in capsys.readouterr().err


def test_a_sheet_shows_one_s_own_images_beside_the_renders(
    face_model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").mkdir()
    command = ["render", "--face-model", str(face_model_folder), "--out", str(tmp_path / "sheet.png"), "--sheet",
               "--kind", "pair", "--count", "4", "--size", "32", "--beside", str(tmp_path / "mine")]  # fmt: skip
    assert main(command) == 2  # an empty folder
    assert str(tmp_path / "mine") in capsys.readouterr().err
    for k in range(3):
        cv2.imwrite(str(tmp_path / f"mine/{k}.png"), np.random.default_rng(k).integers(0, 255, (20, 30), np.uint8))
    assert main(command) == 0
    assert "3 images" in capsys.readouterr().out
    alone = tmp_path / "alone.png"
    assert main([*command[:4], str(alone), *command[5:-2]]) == 0
    assert cv2.imread(str(tmp_path / "sheet.png")).shape[1] > 3 * 32
    assert cv2.imread(str(alone)).shape[1] % (3 * 32) == 0  # thermal, colour, segmentation
