# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from thermal_fld_ros.__main__ import main
from thermal_fld_ros.distillation.checkpoint import STUDENT, WEIGHTS, load_trained
from thermal_fld_ros.distillation.export import RuntimeLandmarks
from thermal_fld_ros.distillation.model_card import model_card
from thermal_fld_ros.distillation.networks import network_of
from thermal_fld_ros.labelling.teachers import open_teacher
from thermal_fld_ros.perception.landmarker import Landmarker
from thermal_fld_ros.perception.models import load_model

MODELS = Path(__file__).parents[2] / "models"


def test_the_rgb_teacher_s_card_says_what_its_json_says() -> None:
    described = json.loads((MODELS / "rgb_teacher.json").read_text(encoding="utf-8"))
    assert (MODELS / "rgb_teacher.md").read_text(encoding="utf-8") == model_card(described)
    assert described["bytes"] == (MODELS / "rgb_teacher.pt").stat().st_size
    assert load_trained(MODELS / "rgb_teacher.pt")[1]["config"] == described["training"]["config"]


@pytest.mark.parametrize("name", ["face_detector", "face_landmarks"])
def test_the_card_says_what_the_json_says_and_the_json_what_the_file_says(name: str) -> None:
    described = json.loads((MODELS / f"{name}.json").read_text(encoding="utf-8"))
    assert (MODELS / f"{name}.md").read_text(encoding="utf-8") == model_card(described)
    assert described["bytes"] == (MODELS / f"{name}.onnx").stat().st_size
    assert load_model(MODELS / f"{name}.onnx").metadata.items() <= described.items()


def test_the_weights_are_those_of_the_onnx_file() -> None:
    landmarker = Landmarker(load_model(MODELS / "face_landmarks.onnx", provider="cpu"))
    network, state = load_trained(MODELS / "face_landmarks.pt")
    assert set(state) == set(WEIGHTS)
    assert state["config"] == landmarker.model.metadata["training"]["config"]
    crops = np.random.default_rng(0).random((3, 1, landmarker.size, landmarker.size), np.float32)
    with torch.no_grad():
        expected = RuntimeLandmarks(network)(torch.from_numpy(crops))
    found = landmarker.model.run(image=crops)
    for name, values in zip(("points", "confidence", "score"), expected, strict=True):
        assert np.allclose(found[name], values.numpy(), atol=0.02)


def test_export_writes_weights_that_training_starts_from(tmp_path: Path) -> None:
    assert main(["export", str(MODELS / "face_landmarks.pt"), "--out", str(tmp_path / "network.onnx")]) == 0
    assert main(["export", str(MODELS / "face_landmarks.pt"), "--out", str(tmp_path / "alone.pt")]) == 0
    wanted, _ = load_trained(MODELS / "face_landmarks.pt")
    for file in ("network.pt", "alone.pt"):
        network, _ = load_trained(tmp_path / file)
        for ours, theirs in zip(network.parameters(), wanted.parameters(), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-6)  # alone, they are in half precision


def test_the_card_compares_ways_of_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With ``--arms`` it has the errors that an ablation found; a file that is none is named."""
    arms, weights, out = tmp_path / "arms.json", str(MODELS / "face_landmarks.pt"), str(tmp_path / "network.onnx")
    methods = {
        "teacher": {},
        "direct": {"tests": {"hand": {"mean": 4.56}}},
        "two levels": {"tests": {"hand": {"mean": 4.24}}},
    }
    arms.write_text(json.dumps({"methods": methods}), encoding="utf-8")
    assert main(["export", weights, "--out", out, "--arms", str(arms)]) == 0
    card = (tmp_path / "network.md").read_text(encoding="utf-8")
    assert "| direct | 4.56 |" in card and "| two levels | 4.24 |" in card
    arms.write_text("{}", encoding="utf-8")
    assert main(["export", weights, "--out", out, "--arms", str(arms)]) == 2
    assert "arms.json: expected the results of `ablate`" in capsys.readouterr().err


def test_the_weights_of_an_rgb_network_come_with_a_card_of_their_own(tmp_path: Path) -> None:
    network = {"stem": 8, "widths": [8, 12, 16], "depths": [1, 1, 1], "neck": 12, "bins": 16, "hidden": 16}
    config = {"task": "distillation", "modality": "rgb", "name": "landmarks", "version": "1.0", "size": 48, "crop_scale": 1.5,
              "normalisation": {"method": "percentile", "low": 1.0, "high": 99.0}, "threshold": 0.5, "network": network}  # fmt: skip
    weights = {f"{STUDENT}{name}": value for name, value in network_of(config).state_dict().items()}
    state = {"averaged": weights, "config": config, "figures": {"nme": 3.25}, "git": "abc", "recipes": {"pairs": {}}}
    torch.save(state, tmp_path / "checkpoint.pt")
    plan = "config/distillation/face_landmarks.yaml"
    command = ["export", str(tmp_path / "checkpoint.pt"), "--config", plan, "--out", str(tmp_path / "rgb_teacher.pt")]
    assert main(command) == 0
    card = (tmp_path / "rgb_teacher.md").read_text()
    for told in ("`rgb_teacher.pt`", "an RGB image", "3.25", f"python -m thermal_fld_ros distil {plan}", "commit abc"):
        assert told in card
    assert open_teacher(str(tmp_path / "rgb_teacher.pt")).about["name"] == "rgb_teacher.pt"
