# SPDX-License-Identifier: Apache-2.0
"""Training end to end on a handful of renders: it learns, goes on after an interruption, and what it exports runs."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from thermal_fld_ros.__main__ import main
from thermal_fld_ros.distillation.checkpoint import load_trained
from thermal_fld_ros.distillation.config import TrainingConfig, load_config, read_config
from thermal_fld_ros.distillation.distil import DistillationTask
from thermal_fld_ros.distillation.export import RuntimeLandmarks, export
from thermal_fld_ros.distillation.fields import read_mapping
from thermal_fld_ros.distillation.logs import Log, read_log
from thermal_fld_ros.distillation.networks import landmark_net
from thermal_fld_ros.distillation.parallel import EpochLoader, Process
from thermal_fld_ros.distillation.tasks import task_of
from thermal_fld_ros.distillation.trainer import train
from thermal_fld_ros.perception.decoding import UNITS, Decoding, decode_array
from thermal_fld_ros.perception.models import load_model
from thermal_fld_ros.perception.pipeline import Pipeline, PipelineOptions
from thermal_fld_ros.provenance import git_state
from thermal_fld_ros.synthesis.shards import load_shards

CONFIGS = Path(__file__).parents[2] / "config/training"


def small(name: str, rendered: Path, **changes: Any) -> TrainingConfig:
    """A shipped configuration on the test's data, with a tiny network."""
    return read_config(small_content(name, rendered) | changes, name)


def small_content(name: str, rendered: Path) -> dict[str, Any]:
    """The same, as its file would hold it."""
    config = read_mapping(CONFIGS / f"{name}.yaml")
    config |= {"frames": str(rendered / "frames"), "workers": 0, "batch": 8, "epochs": 2}
    config["scenes"] = str(rendered / "scenes")
    if name == "face_landmarks":
        config |= {"pairs": str(rendered / "faces"), "validation": str(rendered / "faces"), "size": 64,
                   "network": {"stem": 8, "widths": [8, 16, 16], "depths": [1, 1, 1], "neck": 8, "bins": 24, "hidden": 16}}  # fmt: skip
    else:
        network = {"stem": 8, "widths": [8, 8, 16, 16], "depths": [1, 1, 1, 1], "neck": 8}
        config |= {"validation": str(rendered / "frames"), "network": network}
        config["size"] = [160, 128]
    return config


@pytest.fixture(scope="module")
def trained(rendered: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a landmark training of one epoch."""
    folder = tmp_path_factory.mktemp("trained")
    train(small("face_landmarks", rendered, epochs=1), folder)
    return folder


@pytest.mark.parametrize("name", ["face_landmarks", "face_detector"])
def test_a_batch_can_be_learnt_by_heart(name: str, rendered: Path) -> None:
    torch.manual_seed(0)
    config = small(name, rendered)
    task = task_of(config)
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
    validate, calls = DistillationTask.validate, []

    def stop_in_the_second_epoch(task: DistillationTask, network: torch.nn.Module) -> dict[str, float]:
        calls.append(network)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return validate(task, network)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(DistillationTask, "validate", stop_in_the_second_epoch)
        train(config, tmp_path / "stopped")
    train(config, tmp_path / "stopped")
    assert same_averages(tmp_path / "whole", tmp_path / "stopped")
    assert [row["epoch"] for row in read_log(tmp_path / "stopped/log.csv")] == [1, 2]


def same_averages(one: Path, other: Path) -> bool:
    first, second = (torch.load(folder / "checkpoint.pt", weights_only=True)["averaged"] for folder in (one, other))
    return all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.slow
def test_two_processes_hold_equal_weights_and_resume(rendered: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(small_content("face_landmarks", rendered)))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {"GLOO_SOCKET_IFNAME": "lo", "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}

    def run(out: str, stop_after: int) -> str:
        arguments = [
            Path(__file__).with_name("two_processes.py"),
            tmp_path / "config.json",
            tmp_path / out,
            str(stop_after),
        ]
        done = subprocess.run([*torchrun, *arguments], capture_output=True, text=True, env=os.environ | environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert run("whole", 0).count("compared 8 steps") == 2  # two epochs of four
    assert run("stopped", 6).count("compared 6 steps") == 2
    assert run("stopped", 0).count("compared 4 steps") == 2
    assert same_averages(tmp_path / "whole", tmp_path / "stopped")
    rows = read_log(tmp_path / "stopped/log.csv")
    assert [row["epoch"] for row in rows] == [1, 2]
    assert all(np.isfinite(value) for row in rows for value in row.values())
    network, state = load_trained(tmp_path / "whole/checkpoint.pt")
    assert state["epoch"] == 2
    assert torch.isfinite(network(torch.zeros(1, 1, 64, 64))[0]).all()


def test_samples_follow_from_seed_and_epoch_alone(rendered: Path) -> None:
    config = small("face_landmarks", rendered)
    samples = DistillationTask(config).training_set
    cpu = torch.device("cpu")

    def epoch(number: int, workers: int, process: Process) -> list[torch.Tensor]:
        loader = EpochLoader(samples, replace(config, workers=workers, batch=8), process)
        _ = [batch for n in range(number) for batch in loader.epoch(n)]
        return [batch["image"] for batch in loader.epoch(number)]

    alone = epoch(1, 0, Process(0, 1, cpu))
    assert not torch.equal(alone[0], epoch(0, 0, Process(0, 1, cpu))[0])
    with_workers = epoch(1, 2, Process(0, 1, cpu))
    halves = zip(epoch(1, 0, Process(0, 2, cpu)), epoch(1, 1, Process(1, 2, cpu)), strict=True)
    for batch, other, (one, two) in zip(alone, with_workers, halves, strict=True):
        assert torch.equal(batch, other)
        assert torch.equal(batch, torch.stack([one, two], 1).flatten(0, 1))


@pytest.mark.parametrize(
    ("batch", "message"), [(7, "multiple of the 2 processes"), (1000, "do not fill a batch of 1000")]
)
def test_a_batch_that_cannot_be_shared_or_filled_is_refused(rendered: Path, batch: int, message: str) -> None:
    config = small("face_landmarks", rendered, batch=batch)
    with pytest.raises(ValueError, match=message):
        EpochLoader(DistillationTask(config).training_set, config, Process(0, 2, torch.device("cpu")))


def test_a_loss_that_is_no_number_ends_the_training(rendered: Path, tmp_path: Path) -> None:
    with pytest.raises(FloatingPointError, match="epoch 1"):
        train(small("face_landmarks", rendered, learning_rate=1e30), tmp_path)
    assert not (tmp_path / "checkpoint.pt").exists()


def test_logs_tell_every_number(trained: Path) -> None:
    (row,) = read_log(trained / "log.csv")
    _, state = load_trained(trained / "checkpoint.pt")
    assert row["epoch"] == 1
    assert row["validation/nme"] == pytest.approx(state["metrics"]["nme"])
    events = EventAccumulator(str(trained))
    events.Reload()
    for name in ("loss/task", "training/rate", "validation/nme"):
        assert events.Scalars(name)[0].value == pytest.approx(row[name], rel=1e-5)
    assert cv2.imread(str(trained / "curves.png")).std() > 5


def test_a_row_whose_checkpoint_was_not_written_is_dropped(tmp_path: Path) -> None:
    log = Log(tmp_path, 0)
    log.add({"epoch": 1, "loss/points": 2.0})
    log.add({"epoch": 2, "loss/points": 1.0})
    log = Log(tmp_path, 1)
    log.add({"epoch": 2, "loss/points": 1.5, "loss/new": 3.0})
    assert read_log(tmp_path / "log.csv") == [
        {"epoch": 1, "loss/points": 2.0},
        {"epoch": 2, "loss/points": 1.5, "loss/new": 3.0},
    ]


def test_a_checkpoint_tells_what_made_it(trained: Path) -> None:
    _, state = load_trained(trained / "checkpoint.pt")
    assert state["git"].removesuffix("-dirty") == git_state().removesuffix("-dirty")
    assert state["config"]["seed"] == 1
    assert state["recipes"]["pairs"]["count"] == 32


def test_a_checkpoint_of_another_configuration_is_refused(rendered: Path, trained: Path) -> None:
    with pytest.raises(ValueError, match="another configuration"):
        train(small("face_landmarks", rendered, epochs=1, learning_rate=0.1), trained)


def test_a_configuration_without_a_key_is_named(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(yaml.safe_dump({"task": "detection", "seed": 1}))
    with pytest.raises(ValueError, match=r"bad\.yaml lacks batch, epochs"):
        load_config(file)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("epochs", 0, "a whole number of at least 1"),
        ("epochs", 2.5, "a whole number of at least 1"),
        ("batch", True, "a whole number of at least 1"),
        ("learning_rate", "1e-3", "a number"),
        ("learning_rate", float("nan"), "a number"),
        ("weight_decay", -1.0, "a number .* of at least 0"),
        ("workers", None, "a whole number of at least 0"),
    ],
)
def test_a_number_that_is_none_is_named(rendered: Path, tmp_path: Path, key: str, value: Any, expected: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(yaml.safe_dump(small_content("face_landmarks", rendered) | {key: value}))
    with pytest.raises(ValueError, match=rf"bad\.yaml: {key} is .*, expected {expected}"):
        load_config(file)


def test_the_large_network_has_the_students_recipe_and_several_times_its_size() -> None:
    student, large = (load_config(CONFIGS / f"{name}.yaml") for name in ("face_landmarks", "face_landmarks_large"))
    assert replace(large, name=student.name, network=student.network) == student
    sizes = [sum(p.numel() for p in landmark_net(config).parameters()) for config in (student, large)]
    assert 5 < sizes[1] / sizes[0] < 7  # the comments and docs say six


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


def test_onnx_and_torch_give_the_same_points_on_renders(rendered: Path, trained: Path, tmp_path: Path) -> None:
    export(trained / "checkpoint.pt", tmp_path / "m.onnx", "")
    network, state = load_trained(trained / "checkpoint.pt")
    samples = task_of(read_config(state["config"], "checkpoint")).training_set
    image = torch.from_numpy(np.stack([samples[k]["image"] for k in range(32)]))
    with torch.no_grad():
        expected = RuntimeLandmarks(network)(image)[0].numpy()
    points = load_model(tmp_path / "m.onnx", provider="cpu").run(image=image.numpy())["points"]
    np.testing.assert_allclose(points, expected, atol=0.05)
