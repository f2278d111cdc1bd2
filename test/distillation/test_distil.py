# SPDX-License-Identifier: Apache-2.0
"""What learns and what does not: gradients under each term, the frozen teacher, networks that do not fit together."""

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from thermal_fld_ros.distillation.checkpoint import load_trained, save_trained
from thermal_fld_ros.distillation.config import LandmarkConfig, plain_config, read_config
from thermal_fld_ros.distillation.distil import DistillationTask, begin_with
from thermal_fld_ros.distillation.export import export
from thermal_fld_ros.distillation.networks import LandmarkNet, landmark_net
from thermal_fld_ros.distillation.terms import TERMS
from thermal_fld_ros.distillation.trainer import train, trainings_before

NETWORK = {"stem": 8, "widths": [8, 12, 16], "depths": [1, 1, 1], "neck": 12, "bins": 16, "hidden": 16}
ALL = {name: {"weight": 1.0} for name in TERMS}


def config(pairs: Path, **changes: Any) -> LandmarkConfig:
    content = {
        "task": "distillation", "name": "tried", "version": "0", "threshold": 0.5, "modality": "thermal", "pairs": str(pairs),
        "validation": str(pairs), "size": 48, "crop_scale": 1.5, "normalisation": {"method": "percentile", "low": 1.0, "high": 99.0},
        "network": NETWORK, "terms": ALL, "seed": 1, "epochs": 1, "batch": 16, "learning_rate": 0.002, "weight_decay": 0.02,
        "workers": 0,
    }  # fmt: skip
    read = read_config(content | changes, "test")
    assert isinstance(read, LandmarkConfig)
    return read


def teacher(pairs: Path, **network: Any) -> LandmarkNet:
    torch.manual_seed(5)
    return landmark_net(config(pairs, modality="rgb", network=NETWORK | network))


def batch_of(task: DistillationTask, count: int = 8) -> dict[str, Tensor]:
    torch.manual_seed(0)
    return torch.utils.data.default_collate([task.training_set[k] for k in range(count)])


def learns(part: nn.Module) -> bool:
    return any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in part.parameters())


def gradients_of(term: str, pairs: Path) -> tuple[LandmarkNet, LandmarkNet, nn.Module | None]:
    """Student, teacher and adapter after one backward pass of one term alone."""
    task = DistillationTask(config(pairs), (teacher(pairs), "rgb"))
    task.loss(task.network, batch_of(task))[term].backward()
    assert task.teacher is not None
    return task.network.student, task.teacher, task.network.adapter


def test_reverse_injection_teaches_the_backbone_through_the_frozen_head(rendered_pairs: Path) -> None:
    student, frozen, _ = gradients_of("reverse_injection", rendered_pairs)
    assert learns(student.encoder)
    assert not learns(student.head)
    assert not learns(frozen)


def test_forward_injection_teaches_the_head_and_no_backbone(rendered_pairs: Path) -> None:
    student, frozen, _ = gradients_of("forward_injection", rendered_pairs)
    assert learns(student.head)
    assert not learns(student.encoder)
    assert not learns(frozen)


def test_features_teach_the_backbone_and_the_adapter(rendered_pairs: Path) -> None:
    student, frozen, adapter = gradients_of("feature", rendered_pairs)
    assert learns(student.encoder)
    assert adapter is not None
    assert learns(adapter)
    assert not learns(student.head)
    assert not learns(frozen)


@pytest.mark.parametrize("term", ["task", "output"])
def test_the_outputs_teach_the_whole_student(term: str, rendered_pairs: Path) -> None:
    student, frozen, _ = gradients_of(term, rendered_pairs)
    assert learns(student.encoder)
    assert learns(student.head)
    assert not learns(frozen)


def test_a_training_leaves_the_teacher_as_it_was(rendered_pairs: Path, tmp_path: Path) -> None:
    first = config(rendered_pairs, modality="rgb", terms={"task": {"weight": 1}})
    train(first, tmp_path / "teacher")
    checkpoint = tmp_path / "teacher/checkpoint.pt"
    before, _ = load_trained(checkpoint)
    task = DistillationTask(config(rendered_pairs, teacher=str(checkpoint)))
    assert task.teacher is not None
    mine = {id(p) for p in task.network.parameters()}
    assert not any(id(p) in mine for p in task.teacher.parameters())
    optimiser = torch.optim.AdamW(task.network.parameters(), 0.01, weight_decay=0.1)
    task.network.train()
    for _ in range(3):
        optimiser.zero_grad()
        torch.stack(list(task.loss(task.network, batch_of(task), 0.3).values())).sum().backward()
        optimiser.step()
    assert not task.teacher.training
    for name, value in before.state_dict().items():  # statistics of batch normalisation included
        assert torch.equal(task.teacher.state_dict()[name], value), name


def untrained(config: LandmarkConfig, file: Path) -> dict[str, torch.Tensor]:
    """Write the checkpoint of a network as it is made from the seed, and return its weights."""
    torch.manual_seed(config.seed)
    weights = landmark_net(config).state_dict()
    state = {"averaged": {f"student.{name}": value for name, value in weights.items()}, "config": plain_config(config)}
    file.parent.mkdir(exist_ok=True)
    save_trained({**state, "metrics": {}, "git": "", "recipes": {}}, file)
    return weights


def test_what_is_not_among_the_parts_that_learn_stays_as_it_was(rendered_pairs: Path, tmp_path: Path) -> None:
    first = config(rendered_pairs, terms={"task": {"weight": 1}}, network=NETWORK | {"refinement": {}})
    start = tmp_path / "whole/checkpoint.pt"
    before = untrained(first, start)
    train(replace(first, start=str(start), learns=("refinement",)), tmp_path / "part")
    after = load_trained(tmp_path / "part/checkpoint.pt")[0].state_dict()
    changed = {name.split(".")[0] for name, value in after.items() if not torch.equal(before[name], value)}
    assert changed == {"refinement"}  # statistics of batch normalisation included


def test_a_network_can_begin_with_the_mean_of_others(rendered_pairs: Path, tmp_path: Path) -> None:
    files = [str(tmp_path / f"{seed}/checkpoint.pt") for seed in (1, 2)]
    first, second = (untrained(config(rendered_pairs, seed=seed), Path(file)) for seed, file in enumerate(files, 1))
    student = landmark_net(config(rendered_pairs))
    begin_with(student, {files[0]: 3, files[1]: 1})
    for name, value in student.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(value, 0.75 * first[name] + 0.25 * second[name])
    assert [one["config"]["seed"] for one in trainings_before(dict.fromkeys(files, 1.0))] == [1, 2]
    with pytest.raises(ValueError, match="expected a positive share"):
        begin_with(student, {files[0]: 0})


def test_a_second_look_that_the_start_has_not_begins_untrained(rendered_pairs: Path, tmp_path: Path) -> None:
    """It changes nothing then: the network says what the one says that it begins with."""
    start = tmp_path / "start/checkpoint.pt"
    before = untrained(config(rendered_pairs), start)
    student = landmark_net(config(rendered_pairs, network=NETWORK | {"refinement": {}})).eval()
    begin_with(student, str(start))
    for name, value in before.items():
        assert torch.equal(student.state_dict()[name], value), name
    image = torch.rand(2, 1, student.size, student.size)
    torch.testing.assert_close(student(image).points, student.head(student.encoder(image)).points)


def test_a_start_of_another_shape_is_named(rendered_pairs: Path, tmp_path: Path) -> None:
    start = tmp_path / "start/checkpoint.pt"
    untrained(config(rendered_pairs, network=NETWORK | {"neck": 24}), start)
    with pytest.raises(ValueError, match=r"checkpoint\.pt: its network has another shape"):
        begin_with(landmark_net(config(rendered_pairs)), str(start))


def test_a_narrower_network_keeps_the_channels_that_carry_the_signal(rendered_pairs: Path, tmp_path: Path) -> None:
    """Channels that are silent in the wide one are those that go: both networks say the same."""
    shape = NETWORK | {"stem": 4, "widths": [8, 12, 16], "depths": [1, 2, 2]}
    wide = landmark_net(config(rendered_pairs, network=shape))
    for module in wide.encoder.backbone.stages.modules():
        if isinstance(module, nn.BatchNorm2d):
            count = module.num_features
            silent = torch.arange(count) % 4 == 1
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
            with torch.no_grad():
                module.weight[silent] = 0
                module.bias[silent] = 0
    start = tmp_path / "wide.pt"
    weights = {f"student.{name}": value for name, value in wide.state_dict().items()}
    save_trained({"config": plain_config(config(rendered_pairs, network=shape)), "averaged": weights}, start)
    narrow = landmark_net(config(rendered_pairs, network=shape | {"widths": [6, 9, 12]})).eval()
    begin_with(narrow, str(start))
    image = torch.rand(2, 1, narrow.size, narrow.size)
    torch.testing.assert_close(narrow(image), wide.eval()(image), atol=1e-4, rtol=1e-4)
    other = landmark_net(config(rendered_pairs, network=shape | {"widths": [6, 9, 12], "hidden": 12}))
    with pytest.raises(ValueError, match="another shape"):  # narrower elsewhere, too: that would begin untrained
        begin_with(other, str(start))


@pytest.mark.slow
def test_the_card_tells_the_stages_before_and_who_taught_them(rendered_pairs: Path, tmp_path: Path) -> None:
    first = config(rendered_pairs, modality="rgb", terms={"task": {"weight": 1}})
    train(first, tmp_path / "teacher")
    taught = config(rendered_pairs, teacher=str(tmp_path / "teacher/checkpoint.pt"))
    train(taught, tmp_path / "taught")
    train(
        config(rendered_pairs, terms={"task": {"weight": 1}}, start=str(tmp_path / "taught/checkpoint.pt")),
        tmp_path / "last",
    )
    told = export(tmp_path / "last/checkpoint.pt", tmp_path / "m.onnx", "")["training"]["before"]
    assert [one["config"]["teacher"] for one in told] == [taught.teacher]
    card = (tmp_path / "m.md").read_text()
    assert f"student by MLCM-KD of | `{taught.teacher}`" in card
    assert f"stages before | 1 epochs by {', '.join(ALL)} of `{taught.teacher}` on `{rendered_pairs}`" in card


@pytest.mark.slow
def test_a_student_is_trained_by_every_term_and_leaves_its_adapter_behind(rendered_pairs: Path, tmp_path: Path) -> None:
    first = config(
        rendered_pairs, modality="rgb", terms={"task": {"weight": 1}}, network=NETWORK | {"widths": [12, 16, 24]}
    )
    train(first, tmp_path / "teacher")
    metrics = train(
        config(rendered_pairs, teacher=str(tmp_path / "teacher/checkpoint.pt"), epochs=2), tmp_path / "student"
    )
    assert metrics["nme"] > 0
    network, _ = load_trained(tmp_path / "student/checkpoint.pt")
    assert isinstance(network, LandmarkNet)
    assert export(tmp_path / "student/checkpoint.pt", tmp_path / "m.onnx", "")["task"] == "landmarks"
    with pytest.raises(ValueError, match="takes rgb images, expected a thermal network"):
        export(tmp_path / "teacher/checkpoint.pt", tmp_path / "t.onnx", "")


def test_an_adapter_bridges_another_width(rendered_pairs: Path) -> None:
    terms = {name: ALL[name] for name in ("task", "feature", "output")}
    task = DistillationTask(config(rendered_pairs, terms=terms), (teacher(rendered_pairs, neck=20), "rgb"))
    inputs = task.loss_inputs(task.network, batch_of(task))
    assert inputs.adapted_features is not None
    assert inputs.teacher_features is not None
    assert inputs.adapted_features.shape == inputs.teacher_features.shape == (8, 20, 6, 6)


def test_a_thermal_teacher_sees_what_the_student_sees(rendered_pairs: Path) -> None:
    torch.manual_seed(0)
    task = DistillationTask(config(rendered_pairs), (landmark_net(config(rendered_pairs)), "thermal"))
    batch = batch_of(task)
    assert "teacher_image" not in batch
    inputs = task.loss_inputs(task.network, batch)
    assert task.teacher is not None
    assert torch.equal(inputs.teacher_features, task.teacher.encoder(batch["image"]))


@pytest.mark.parametrize(
    ("changes", "network", "message"),
    [
        ({}, {"neck": 16}, "forward_injection, reverse_injection: the features have 12 and 16 channels"),
        ({}, {"bins": 24}, "output: the distributions have 16 and 24 bins"),
        ({"modality": "depth"}, {}, "modality is 'depth', expected one of thermal, rgb"),
        ({"modality": "rgb", "frames": ".", "negatives": 0.1}, {}, "frames are thermal images"),
    ],
)
def test_what_does_not_fit_together_is_named(
    changes: dict[str, Any], network: dict[str, Any], message: str, rendered_pairs: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        DistillationTask(config(rendered_pairs, **changes), (teacher(rendered_pairs, **network), "rgb"))


def test_terms_of_a_teacher_need_one(rendered_pairs: Path) -> None:
    with pytest.raises(ValueError, match="feature, forward_injection, output, reverse_injection need a teacher"):
        DistillationTask(config(rendered_pairs))


def test_teacher_and_student_see_crops_of_one_kind(rendered_pairs: Path, tmp_path: Path) -> None:
    train(config(rendered_pairs, modality="rgb", terms={"task": {"weight": 1}}), tmp_path)
    with pytest.raises(ValueError, match="other crops"):
        DistillationTask(config(rendered_pairs, teacher=str(tmp_path / "checkpoint.pt"), crop_scale=1.3))


@pytest.mark.skipif(importlib.util.find_spec("timm") is None, reason="timm is not installed")
@pytest.mark.parametrize("name", ["test_resnet", "mobilenetv3_small_050"])
def test_a_backbone_of_timm_is_a_teacher_like_any_other(name: str, rendered_pairs: Path) -> None:
    network = {"timm": name, "neck": 12, "bins": 16, "hidden": 16}
    torch.manual_seed(0)
    borrowed = landmark_net(config(rendered_pairs, modality="rgb", network=network))
    task = DistillationTask(config(rendered_pairs), (borrowed, "rgb"))
    losses = task.loss(task.network, batch_of(task))
    assert all(torch.isfinite(loss) for loss in losses.values())
    trained = landmark_net(config(rendered_pairs, modality="rgb", network=network)).train()
    features = trained.encoder(torch.rand(2, 3, 48, 48))
    assert features.shape == (2, 12, 6, 6)
    features.sum().backward()
    assert all((p.grad is not None) == p.requires_grad for p in trained.encoder.parameters())
    with pytest.raises(ValueError, match="feature maps at strides"):
        landmark_net(config(rendered_pairs, modality="rgb", network=network | {"timm": "test_vit"}))
