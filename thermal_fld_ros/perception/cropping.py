# SPDX-License-Identifier: Apache-2.0
"""Where a landmark network looks, and how often: a square around a box or around landmarks, with the head's roll taken out.

Training uses these functions too, so the network sees crops of one kind only. Angles are radians, positive where the face is
turned clockwise on the screen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermal_fld_ros.perception.geometry import Affine, box_around

# Means of many points, far apart: steady against the errors of single points.
UPPER_FACE = np.r_[17:27, 36:48]  # brows and eyes
LOWER_FACE = np.r_[48:68, 6:11]  # mouth and chin


class HasPoints(Protocol):
    """What a landmark network finds in a crop."""

    @property
    def points(self) -> NDArray[Any]:
        """Points (68, 2) in upright pixels."""


Looked = TypeVar("Looked", bound=HasPoints)

DOWN = np.zeros(68)
"""Weights of the 68 points in the vector from the upper to the lower face."""
DOWN[LOWER_FACE] = 1.0 / len(LOWER_FACE)
DOWN[UPPER_FACE] = -1.0 / len(UPPER_FACE)


def crop_from_box(box: ArrayLike, size: int, scale: float, angle: float = 0.0) -> Affine:
    """The square crop around a face box.

    Parameters
    ----------
    box : (4,)
        x, y, width, height in upright pixels.
    size : int
        Side of the crop in its own pixels.
    scale : float
        Side of the crop over the longer side of the box.
    angle : float
        Roll of the face in radians, clockwise; the face stands upright in the crop.

    Returns
    -------
    Affine from crop pixels to upright pixels. Raises ValueError for a box without extent or with values that are not finite.
    """
    x, y, width, height = np.asarray(box, dtype=np.float64).tolist()
    return _square((x + width / 2, y + height / 2), max(width, height), size, scale, angle)


def crop_from_points(points: ArrayLike, size: int, scale: float) -> Affine:
    """The square crop around 68 landmarks (68, 2) in upright pixels, turned by their roll; see `crop_from_box`."""
    array = np.asarray(points, dtype=np.float64)
    angle = roll_from_points(array)
    c, s = math.cos(angle), math.sin(angle)
    x, y, width, height = box_around(array @ np.array([[c, -s], [s, c]])).tolist()  # as if the head stood upright
    x, y = x + width / 2, y + height / 2
    return _square((c * x - s * y, s * x + c * y), max(width, height), size, scale, angle)


def look_twice(
    look: Callable[[list[Affine]], Sequence[Looked]],
    boxes: Iterable[ArrayLike],
    size: int,
    scale: float,
    goes_on: Callable[[Affine, Looked], bool] = lambda crop, found: True,
) -> list[tuple[Affine, Looked] | None]:
    """What a landmark network finds in face boxes: it looks at each box, and then once more about its own points there.

    Parameters
    ----------
    look : function
        From crops (crop to upright pixels) to what is found in each, whose ``points`` (68, 2) are upright pixels.
    boxes : iterable of (4,)
        x, y, width, height in upright pixels.
    size, scale
        See `crop_from_box`.
    goes_on : function of the first crop and of what was found in it
        Whether that is worth a second look.

    Returns
    -------
    list of (crop, found in it) of the second look; None where there was none, also because the first points span no crop.
    """
    crops = [crop_from_box(box, size, scale) for box in boxes]
    second: dict[int, Affine] = {}
    for index, (crop, found) in enumerate(zip(crops, look(crops), strict=True)):
        if goes_on(crop, found):
            with suppress(ValueError):
                second[index] = crop_from_points(found.points, size, scale)
    results: list[tuple[Affine, Looked] | None] = [None] * len(crops)
    again = list(second.values())
    for index, crop, found in zip(second, again, look(again), strict=True):
        results[index] = crop, found
    return results


def roll_from_points(points: ArrayLike) -> float:
    """Roll of a face in radians from 68 landmarks (68, 2): the line from brows and eyes to mouth and chin against the vertical."""
    right, down = (DOWN @ np.asarray(points, dtype=np.float64)).tolist()
    return math.atan2(-right, down)


def _square(centre: tuple[float, float], extent: float, size: int, scale: float, angle: float) -> Affine:
    side = extent * scale
    if not (math.isfinite(side) and side > 0.0 and math.isfinite(centre[0]) and math.isfinite(centre[1])):
        raise ValueError(f"cannot crop around the centre {centre} with a side of {side} pixels")
    middle = (size - 1) / 2
    return Affine.similarity(side / size, angle, (middle, middle), centre)
