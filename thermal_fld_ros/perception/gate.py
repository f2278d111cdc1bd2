# SPDX-License-Identifier: Apache-2.0
"""The one decision whether what the networks found is published as a face, and with which score."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from thermal_fld_ros.perception.models import Model, ModelError

LEAST_DETECTION = 0.02
"""Detector's score of a face where the detector sees none."""

LEAST_MOVED = 1e-3
"""Movement between two looks, in sizes of the face, that counts as none."""

_CLIP = 1e-4


@dataclass(frozen=True)
class Gate:
    """Logistic regression of "the points are right" on what the detector and the landmark network say.

    The score is the probability that a face's mean point error is below 10 % of sqrt(w h) of its box.

    Attributes
    ----------
    detector : float
        Weight of the logit of the detector's score.
    landmarks : float
        Weight of the logit of the landmark network's score.
    moved : float
        Weight of the logarithm of `SecondLook.moved`.
    bias : float
    """

    detector: float = 0.0
    landmarks: float = 1.0
    moved: float = 0.0
    bias: float = 0.0

    def __call__(self, detection: float, presence: float, moved: float = 1.0) -> float:
        """Probability in [0, 1] from the detector's score and the landmark network's, both in [0, 1], and how far the points moved."""
        value = self.detector * logit(detection) + self.landmarks * logit(presence) + self.bias
        value += self.moved * log_moved(moved)
        return 1.0 / (1.0 + math.exp(-value))


@dataclass(frozen=True)
class FaceGates:
    """Those of new and of followed faces.

    Their weights are fitted on rendered frames (`python -m thermal_fld_ros calibrate`) and lie in the landmark model's metadata, field
    "gate"; without that field the score is the landmark network's own.

    Attributes
    ----------
    first : Gate
        Of a detection, which the landmark network looks at twice.
    followed : Gate
        Of a face in the frames after that, where `moved` is not known.
    """

    first: Gate = Gate()
    followed: Gate = Gate()


def read_gates(model: Model) -> FaceGates:
    """The gates in a landmark model's metadata; raises ModelError where they are malformed."""
    if "gate" not in model.metadata:
        return FaceGates()
    weights = [each.name for each in fields(Gate)]
    gates = FaceGates(
        *(
            Gate(**{name: model.field(f"gate.{kind.name}.{name}", float) for name in weights})
            for kind in fields(FaceGates)
        )
    )
    if not all(math.isfinite(value) for gate in (gates.first, gates.followed) for value in vars(gate).values()):
        raise ModelError(
            f'{model.path}: the metadata field "gate" is {model.metadata["gate"]}, expected finite numbers'
        )
    return gates


def logit(probability: float) -> float:
    """Logarithm of the odds, of a probability that is kept off 0 and 1 by 1e-4."""
    kept = min(max(probability, _CLIP), 1.0 - _CLIP)
    return math.log(kept / (1.0 - kept))


def log_moved(moved: float) -> float:
    """Logarithm of a movement of points in sizes of the face, which is at most 1 here."""
    return math.log(min(max(moved, LEAST_MOVED), 1.0))
