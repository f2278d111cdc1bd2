# SPDX-License-Identifier: Apache-2.0
"""The terms of a distillation's loss and the decays of their weights; docs/distillation.md gives the formulas.

A configuration names them: ``terms: {task: {weight: 1}, reverse_injection: {weight: 1, decay: cosine}}``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from thermal_fld_ros.distillation.config import LossWeights, TermConfig
from thermal_fld_ros.distillation.losses import Target, landmark_loss, score_loss
from thermal_fld_ros.distillation.networks import Prediction, confidence


class LossInputs(NamedTuple):
    """All that the terms of N samples are made of; None: what no term of the configuration needs.

    Attributes
    ----------
    prediction : Prediction
        The student's, for its own images.
    target : Target
    has_teacher : (N,)
        1 where the teacher had an image.
    teacher_prediction : Prediction or None
        The frozen teacher's.
    teacher_features : (N, C, h, w) or None
    adapted_features : (N, C, h, w) or None
        The student's features, brought to the teacher's width by the adapter.
    forward_prediction : Prediction or None
        The student's head on the teacher's features.
    reverse_prediction : Prediction or None
        The teacher's frozen head on the student's features.
    weights : LossWeights
        Of the parts of what a head is taught by labels.
    """

    prediction: Prediction
    target: Target
    has_teacher: Tensor
    teacher_prediction: Prediction | None = None
    teacher_features: Tensor | None = None
    adapted_features: Tensor | None = None
    forward_prediction: Prediction | None = None
    reverse_prediction: Prediction | None = None
    weights: LossWeights = LossWeights()


def task(inputs: LossInputs) -> Tensor:
    """The student against the labels: points, their spread, their distributions, and whether they are right."""
    score = score_loss(inputs.prediction, inputs.target) * inputs.weights.score
    return landmark_loss(inputs.prediction, inputs.target, inputs.weights) + score


def feature(inputs: LossInputs) -> Tensor:
    """Squared difference of the features, over the squared length of the teacher's (after FitNets, Romero et al., 2015)."""
    assert inputs.adapted_features is not None and inputs.teacher_features is not None
    wanted = inputs.teacher_features.float()
    difference = (inputs.adapted_features.float() - wanted).square().sum((1, 2, 3))
    return masked_mean(difference / wanted.square().sum((1, 2, 3)).clamp(min=1e-6), inputs.has_teacher)


def output(inputs: LossInputs) -> Tensor:
    """Kullback-Leibler divergence of the coordinate distributions from the teacher's (after Hinton et al., 2015), in nats."""
    assert inputs.teacher_prediction is not None
    wanted = inputs.teacher_prediction.distribution.log_softmax(-1)
    divergence = (wanted.exp() * (wanted - inputs.prediction.distribution.log_softmax(-1))).sum(-1)
    return masked_mean(divergence.mean((1, 2)), inputs.has_teacher * inputs.target.face)


def forward_injection(inputs: LossInputs) -> Tensor:
    """The student's head on the teacher's features, against the labels."""
    assert inputs.forward_prediction is not None
    weight = inputs.target.weight * inputs.has_teacher[:, None]
    return landmark_loss(inputs.forward_prediction, inputs.target._replace(weight=weight), inputs.weights)


def reverse_injection(inputs: LossInputs) -> Tensor:
    """The teacher's frozen head on the student's features, against the labels."""
    assert inputs.reverse_prediction is not None
    return landmark_loss(inputs.reverse_prediction, inputs.target, inputs.weights)


TERMS: dict[str, Callable[[LossInputs], Tensor]] = {
    term.__name__: term for term in (task, feature, output, forward_injection, reverse_injection)
}

# The weight's factor when a share t of the training is done, from 0 to 1.
DECAYS: dict[str, Callable[[float], float]] = {
    "constant": lambda t: 1.0,
    "linear": lambda t: 1.0 - t,
    "cosine": lambda t: 0.5 + 0.5 * math.cos(math.pi * t),
    "exponential": lambda t: math.exp(-5.0 * t),
    "time_adaptive": lambda t: (1.0 - t) ** (2.0 * t) if t < 1.0 else 0.0,
}


@dataclass(frozen=True)
class Term:
    """One term of a loss: its name in TERMS, its weight, and the name in DECAYS of how the weight decays."""

    name: str
    weight: float
    decay: str

    def __call__(self, inputs: LossInputs, progress: float) -> Tensor:
        """The weighted value, when a share of the training is done."""
        return TERMS[self.name](inputs) * (self.weight * DECAYS[self.decay](progress))


def read_terms(config: Mapping[str, TermConfig]) -> list[Term]:
    """The terms of a configuration; the task's weight stays constant unless it says otherwise, the others' is time-adaptive.

    Raises
    ------
    ValueError
        When a term or a decay is unknown, a weight is not above 0, or the task is missing.
    """
    terms = []
    for name, term in config.items():
        decay = term.decay or ("constant" if name == "task" else "time_adaptive")
        for value, known in ((name, TERMS), (decay, DECAYS)):
            if value not in known:
                raise ValueError(f'term "{name}" with decay "{decay}": expected one of {", ".join(known)}')
        if not term.weight > 0:
            raise ValueError(f'term "{name}": weight is {term.weight}, expected a number above 0')
        terms.append(Term(name, term.weight, decay))
    if "task" not in config:
        raise ValueError(f'the terms are {", ".join(config)}, expected "task" among them')
    return terms


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of values (N,) where the mask (N,) is 1; 0 where it never is."""
    return (values * mask).sum() / mask.sum().clamp(min=1)


def target_of(batch: dict[str, Tensor], teacher_prediction: Prediction | None = None) -> Target:
    """Labels, and the teacher's points with their confidence where there is no label, or one that is worth nothing.

    Parameters
    ----------
    batch : with ``points`` (N, 68, 2), ``label_weight`` (N, 68), ``face`` (N,), ``has_teacher`` (N,)
    teacher_prediction : Prediction, optional
    """
    points, weight = batch["points"], batch["label_weight"]
    if teacher_prediction is not None:
        points = torch.where(weight[..., None] > 0, points, teacher_prediction.points.float())
        teacher_weight = confidence(teacher_prediction.log_spread.float())
        weight = torch.where(weight > 0, weight, teacher_weight * (batch["has_teacher"] * batch["face"])[:, None])
    extent = points.amax(1) - points.amin(1)
    return Target(points, weight, extent.prod(-1).sqrt().clamp(min=0.05), batch["face"])
