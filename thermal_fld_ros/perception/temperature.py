# SPDX-License-Identifier: Apache-2.0
"""Temperatures of named regions of a face."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.decoding import ThermalFrame
from thermal_fld_ros.perception.geometry import box_around

REGIONS = (
    "forehead",
    "nose",
    "left_cheek",
    "right_cheek",
    "left_periorbital",
    "right_periorbital",
    "mouth",
    "chin",
)
"""Left and right are the person's own."""

# A region is a square about a weighted mean of landmarks: {point: weight}, half side in shares of the face's size.
_CENTRES: tuple[dict[int, float], ...] = (
    {19: 1.0, 24: 1.0, 27: 1.0, 30: -1.0},  # above the brows by half the length of the nose's bridge
    {30: 1.0},
    {46: 1.0, 54: 1.0, 14: 0.5, 35: 0.5},
    {41: 1.0, 48: 1.0, 2: 0.5, 31: 0.5},
    {42: 1.0, 27: 0.15},
    {39: 1.0, 27: 0.15},
    {51: 1.0, 57: 1.0, 62: 1.0, 66: 1.0},
    {8: 1.0, 57: 1.0},
)
_HALF_SIDES = np.array([0.06, 0.04, 0.06, 0.06, 0.025, 0.025, 0.04, 0.04])

_WEIGHTS = np.zeros((len(REGIONS), 68))
for _row, _weights in zip(_WEIGHTS, _CENTRES, strict=True):
    for _point, _weight in _weights.items():
        _row[_point] = _weight
    _row /= _row.sum()
_STEPS = np.linspace(-1.0, 1.0, 5)
_GRID = np.stack(np.meshgrid(_STEPS, _STEPS), axis=-1).reshape(-1, 2)

UNKNOWN = dict.fromkeys(REGIONS, math.nan)


def region_temperatures(frame: ThermalFrame, points: NDArray[np.floating]) -> dict[str, float]:
    """Median temperatures of the `REGIONS` in degC.

    Each is the median of 25 pixels of a small square. It is a surface temperature as the camera reports it: emissivity, distance
    and glasses are not corrected.

    Parameters
    ----------
    frame : ThermalFrame
    points : (68, 2)
        In pixels of the incoming image.

    Returns
    -------
    dict of region name to degC; NaN where the unit is not radiometric or where most of the region is outside the image.
    """
    if not frame.unit.radiometric:
        return dict(UNKNOWN)
    width, height = box_around(points)[2:]
    half_sides = _HALF_SIDES * math.sqrt(max(width * height, 0.0))
    places = (_WEIGHTS @ points)[:, None] + half_sides[:, None, None] * _GRID
    places[..., 1] -= frame.top
    rows, columns = frame.pixels.shape
    x, y = np.rint(places).astype(np.intp).transpose(2, 0, 1)
    inside = (x >= 0) & (y >= 0) & (x < columns) & (y < rows)
    raw = frame.pixels[y.clip(0, rows - 1), x.clip(0, columns - 1)]
    middle = np.partition(raw, raw.shape[1] // 2, axis=1)[:, raw.shape[1] // 2]
    celsius = np.where(inside.mean(axis=1) > 0.5, frame.celsius(middle), np.float32(np.nan))
    return dict(zip(REGIONS, celsius.tolist(), strict=True))
