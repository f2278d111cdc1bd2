# SPDX-License-Identifier: Apache-2.0
"""Adaptation of the shipped network to rendered people before a camera unlike those of the training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from loop_people import Person, read_people, write_data_set

from thermal_fld_ros.__main__ import main
from thermal_fld_ros.distillation.checkpoint import load_trained, save_trained
from thermal_fld_ros.distillation.distil import DistillationTask, start_from
from thermal_fld_ros.distillation.networks import network_of
from thermal_fld_ros.perception.landmarker import Landmarker
from thermal_fld_ros.perception.models import default_model_folder, load_model

SPLITS = ["test"] * 7 + ["validation"] * 4 + ["train"] * 25
WEIGHTS = default_model_folder() / "face_landmarks.pt"


@pytest.fixture(scope="module")
def people() -> list[Person]:
    return read_people(Path(__file__).parents[1] / "system/people.npz")


@pytest.fixture(scope="module")
def data(people: list[Person], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data_set(people, tmp_path_factory.mktemp("data") / "robot", SPLITS)


def adapt(data: Path, out: Path, *more: str) -> int:
    return main(["adapt", str(data), "--out", str(out), "--threads", "1", *more])


def teacher_of(out: Path, **changes: Any) -> Path:
    """An untrained RGB network."""
    config = load_trained(WEIGHTS)[1]["config"] | {"task": "distillation", "modality": "rgb"} | changes
    averaged = {f"student.{name}": value for name, value in network_of(config).state_dict().items()}
    save_trained({"averaged": averaged, "config": config, "metrics": {}, "git": "unknown", "recipes": {}}, out)
    return out


@pytest.mark.slow
def test_the_network_becomes_better_on_people_who_were_held_out(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert adapt(data, tmp_path, "--steps", "120") == 0
    said = capsys.readouterr().out
    model = tmp_path / "face_landmarks_robot.onnx"
    assert f"landmark_model:={model}" in said
    assert f"ros2 param set /thermal_fld_detector landmark_model {model}" in said
    described = Landmarker(load_model(model, provider="cpu")).model.metadata
    before, after = described["comparison"]["before"], described["comparison"]["after"]
    assert after["held out, 68 points"] < 0.98 * before["held out, 68 points"]
    assert after["rendered clip, 68 points"] < before["rendered clip, 68 points"] + 1
    card = model.with_suffix(".md").read_text()
    assert f"| after | {after['held out, 68 points']:.3g} |" in card
    assert "125 faces of 25 people" in card
    assert "rendered test faces" not in card
    network, _ = load_trained(model.with_suffix(".pt"))
    start, _ = load_trained(WEIGHTS)
    assert any(not torch.equal(a, b) for a, b in zip(network.parameters(), start.parameters(), strict=True))

    # again: nothing is left to do, the same comes out
    assert adapt(data, tmp_path, "--steps", "120") == 0
    assert "epoch 1" not in capsys.readouterr().out
    assert Landmarker(load_model(model, provider="cpu")).model.metadata["comparison"]["after"] == after


@pytest.mark.slow
def test_an_interrupted_adaptation_goes_on(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    validate, calls = DistillationTask.validate, []

    def stop(task: DistillationTask, network: torch.nn.Module) -> dict[str, float]:
        calls.append(network)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return validate(task, network)

    with monkeypatch.context() as patch:
        patch.setattr(DistillationTask, "validate", stop)
        assert adapt(data, tmp_path, "--steps", "4") == 130
    before = torch.load(tmp_path / "training/adapted/checkpoint.pt", weights_only=True)["epoch"]
    adapt(data, tmp_path, "--steps", "4")
    after = torch.load(tmp_path / "training/adapted/checkpoint.pt", weights_only=True)["epoch"]
    assert (before, after > before) == (2, True)


@pytest.mark.slow
def test_a_network_that_is_no_better_is_not_written(
    people: list[Person], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_data_set(people, tmp_path / "robot", SPLITS)
    lines = [json.loads(line) for line in (data / "pairs.jsonl").read_text().splitlines()]
    for line in lines:
        if line["split"] != "test":  # the labels of other points; those that choose the epoch are wrong, too
            line["points"] = line["points"][::-1]
    (data / "pairs.jsonl").write_text("\n".join(map(json.dumps, lines)))
    old = tmp_path / "out/face_landmarks_robot.onnx"
    old.parent.mkdir()
    old.write_bytes(b"the old one")
    assert adapt(data, tmp_path / "out", "--steps", "40") == 1
    assert "not written: NME on held out, 68 points was" in capsys.readouterr().err
    assert old.read_bytes() == b"the old one"


@pytest.mark.slow
def test_an_rgb_teacher_teaches_in_two_levels(data: Path, tmp_path: Path) -> None:
    teacher = teacher_of(tmp_path / "rgb.pt")
    assert adapt(data, tmp_path / "out", "--teacher", str(teacher), "--steps", "2") in (0, 1)
    first, second = (
        torch.load(tmp_path / f"out/training/{stage}/checkpoint.pt", weights_only=True) for stage in ("ktl", "mcl")
    )
    assert set(first["config"]["terms"]) == {"task", "forward_injection", "reverse_injection"}
    assert set(second["config"]["terms"]) == {"task", "feature", "output"}
    assert second["config"]["teacher"] == str(tmp_path / "out/training/ktl/best.pt")


def test_a_thermal_network_begins_as_the_rgb_one_that_sees_grey(tmp_path: Path) -> None:
    teacher = teacher_of(tmp_path / "rgb.pt")
    colour, state = load_trained(teacher)
    thermal = network_of(state["config"] | {"modality": "thermal"})
    start_from(thermal, teacher)
    grey = torch.rand(2, 1, thermal.size, thermal.size)
    with torch.no_grad():
        wanted, found = colour(grey.expand(-1, 3, -1, -1)).points, thermal.eval()(grey).points
    assert torch.allclose(wanted, found, atol=1e-4)
    with pytest.raises(ValueError, match="another shape"):
        start_from(network_of(state["config"] | {"network": state["config"]["network"] | {"neck": 8}}), teacher)


def changed(people: list[Person], folder: Path, splits: list[str], **fields: Any) -> Path:
    data = write_data_set(people, folder, splits)
    lines = [json.loads(line) | fields for line in (data / "pairs.jsonl").read_text().splitlines()]
    kept = [{key: value for key, value in line.items() if value is not None} for line in lines]
    (data / "pairs.jsonl").write_text("\n".join(map(json.dumps, kept)))
    return data


@pytest.mark.parametrize(
    ("splits", "fields", "message"),
    [
        (["train"] * 11 + ["validation"] * 2, {}, "no pairs of split test, it has train, validation"),
        (
            ["test"] * 2 + ["validation"] * 2 + ["train"] * 3,
            {},
            "15 labelled faces in thermal images of split train, expected 50",
        ),
        (SPLITS, {"points": None, "box": [50, 30, 50, 60]}, "0 labelled faces in thermal images of split train"),
    ],
    ids=["no held-out split", "too few", "no labels"],
)
def test_what_cannot_be_adapted_to_is_named(
    people: list[Person], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    splits: list[str], fields: dict[str, Any], message: str,
) -> None:  # fmt: skip
    data = changed(people[: len(splits)], tmp_path / "robot", splits, **fields)
    assert adapt(data, tmp_path / "out") == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_another_data_set_wants_another_folder(
    data: Path, people: list[Person], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    adapt(data, out, "--steps", "1")
    capsys.readouterr()
    assert adapt(data, out, "--steps", "1", "--seed", "2") == 2
    assert "choose another output folder" in capsys.readouterr().err
