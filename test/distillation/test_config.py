# SPDX-License-Identifier: Apache-2.0
"""Configurations of trainings: what is wrong in a file is named, and what a checkpoint holds is read back."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from thermal_fld_ros.distillation.checkpoint import load_trained
from thermal_fld_ros.distillation.config import (
    LandmarkConfig,
    is_config_of,
    load_config,
    plain_config,
    read_config,
)
from thermal_fld_ros.distillation.fields import read_mapping

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "config/training").glob("*.yaml"))
STUDENT = ROOT / "config/training/face_landmarks.yaml"


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_a_shipped_configuration_survives_a_checkpoint(file: Path, tmp_path: Path) -> None:
    config = load_config(file)
    torch.save(plain_config(config), tmp_path / "content.pt")
    content = torch.load(tmp_path / "content.pt", weights_only=True)
    assert is_config_of(content, config)
    assert content.keys() <= read_mapping(file).keys()  # what has its usual value is not written
    assert not is_config_of(content | {"seed": 77}, config)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("face_landmarks", "face_landmarks_narrow"),
        ("face_landmarks_wide", "face_landmarks_lids"),
        ("rgb_teacher", "rgb_teacher"),
    ],
)
def test_the_configuration_in_shipped_weights_is_that_of_its_last_training(name: str, file: str) -> None:
    _, state = load_trained(ROOT / f"models/{name}.pt")
    config = read_config(state["config"], name)
    assert isinstance(config, LandmarkConfig)
    assert dataclasses.replace(config, gate=None) == load_config(ROOT / f"config/training/{file}.yaml")


def test_a_configuration_cannot_be_changed() -> None:
    config = load_config(STUDENT)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.seed = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": 1}, "unknown colour; expected about_data, "),
        ({"task": "landmarks"}, "task is 'landmarks', expected one of detection, distillation"),
        ({"modality": "depth"}, "modality is 'depth', expected one of thermal, rgb"),
        ({"size": "112"}, "size is '112', expected a whole number of at least 16"),
        ({"pairs": 3}, "pairs is 3, expected a text"),
        ({"pretrained": 1}, "pretrained is 1, expected true or false"),
        ({"without": "style"}, "without is 'style', expected a list"),
        ({"count": 0}, "count is 0, expected a whole number of at least 1"),
        ({"network": {"neck": 8, "bins": 16, "hidden": 16}}, "network: expected stem, widths and depths, or timm"),
        ({"network": {"neck": 8, "bins": 16, "hidden": 16, "size": 3}}, "network: unknown size; expected bins, "),
        ({"network": {"timm": "resnet18"}}, "network lacks bins, hidden, neck"),
        ({"network": [1]}, r"network is \[1\], expected a mapping"),
        ({"normalisation": {"method": "minmax"}}, 'normalisation: normalisation method "minmax" is unknown'),
        ({"terms": {"task": 1}}, "terms: task is 1, expected a mapping"),
        ({"terms": {"task": {"weight": "much"}}}, "terms: task: weight is 'much', expected a number"),
        ({"loss_weights": {"points": -1}}, "loss_weights: points is -1, expected a number .* of at least 0"),
        ({"loss_weights": {"jaw": 1}}, "loss_weights: unknown jaw; expected distribution, openings, points"),
        ({"learns": ["neck"]}, "learns names neck, expected some of encoder, head, refinement"),
        ({"unlabelled": ["runs/x"]}, "unlabelled names runs/x, expected folders that pairs maps to shares"),
        ({"pairs": {"a": 1}, "unlabelled": ["a"]}, "unlabelled names a, but there is no teacher to label them"),
        ({"negatives": 0}, "negatives is 0 and frames is '.*', expected both or neither"),
    ],
    ids=str,
)
def test_what_is_wrong_in_a_configuration_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(yaml.safe_dump(read_mapping(STUDENT) | changes))
    with pytest.raises(ValueError, match=rf"bad\.yaml: {message}"):
        load_config(file)
