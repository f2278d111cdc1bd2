# SPDX-License-Identifier: Apache-2.0
"""The terms of a distillation's loss and the decays of their weights; docs/distillation.md gives the formulas.

A configuration names them: ``terms: {task: {weight: 1}, reverse_injection: {weight: 1, decay: cosine}}``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from thermal_fld_ros.distillation.networks import Prediction, confidence
from thermal_fld_ros.distillation.tasks import landmark_losses, score_loss


class Target(NamedTuple):
    """What N crops show.

    Attributes
    ----------
    points : (N, 68, 2)
        In units of the crop's side, origin in its middle.
    weight : (N, 68)
        What a label is worth (1, if nothing else is said), the teacher's confidence for a point of the teacher's, 0 where nothing is
        known.
    box : (N,)
        sqrt(w h) of the box around the points.
    face : (N,)
        1 where there is a face.
    """

    points: Tensor
    weight: Tensor
    box: Tensor
    face: Tensor


class Lesson(NamedTuple):
    """All that the terms of N samples are made of; None: what no term of the configuration needs.

    Attributes
    ----------
    found : Prediction
        The student's, for its own images.
    target : Target
    taught : (N,)
        1 where the teacher had an image.
    taken : Prediction or None
        The frozen teacher's.
    features : (N, C, h, w) or None
        The teacher's.
    adapted : (N, C, h, w) or None
        The student's features, brought to the teacher's width by the adapter.
    forward : Prediction or None
        The student's head on the teacher's features.
    reverse : Prediction or None
        The teacher's frozen head on the student's features.
    """

    found: Prediction
    target: Target
    taught: Tensor
    taken: Prediction | None = None
    features: Tensor | None = None
    adapted: Tensor | None = None
    forward: Prediction | None = None
    reverse: Prediction | None = None


def task(lesson: Lesson) -> Tensor:
    """The student against the labels: points, their spread, their distributions, and whether they are right."""
    target = lesson.target
    return supervised(lesson.found, target) + score_loss(
        lesson.found, target.points, target.box, target.weight, target.face
    )


def feature(lesson: Lesson) -> Tensor:
    """Squared difference of the features, over the squared length of the teacher's (after FitNets, Romero et al., 2015)."""
    assert lesson.adapted is not None and lesson.features is not None
    wanted = lesson.features.float()
    difference = (lesson.adapted.float() - wanted).square().sum((1, 2, 3))
    return masked_mean(difference / wanted.square().sum((1, 2, 3)).clamp(min=1e-6), lesson.taught)


def output(lesson: Lesson) -> Tensor:
    """Kullback-Leibler divergence of the coordinate distributions from the teacher's (after Hinton et al., 2015), in nats."""
    assert lesson.taken is not None
    wanted = lesson.taken.distribution.log_softmax(-1)
    divergence = (wanted.exp() * (wanted - lesson.found.distribution.log_softmax(-1))).sum(-1)
    return masked_mean(divergence.mean((1, 2)), lesson.taught * lesson.target.face)


def forward_injection(lesson: Lesson) -> Tensor:
    """The student's head on the teacher's features, against the labels."""
    assert lesson.forward is not None
    weight = lesson.target.weight * lesson.taught[:, None]
    return supervised(lesson.forward, lesson.target._replace(weight=weight))


def reverse_injection(lesson: Lesson) -> Tensor:
    """The teacher's frozen head on the student's features, against the labels."""
    assert lesson.reverse is not None
    return supervised(lesson.reverse, lesson.target)


TERMS: dict[str, Callable[[Lesson], Tensor]] = {
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

    def __call__(self, lesson: Lesson, progress: float) -> Tensor:
        """The weighted value, when a share of the training is done."""
        return TERMS[self.name](lesson) * (self.weight * DECAYS[self.decay](progress))


def read_terms(config: dict[str, dict[str, Any]]) -> list[Term]:
    """The terms of a configuration; the task's weight stays constant unless it says otherwise, the others' is time-adaptive.

    Raises
    ------
    ValueError
        When a term or a decay is unknown, a term has no weight, or the task is missing.
    """
    terms = []
    for name, settings in config.items():
        known = TERMS if name not in TERMS else DECAYS
        decay = settings.get("decay", "constant" if name == "task" else "time_adaptive")
        if name not in TERMS or decay not in DECAYS:
            raise ValueError(f'term "{name}" with decay "{decay}": expected one of {", ".join(known)}')
        if set(settings) - {"weight", "decay"} or not settings.get("weight", 0) > 0:
            raise ValueError(f'term "{name}": {settings}, expected a weight above 0 and perhaps a decay')
        terms.append(Term(name, float(settings["weight"]), decay))
    if "task" not in config:
        raise ValueError(f'the terms are {", ".join(config)}, expected "task" among them')
    return terms


def supervised(found: Prediction, target: Target) -> Tensor:
    """What any head says, against the labels."""
    losses = landmark_losses(found, target.points, target.box, target.weight)
    return torch.stack(list(losses.values())).sum()


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of values (N,) where the mask (N,) is 1; 0 where it never is."""
    return (values * mask).sum() / mask.sum().clamp(min=1)


def target_of(batch: dict[str, Tensor], taught: Tensor, taken: Prediction | None) -> Target:
    """Labels, and the teacher's points with their confidence where there is no label, or one that is worth nothing.

    Parameters
    ----------
    batch : with ``points`` (N, 68, 2), ``known`` (N, 68), ``face`` (N,)
    taught : (N,)
    taken : Prediction or None
        The teacher's.
    """
    points, weight = batch["points"], batch["known"]
    if taken is not None:
        points = torch.where(weight[..., None] > 0, points, taken.points.float())
        said = confidence(taken.log_spread.float())
        weight = torch.where(weight > 0, weight, said * (taught * batch["face"])[:, None])
    extent = points.amax(1) - points.amin(1)
    return Target(points, weight, extent.prod(-1).sqrt().clamp(min=0.05), batch["face"])
