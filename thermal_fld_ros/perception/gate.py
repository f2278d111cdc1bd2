# SPDX-License-Identifier: Apache-2.0
"""The one decision whether what the networks found is published as a face, and with which score."""

from __future__ import annotations

import math
from dataclasses import dataclass

from thermal_fld_ros.perception.models import Model, ModelError

LEAST_DETECTION = 0.02
"""Detector's score of a face where the detector sees none."""

_CLIP = 1e-4


@dataclass(frozen=True)
class Gate:
    """Logistic regression of "the points are right" on what the detector and the landmark network say.

    The score is the probability that a face's mean point error is below 10 % of sqrt(w h) of its box. The weights are fitted on
    rendered frames (`python -m thermal_fld_ros calibrate`) and lie in the landmark model's metadata, field "gate"; without that
    field the score is the landmark network's own.

    Attributes
    ----------
    detector : float
        Weight of the logit of the detector's score.
    landmarks : float
        Weight of the logit of the landmark network's score.
    bias : float
    """

    detector: float = 0.0
    landmarks: float = 1.0
    bias: float = 0.0

    def __call__(self, detection: float, presence: float) -> float:
        """Probability in [0, 1] from the detector's score and the landmark network's, both in [0, 1]."""
        value = self.detector * logit(detection) + self.landmarks * logit(presence) + self.bias
        return 1.0 / (1.0 + math.exp(-value))


def read_gate(model: Model) -> Gate:
    """The gate in a landmark model's metadata; raises ModelError where it is malformed."""
    if "gate" not in model.metadata:
        return Gate()
    gate = Gate(**{name: model.field(f"gate.{name}", float) for name in ("detector", "landmarks", "bias")})
    if not all(math.isfinite(value) for value in vars(gate).values()):
        raise ModelError(f'{model.path}: the metadata field "gate" is {vars(gate)}, expected finite numbers')
    return gate


def logit(probability: float) -> float:
    """Logarithm of the odds, of a probability that is kept off 0 and 1 by 1e-4."""
    kept = min(max(probability, _CLIP), 1.0 - _CLIP)
    return math.log(kept / (1.0 - kept))
