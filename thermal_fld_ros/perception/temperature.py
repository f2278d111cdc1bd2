# SPDX-License-Identifier: Apache-2.0
"""Temperatures of named regions of a face.

A region is a parallelogram that follows the landmarks. Its temperature is the mean of the largest set of pixels that agree: hair, the rim
of glasses, a finger or the background in a part of the region make a group of their own, which is left out as long as it is the smaller
one. Forehead and eye corners that are wholly covered are told by being far colder than the rest of the face.

It is the temperature of the skin's surface as the camera reports it. Emissivity and reflected temperature can be corrected; distance and
humidity are not, and what this is not for is said in docs/ergonomics.md.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.decoding import ThermalFrame

Weights = dict[int, float]

# Centre as a weighted mean of landmarks, then half the width in distances between the outer corners of the eyes (about 9 cm) and half the
# height in lengths of the nose (points 27 to 33, about 5 cm). Left and right are the person's own.
_SHAPES: dict[str, tuple[Weights, float, float]] = {
    "forehead": (
        {19: 1.0, 24: 1.0, 27: 1.0, 30: -1.0},
        0.22,
        0.2,
    ),  # above the brows by half the length of the nose's bridge
    "nose": ({30: 1.0}, 0.07, 0.09),  # the tip
    "nostrils": ({32: 0.3, 33: 0.4, 34: 0.3}, 0.12, 0.07),
    "upper_lip": ({33: 0.45, 51: 0.55}, 0.12, 0.05),
    "left_cheek": ({46: 1.0, 54: 1.0, 14: 0.5, 35: 0.5}, 0.1, 0.17),
    "right_cheek": ({41: 1.0, 48: 1.0, 2: 0.5, 31: 0.5}, 0.1, 0.17),
    "left_inner_canthus": ({42: 1.0, 27: 0.15}, 0.035, 0.06),
    "right_inner_canthus": ({39: 1.0, 27: 0.15}, 0.035, 0.06),
    "mouth": ({51: 1.0, 57: 1.0, 62: 1.0, 66: 1.0}, 0.1, 0.07),
    "chin": ({8: 1.0, 57: 1.0}, 0.1, 0.1),
}
REGIONS = tuple(_SHAPES)
UNKNOWN = dict.fromkeys(REGIONS, math.nan)

COVERABLE = ("forehead", "left_inner_canthus", "right_inner_canthus")
MOST_COLDER = 3.5
"""K below the median of the other regions at which one of these is covered: by hair, a hat, glasses."""
AGREE = 3.0
"""Standard deviations of the half of the pixels that lie closest together within which others agree with them."""
FLOOR = 0.1
"""K that always agree."""
HALF_WIDTH = 1.349
"""Width of the central half of a normal distribution in standard deviations."""
LEAST_REGION_INSIDE = 0.5
SAMPLES_ACROSS = 7
KELVIN = 273.15

_COUNT = SAMPLES_ACROSS * SAMPLES_ACROSS
_HALF = _COUNT // 2 + 1
_CENTRES = np.zeros((len(REGIONS), 68))
for _row, (_centre, _, _) in zip(_CENTRES, _SHAPES.values(), strict=True):
    _row[list(_centre)] = np.array(list(_centre.values())) / sum(_centre.values())
_HALVES = np.array([shape[1:] for shape in _SHAPES.values()])
_GRID = np.linspace(-1, 1, SAMPLES_ACROSS)
_ACROSS, _DOWN = _HALVES[:, :1] * np.tile(_GRID, SAMPLES_ACROSS), _HALVES[:, 1:] * np.repeat(_GRID, SAMPLES_ACROSS)
_COVERABLE = np.isin(REGIONS, COVERABLE)


@dataclass(frozen=True)
class Surface:
    """What of the radiation is the skin's own.

    Attributes
    ----------
    emissivity : float
        Above 0, at most 1; 1 leaves the camera's temperatures unchanged. Skin has 0.98; set it if the camera assumes 1.
    reflected : float
        degC of what the skin reflects: walls, usually the temperature of the room.
    """

    emissivity: float = 1.0
    reflected: float = 22.0

    def correct(self, celsius: NDArray[np.floating]) -> NDArray[np.float64]:
        """The temperatures of the surface itself by the Stefan-Boltzmann law, in degC."""
        seen = np.asarray(celsius, dtype=np.float64) + KELVIN
        own = (seen**4 - (1.0 - self.emissivity) * (self.reflected + KELVIN) ** 4) / self.emissivity
        return np.maximum(own, 0.0) ** 0.25 - KELVIN


@dataclass(frozen=True)
class RegionTemperature:
    """A region's temperature and what it rests on.

    Attributes
    ----------
    celsius : float
        degC, NaN where unknown.
    noise : float
        Standard deviation of the pixels that agree, K: the camera's noise and the skin's own differences.
    pixels : int
        How many different ones of the image these are.
    """

    celsius: float
    noise: float
    pixels: int


def region_temperatures(
    frame: ThermalFrame, points: NDArray[np.floating], surface: Surface = Surface()
) -> dict[str, RegionTemperature]:
    """Temperatures of the `REGIONS`.

    Parameters
    ----------
    frame : ThermalFrame
    points : (68, 2)
        In pixels of the incoming image.
    surface : Surface

    Returns
    -------
    dict of region name to temperature; unknown where the unit is not radiometric, where most of the region is outside of the image, and
    where forehead or eye corners are covered.
    """
    if not frame.unit.radiometric:
        return dict.fromkeys(REGIONS, RegionTemperature(math.nan, math.nan, 0))
    rows, columns = frame.pixels.shape
    x, y = _places(np.asarray(points, np.float64))
    y -= frame.top
    inside = (x >= 0) & (y >= 0) & (x < columns) & (y < rows)
    if not inside.all():
        x, y = x.clip(0, columns - 1), y.clip(0, rows - 1)
    values = frame.celsius(frame.pixels[y, x]).astype(np.float64)
    if surface.emissivity != 1.0:
        values = surface.correct(values)
    agree = _agreeing(values) & inside
    counts = agree.sum(axis=1)
    safe = np.maximum(counts, 1)
    means = np.where(agree, values, 0.0).sum(axis=1) / safe
    noise = np.sqrt(np.where(agree, np.square(values - means[:, None]), 0.0).sum(axis=1) / safe)
    known = (inside.mean(axis=1) > LEAST_REGION_INSIDE) & (counts > 0)
    skin = means[known & ~_COVERABLE]
    if len(skin):
        known &= ~_COVERABLE | (means > statistics.median(skin.tolist()) - MOST_COLDER)
    pixels = _different(np.where(agree, y * columns + x, -1))
    return {
        name: RegionTemperature(mean, spread, count) if seen else RegionTemperature(math.nan, math.nan, 0)
        for name, mean, spread, count, seen in zip(
            REGIONS, means.tolist(), noise.tolist(), pixels.tolist(), known.tolist(), strict=True
        )
    }


def _places(points: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Columns and rows of the pixels of each region, (regions, samples) each."""
    centres = _CENTRES @ points
    width, height = points[45] - points[36], points[33] - points[27]
    x, y = (
        np.rint(centres[:, axis, None] + _ACROSS * width[axis] + _DOWN * height[axis]).astype(np.intp)
        for axis in (0, 1)
    )
    return x, y


def _agreeing(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which values of each row agree with the half of them that lies closest together (the shorth, Rousseeuw and Leroy 1988)."""
    ordered = np.sort(values, axis=1)
    widths = ordered[:, _HALF - 1 :] - ordered[:, : _COUNT - _HALF + 1]
    first = widths.argmin(axis=1)
    rows = np.arange(len(values))
    low, high = ordered[rows, first], ordered[rows, first + _HALF - 1]
    reach = np.maximum(AGREE * (high - low) / HALF_WIDTH, FLOOR)
    agree: NDArray[np.bool_] = np.abs(values - ((low + high) / 2)[:, None]) <= reach[:, None]
    return agree


def _different(numbers: NDArray[np.intp]) -> NDArray[np.intp]:
    """How many different numbers from 0 on each row holds."""
    ordered = np.sort(numbers, axis=1)
    fresh = np.ones(ordered.shape, np.bool_)
    fresh[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    count: NDArray[np.intp] = (fresh & (ordered >= 0)).sum(axis=1)
    return count
