# SPDX-License-Identifier: Apache-2.0
"""The recipes for SF-TL54 and TFW from the archive to a student, on rendered people in their layout and next to no steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from loop_people import read_people
from public_archives import write_sf_tl54, write_tfw

from thermal_fld_ros.__main__ import main
from thermal_fld_ros.perception.landmarker import Landmarker
from thermal_fld_ros.perception.models import default_model_folder, load_model

RECIPES = Path(__file__).parents[2] / "config/distillation"
SHORT: dict[str, Any] = {"epochs": 1, "batch": 8, "workers": 0, "count": 8}


def shortened(recipe: str, folder: Path) -> str:
    """The file of a recipe with as few steps as there can be."""
    plan = yaml.safe_load((RECIPES / recipe).read_text())
    plan["shared"] |= SHORT
    for stage in plan["stages"].values():
        stage |= {"epochs": 1}
    (folder / recipe).write_text(yaml.safe_dump(plan, sort_keys=False))
    return str(folder / recipe)


@pytest.mark.slow
def test_from_the_archives_to_students(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    people = read_people(Path(__file__).parents[1] / "system/people.npz")
    splits = {"train": people[:2], "val": people[2:3], "test": people[3:4]}
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").symlink_to(default_model_folder())
    write_sf_tl54(tmp_path / "data/SF-TL54", splits)
    write_tfw(tmp_path / "data/TFW", splits)
    assert main(["index", "sf-tl54", "data/SF-TL54"]) == 0
    assert main(["index", "tfw", "data/TFW"]) == 0
    for recipe, product in (("sf_tl54.yaml", "face_landmarks_sf_tl54"), ("tfw.yaml", "face_landmarks_tfw")):
        assert main(["distil", shortened(recipe, tmp_path), "--threads", "1"]) == 0
        file = tmp_path / "runs" / recipe.removesuffix(".yaml") / f"{product}.onnx"
        described = Landmarker(load_model(file, provider="cpu")).model.metadata
        assert 0 < described["comparison"]["mcl, this network"]["SF-TL54, 54 points"] < 15
        assert "MIT licence" in file.with_suffix(".md").read_text()
    capsys.readouterr()
    assert main(["evaluate", "--data", "SF-TL54=sf-tl54:data/SF-TL54/gray/test", "--json", "figures.json"]) == 0
