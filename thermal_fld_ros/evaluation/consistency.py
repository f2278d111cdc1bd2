# SPDX-License-Identifier: Apache-2.0
"""How far a landmark network agrees with itself on a face: it looks through several crops, mirrored ones among them.

Agreement needs no labels. It says how steady a network is, and not how right: an error that all crops share it does not see.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.cropping import crop_from_points
from thermal_fld_ros.perception.decoding import ThermalFrame
from thermal_fld_ros.perception.geometry import Affine, extent
from thermal_fld_ros.perception.landmarker import Landmarker
from thermal_fld_ros.synthesis.morphable import MIRROR68

VIEWS = (
    (1.0, 0.0, 0.0, 0.0),
    (0.9, 0.0, 0.0, 0.0), (1.12, 0.0, 0.0, 0.0),
    (1.0, 8.0, 0.0, 0.0), (1.0, -8.0, 0.0, 0.0),
    (1.0, 0.0, 0.04, 0.0), (1.0, 0.0, -0.04, 0.0), (1.0, 0.0, 0.0, 0.04), (1.0, 0.0, 0.0, -0.04),
)  # fmt: skip
"""Zoom, turn in degrees, and shift in x and y in sides of the crop, of each crop against the one about the face; each is mirrored, too."""

SPREAD_LIMIT = 0.03
"""Disagreement of the crops, in units of the face's size, by which a label's worth falls to 0.6 of the confidence."""


class Looks(NamedTuple):
    """What a network sees of a face in all crops together.

    Attributes
    ----------
    points : (68, 2) float64
        Upright pixels: the means, weighted by the confidence of each crop.
    confidence : (68,) float64
        The mean.
    spread : (68,) float64
        Of the crops' points about these: root of the mean squared distance, in units of sqrt(w h) of the face's box.
    """

    points: NDArray[np.float64]
    confidence: NDArray[np.float64]
    spread: NDArray[np.float64]


def many_looks(landmarker: Landmarker, frame: ThermalFrame, points: NDArray[np.float64]) -> Looks:
    """Look at the face with points (68, 2), in upright pixels, through all crops; raises ValueError where they make no crop."""
    size, middle = landmarker.size, (landmarker.size - 1) / 2
    base = crop_from_points(points, size, landmarker.crop_scale)
    flip = Affine(np.array([[-1.0, 0.0, size - 1], [0.0, 1.0, 0.0]]))
    crops = [
        base @ Affine.similarity(zoom, math.radians(turn), (middle, middle), (middle + x * size, middle + y * size))
        for zoom, turn, x, y in VIEWS
    ]
    found = landmarker(frame, [*crops, *(crop @ flip for crop in crops)])
    plain, mirrored = found[: len(crops)], found[len(crops) :]
    each = np.stack([one.points for one in plain] + [one.points[MIRROR68] for one in mirrored])
    sure = np.stack([one.confidence for one in plain] + [one.confidence[MIRROR68] for one in mirrored]).astype(float)
    weight = np.maximum(sure, 0.01)[..., None]
    mean = (each * weight).sum(axis=0) / weight.sum(axis=0)
    spread = np.sqrt(np.square(each - mean).sum(axis=-1).mean(axis=0)) / extent(mean)
    return Looks(mean, sure.mean(axis=0), spread)


def worth_of(looks: Looks) -> NDArray[np.float64]:
    """What points are worth as labels, (68,) in [0, 1]: their confidence, lessened where the crops disagree by about SPREAD_LIMIT."""
    worth: NDArray[np.float64] = looks.confidence * np.exp(-0.5 * np.square(looks.spread / SPREAD_LIMIT))
    return worth
