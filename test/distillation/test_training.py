# SPDX-License-Identifier: Apache-2.0
"""Training end to end on a handful of renders: it learns, goes on after an interruption, and what it exports runs."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from thermal_fld_ros.__main__ import main
from thermal_fld_ros.distillation.tasks import DetectionTask, LandmarkTask
from thermal_fld_ros.distillation.trainer import load_config, train
from thermal_fld_ros.perception.decoding import UNITS, Decoding, decode_array
from thermal_fld_ros.perception.pipeline import Pipeline, PipelineOptions
from thermal_fld_ros.synthesis.shards import load_shards

CONFIGS = Path(__file__).parents[2] / "config/training"


def small(name: str, rendered: Path, **changes: Any) -> dict[str, Any]:
    """A shipped configuration on the test's data, with a tiny network."""
    config = load_config(CONFIGS / f"{name}.yaml")
    config |= {"frames": str(rendered / "frames"), "workers": 0, "batch": 8, "epochs": 2}
    if name == "face_landmarks":
        config |= {"faces": str(rendered / "faces"), "validation": str(rendered / "faces"), "size": 64,
                   "network": {"stem": 8, "widths": [8, 16, 16], "depths": [1, 1, 1], "neck": 8}}  # fmt: skip
    else:
        network = {"stem": 8, "widths": [8, 8, 16, 16], "depths": [1, 1, 1, 1], "neck": 8}
        config |= {"validation": str(rendered / "frames"), "network": network}
        config["size"] = [160, 128]
    return config | changes


@pytest.mark.parametrize("name", ["face_landmarks", "face_detector"])
def test_a_batch_can_be_learnt_by_heart(name: str, rendered: Path) -> None:
    torch.manual_seed(0)
    config = small(name, rendered, negatives=0.2)
    task = LandmarkTask(config) if name == "face_landmarks" else DetectionTask(config)
    batch = torch.utils.data.default_collate([task.training_set[k] for k in range(6)])
    optimiser = torch.optim.Adam(task.network.parameters(), 5e-3)
    history = []
    for _ in range(30):
        loss = sum(task.loss(task.network, batch).values())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        history.append(float(loss.detach()))
    assert history[-1] < 0.5 * history[0]


def test_an_interrupted_training_ends_like_an_uninterrupted_one(
    rendered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small("face_landmarks", rendered)
    train(config, tmp_path / "whole")
    validate, calls = LandmarkTask.validate, []

    def stop_in_the_second_epoch(task: LandmarkTask, network: torch.nn.Module) -> dict[str, float]:
        calls.append(network)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return validate(task, network)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(LandmarkTask, "validate", stop_in_the_second_epoch)
        train(config, tmp_path / "stopped")
    train(config, tmp_path / "stopped")
    whole, stopped = (torch.load(tmp_path / name / "checkpoint.pt", weights_only=True) for name in ("whole", "stopped"))
    assert whole["epoch"] == stopped["epoch"] == 2
    for name, value in whole["averaged"].items():
        torch.testing.assert_close(stopped["averaged"][name], value)
    rows = list(csv.DictReader((tmp_path / "stopped/log.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2"]


def test_a_checkpoint_of_another_configuration_is_refused(rendered: Path, tmp_path: Path) -> None:
    config = small("face_landmarks", rendered, epochs=1)
    train(config, tmp_path)
    with pytest.raises(ValueError, match="another configuration"):
        train(config | {"learning_rate": 0.1}, tmp_path)


def test_a_configuration_without_a_key_is_named(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(yaml.safe_dump({"task": "landmarks", "seed": 1}))
    with pytest.raises(ValueError, match=r"bad\.yaml lacks batch, epochs"):
        load_config(file)


def test_what_was_trained_is_exported_and_run_by_the_pipeline(rendered: Path, tmp_path: Path) -> None:
    for name in ("face_landmarks", "face_detector"):
        train(small(name, rendered, epochs=1), tmp_path / name)
        assert main(["export", str(tmp_path / name / "checkpoint.pt"), "--out", str(tmp_path / f"{name}.onnx")]) == 0
        card = (tmp_path / f"{name}.md").read_text()
        assert f"config/training/{name}.yaml" in card
    options = PipelineOptions(
        detector_model=str(tmp_path / "face_detector.onnx"), landmark_model=str(tmp_path / "face_landmarks.onnx")
    )
    images, _ = load_shards(rendered / "frames")
    pipeline = Pipeline(options)
    faces = pipeline(decode_array(images[0], Decoding(unit=UNITS["centikelvin"])), 0.0)
    assert isinstance(faces, list)
    assert pipeline.landmarker.model.metadata["training"]["command"].endswith("config/training/face_landmarks.yaml")


def test_onnx_and_torch_give_the_same_points(rendered: Path, tmp_path: Path) -> None:
    from thermal_fld_ros.distillation.export import RuntimeLandmarks, export
    from thermal_fld_ros.distillation.trainer import load_trained
    from thermal_fld_ros.perception.models import load_model

    train(small("face_landmarks", rendered, epochs=1), tmp_path)
    export(tmp_path / "checkpoint.pt", tmp_path / "m.onnx", "")
    network, _ = load_trained(tmp_path / "checkpoint.pt")
    image = torch.rand(5, 1, 64, 64)
    with torch.no_grad():
        expected = RuntimeLandmarks(network)(image)[0].numpy()
    points = load_model(tmp_path / "m.onnx", provider="cpu").run(image=image.numpy())["points"]
    np.testing.assert_allclose(points, expected, atol=0.05)
