# SPDX-License-Identifier: Apache-2.0
"""One level of the distillation: a network learns from labels and from a frozen teacher, by the terms of its configuration.

After "Lightweight Facial Landmark Detection in Thermal Images via Multi-Level Cross-Modal Knowledge Transfer" (arXiv 2510.11128).
The levels, the baselines and the teacher's own training differ in networks, modalities and terms only; see docs/distillation.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from thermal_fld_ros.distillation.checkpoint import load_trained
from thermal_fld_ros.distillation.networks import LandmarkNet, Prediction, conv
from thermal_fld_ros.distillation.pairs import PairSamples, PlainPairs
from thermal_fld_ros.distillation.tasks import CHANNELS, landmark_net, validation_figures
from thermal_fld_ros.distillation.terms import Lesson, Term, read_terms, target_of


class Attempt(NamedTuple):
    """What an ``Apprentice`` makes of N images: see ``Lesson``."""

    found: Prediction
    features: Tensor
    adapted: Tensor | None
    forward: Prediction | None


class Apprentice(nn.Module):
    """A student and what of its training has weights too: the adapter to the width of the teacher's features.

    One ``forward`` gives everything that gradients come from, as data-parallel training demands.
    """

    def __init__(self, student: LandmarkNet, adapter: nn.Module | None, forward_injection: bool):
        super().__init__()
        self.student = student
        self.adapter = adapter
        self.forward_injection = forward_injection

    def forward(self, image: Tensor, features: Tensor | None = None) -> Attempt:
        """Images (N, channels, S, S), the teacher's features (N, C, h, w)."""
        own = self.student.encoder(image)
        adapted = self.adapter(own) if self.adapter is not None else None
        injected = self.student.head(features) if self.forward_injection else None
        return Attempt(self.student.refined(image, self.student.head(own)), own, adapted, injected)


class DistillationTask:
    """Pairs -> a landmark network, with or without a teacher.

    Configuration: ``modality`` ("thermal" or "rgb") of the network, ``pairs``, ``validation`` (folders), ``split`` and
    ``validation_split`` where they have splits, ``terms``, ``network``
    (arguments of LandmarkNet), ``teacher`` (a checkpoint) unless ``task`` is the only term, ``frames`` and ``negatives`` for crops
    without a face, ``pretrained`` (true: the weights that timm has for its backbone), ``start`` (a checkpoint whose weights the network
    begins with), and what ``PairSamples`` reads.

    Parameters
    ----------
    config : dict
    teacher : LandmarkNet and its modality, optional
        In place of the checkpoint that the configuration names.

    Raises
    ------
    ValueError
        When the terms do not fit the networks.
    """

    def __init__(self, config: dict[str, Any], teacher: tuple[LandmarkNet, str] | None = None):
        modality = config["modality"]
        if modality not in CHANNELS:
            raise ValueError(f'modality is "{modality}", expected one of {", ".join(CHANNELS)}')
        self.terms: list[Term] = read_terms(config["terms"])
        wanted = {term.name for term in self.terms}
        student = landmark_net(config, **({"pretrained": True} if config.get("pretrained") else {}))
        if "start" in config:
            start_from(student, Path(config["start"]))
        self.teacher, view = teacher or _load_teacher(config, wanted)
        if self.teacher is not None:
            self.teacher.eval().requires_grad_(False)
            _check_fit(student, self.teacher, wanted)
        adapter = conv(student.neck, self.teacher.neck, kernel=1) if self.teacher and "feature" in wanted else None
        self.network: nn.Module = Apprentice(student, adapter, "forward_injection" in wanted)
        self.reverse = "reverse_injection" in wanted
        frames = Path(config["frames"]) if "frames" in config else None
        if frames and modality != "thermal":
            raise ValueError(f"frames are thermal images, but the network's modality is {modality}")
        other = view if view != modality else None
        self.training_set: Dataset[Any] = PairSamples(
            config, Path(config["pairs"]), modality, other, frames, config.get("split")
        )
        self.validation_set = PlainPairs(config, Path(config["validation"]), modality, config.get("validation_split"))
        if self.training_set.left_out:
            print(
                f"{config['pairs']}: {self.training_set.left_out} pairs without a {modality} image are left out",
                flush=True,
            )

    def loss(self, network: nn.Module, batch: dict[str, Tensor], progress: float = 0.0) -> dict[str, Tensor]:
        """The terms of the configuration, weighted."""
        lesson = self.lesson(network, batch)
        return {term.name: term(lesson, progress) for term in self.terms}

    def lesson(self, network: nn.Module, batch: dict[str, Tensor]) -> Lesson:
        """What the terms are made of; ``network`` is an Apprentice or its parallel form."""
        if self.teacher is None:
            found = network(batch["image"]).found
            return Lesson(found, target_of(batch, batch["taught"], None), batch["taught"])
        self.teacher.to(batch["image"].device)
        with torch.no_grad():
            features = self.teacher.encoder(batch.get("view", batch["image"]))
            taken: Prediction = self.teacher.head(features)
        attempt: Attempt = network(batch["image"], features)
        # gradients pass through the frozen head
        reverse = self.teacher.head(attempt.features) if self.reverse else None
        target = target_of(batch, batch["taught"], taken)
        return Lesson(
            attempt.found, target, batch["taught"], taken, features, attempt.adapted, attempt.forward, reverse
        )

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Figures of ``validation_figures`` for the student."""
        assert isinstance(network, Apprentice)
        return validation_figures(network.student, self.validation_set)


def start_from(student: LandmarkNet, file: Path) -> None:
    """Give a network the weights of a checkpoint of its shape; those of an RGB network to a thermal one, as if it saw grey.

    Raises
    ------
    ValueError
        When the checkpoint's network has another shape.
    """
    weights = load_trained(file)[0].state_dict()
    wanted = {name: value.shape for name, value in student.state_dict().items()}
    for name, value in weights.items():
        seen = wanted.get(name)
        if value.dim() == 4 and seen is not None and value.shape[1] == 3 and seen[1] == 1:  # the first convolution
            weights[name] = value.sum(1, keepdim=True)
    other = [
        name for name in wanted.keys() | weights.keys() if wanted.get(name) != getattr(weights.get(name), "shape", None)
    ]
    # untrained, a refinement changes nothing: a network may get one that the checkpoint's has not
    other = [name for name in other if not (name.startswith("refinement.") and name not in weights)]
    if other:
        raise ValueError(
            f"{file}: its network has another shape than the one to be trained, in {len(other)} weights: {min(other)}, ..."
        )
    student.load_state_dict(weights | {k: v for k, v in student.state_dict().items() if k not in weights})


def _load_teacher(config: dict[str, Any], wanted: set[str]) -> tuple[LandmarkNet | None, str | None]:
    if "teacher" not in config:
        if wanted != {"task"}:
            raise ValueError(f"the terms {', '.join(sorted(wanted - {'task'}))} need a teacher")
        return None, None
    network, state = load_trained(Path(config["teacher"]))
    if not isinstance(network, LandmarkNet):
        raise ValueError(f"{config['teacher']} is of task {state['config']['task']!r}, expected a landmark network")
    same = {key: (config[key], state["config"][key]) for key in ("size", "crop_scale")}
    if any(own != theirs for own, theirs in same.values()):
        raise ValueError(f"student and teacher see other crops: {same}, expected the same")
    return network, state["config"].get("modality", "thermal")


def _check_fit(student: LandmarkNet, teacher: LandmarkNet, wanted: set[str]) -> None:
    injections = wanted & {"forward_injection", "reverse_injection"}
    if injections and student.neck != teacher.neck:
        raise ValueError(
            f"{', '.join(sorted(injections))}: the features have {student.neck} and {teacher.neck} channels (neck), "
            "expected the same"
        )
    if "output" in wanted and student.bins != teacher.bins:
        raise ValueError(f"output: the distributions have {student.bins} and {teacher.bins} bins, expected the same")
