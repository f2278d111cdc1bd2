# SPDX-License-Identifier: Apache-2.0
"""One level of the distillation: a network learns from labels and from a frozen teacher, by the terms of its configuration.

After "Lightweight Facial Landmark Detection in Thermal Images via Multi-Level Cross-Modal Knowledge Transfer" (arXiv 2510.11128).
The levels, the baselines and the teacher's own training differ in networks, modalities and terms only; see docs/distillation.md.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from thermal_fld_ros.distillation.checkpoint import load_trained
from thermal_fld_ros.distillation.config import NETWORK_PARTS, LandmarkConfig
from thermal_fld_ros.distillation.narrowing import is_narrower, narrowed
from thermal_fld_ros.distillation.networks import LandmarkNet, Prediction, conv, landmark_net
from thermal_fld_ros.distillation.pairs import PlainPairs, open_samples
from thermal_fld_ros.distillation.terms import LossInputs, Term, read_terms, target_of


class StudentOutput(NamedTuple):
    """What a ``StudentWithAdapter`` makes of N images; the fields are those of ``LossInputs``, ``features`` are the student's own."""

    prediction: Prediction
    features: Tensor
    adapted_features: Tensor | None
    forward_prediction: Prediction | None


class StudentWithAdapter(nn.Module):
    """A student and what of its training has weights too: the adapter to the width of the teacher's features.

    One ``forward`` gives everything that gradients come from, as data-parallel training demands. Parts of the student that are not
    among those that learn keep their weights and their statistics.
    """

    def __init__(
        self,
        student: LandmarkNet,
        adapter: nn.Module | None,
        forward_injection: bool,
        learns: Collection[str] = NETWORK_PARTS,
    ):
        super().__init__()
        self.student = student
        self.adapter = adapter
        self.forward_injection = forward_injection
        self.fixed = [part for name, part in student.named_children() if name not in learns]
        for part in self.fixed:
            part.requires_grad_(False)

    def train(self, mode: bool = True) -> StudentWithAdapter:
        """Set the mode of all that learns."""
        super().train(mode)
        for part in self.fixed:
            part.eval()
        return self

    def forward(self, image: Tensor, teacher_features: Tensor | None = None) -> StudentOutput:
        """Images (N, channels, S, S), the teacher's features (N, C, h, w)."""
        features = self.student.encoder(image)
        adapted = self.adapter(features) if self.adapter is not None else None
        forward = self.student.head(teacher_features) if self.forward_injection else None
        return StudentOutput(self.student.refined(image, self.student.head(features)), features, adapted, forward)


class DistillationTask:
    """Pairs -> a landmark network, with or without a teacher.

    Parameters
    ----------
    config : LandmarkConfig
    teacher : LandmarkNet and its modality, optional
        In place of the checkpoint that the configuration names.

    Raises
    ------
    ValueError
        When the terms do not fit the networks.
    """

    def __init__(self, config: LandmarkConfig, teacher: tuple[LandmarkNet, str] | None = None):
        self.terms: list[Term] = read_terms(config.terms)
        self.weights = config.loss_weights
        wanted = {term.name for term in self.terms}
        student = landmark_net(config, config.pretrained)
        if config.start is not None:
            begin_with(student, config.start)
        self.teacher, teacher_modality = teacher or _load_teacher(config, wanted)
        if self.teacher is not None:
            self.teacher.eval().requires_grad_(False)
            _check_fit(student, self.teacher, wanted)
        adapter = conv(student.neck, self.teacher.neck, kernel=1) if self.teacher and "feature" in wanted else None
        self.network: nn.Module = StudentWithAdapter(student, adapter, "forward_injection" in wanted, config.learns)
        self.reverse_injection = "reverse_injection" in wanted
        other = teacher_modality if teacher_modality != config.modality else None
        frames = Path(config.frames) if config.frames is not None else None
        samples = open_samples(config.pairs, config, config.modality, other, frames, config.split, config.unlabelled)
        if samples.left_out:
            print(
                f"{config.pairs}: {samples.left_out} pairs without a {config.modality} image are left out", flush=True
            )
        self.training_set: Dataset[Any] = samples
        self.validation_set = PlainPairs(config, Path(config.validation), config.modality, config.validation_split)

    def loss(self, network: nn.Module, batch: dict[str, Tensor], progress: float = 0.0) -> dict[str, Tensor]:
        """The terms of the configuration, weighted."""
        inputs = self.loss_inputs(network, batch)
        return {term.name: term(inputs, progress) for term in self.terms}

    def loss_inputs(self, network: nn.Module, batch: dict[str, Tensor]) -> LossInputs:
        """What the terms are made of; ``network`` is a StudentWithAdapter or its parallel form."""
        has_teacher = batch["has_teacher"]
        if self.teacher is None:
            student: StudentOutput = network(batch["image"])
            return LossInputs(student.prediction, target_of(batch), has_teacher, weights=self.weights)
        self.teacher.to(batch["image"].device)
        with torch.no_grad():
            seen = batch.get("teacher_image", batch["image"])
            teacher_features = self.teacher.encoder(seen)
            teacher_prediction: Prediction = self.teacher.refined(seen, self.teacher.head(teacher_features))
        student = network(batch["image"], teacher_features)
        return LossInputs(
            prediction=student.prediction,
            target=target_of(batch, teacher_prediction),
            has_teacher=has_teacher,
            teacher_prediction=teacher_prediction,
            teacher_features=teacher_features,
            adapted_features=student.adapted_features,
            forward_prediction=student.forward_prediction,
            # gradients pass through the frozen head
            reverse_prediction=self.teacher.head(student.features) if self.reverse_injection else None,
            weights=self.weights,
        )

    def validate(self, network: nn.Module) -> dict[str, float]:
        """The student's ``landmark_metrics``."""
        assert isinstance(network, StudentWithAdapter)
        return landmark_metrics(network.student, self.validation_set)


@torch.no_grad()
def landmark_metrics(network: LandmarkNet, faces: PlainPairs) -> dict[str, float]:
    """Point errors in % of sqrt(w h) of the face box, on un-augmented faces at their true crops; of the points that are labelled.

    Returns
    -------
    dict with ``nme`` (the mean), ``nme51`` (that of the 51 inner points) and ``median`` (of the faces' means).
    """
    errors = []
    for start in range(0, len(faces), 250):
        samples = [faces.plain(k) for k in range(start, min(start + 250, len(faces)))]
        points = network(torch.from_numpy(np.stack([sample["image"] for sample in samples]))).points.numpy()
        truth, box = (np.stack([sample[key] for sample in samples]) for key in ("points", "box"))
        errors.append(np.linalg.norm(points - truth, axis=-1) / box[:, None] * 100)
    error = np.concatenate(errors)
    return {
        "nme": float(np.nanmean(error)),
        "nme51": float(np.nanmean(error[:, 17:])),
        "median": float(np.median(np.nanmean(error, axis=1))),
    }


def begin_with(student: LandmarkNet, start: str | Mapping[str, float]) -> None:
    """Give a network the weights of a checkpoint, or the mean of several, weighted by their shares.

    The mean of networks with a common ancestor keeps much of what each has learnt (Wortsman et al., "Robust fine-tuning of zero-shot
    models", CVPR 2022). Raises ValueError as `start_from`, and when a share is not positive.
    """
    shares = {start: 1.0} if isinstance(start, str) else start
    if not shares or min(shares.values()) <= 0:
        raise ValueError(f"start is {start}, expected a positive share for each checkpoint")
    mean: dict[str, Tensor] = {}
    for file, share in shares.items():
        start_from(student, Path(file))
        for name, value in student.state_dict().items():
            mean[name] = mean.get(name, torch.zeros(())) + value * (share / sum(shares.values()))
    student.load_state_dict(mean)


def start_from(student: LandmarkNet, file: Path) -> None:
    """Give a network the weights of a checkpoint of its shape; those of an RGB network to a thermal one, as if it saw grey.

    Of a network that is wider, it gets those of the channels that carry most (`narrowing.narrowed`).

    Raises
    ------
    ValueError
        When the checkpoint's network has another shape.
    """
    network = load_trained(file)[0]
    weights = (
        narrowed(network, student)
        if isinstance(network, LandmarkNet) and is_narrower(student, network)
        else network.state_dict()
    )
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


def _load_teacher(config: LandmarkConfig, wanted: set[str]) -> tuple[LandmarkNet | None, str | None]:
    if config.teacher is None:
        if wanted != {"task"}:
            raise ValueError(f"the terms {', '.join(sorted(wanted - {'task'}))} need a teacher")
        return None, None
    network, state = load_trained(Path(config.teacher))
    if not isinstance(network, LandmarkNet):
        raise ValueError(f"{config.teacher} is of task {state['config']['task']!r}, expected a landmark network")
    same = {key: (getattr(config, key), state["config"][key]) for key in ("size", "crop_scale")}
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
