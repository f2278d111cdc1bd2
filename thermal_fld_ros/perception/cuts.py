# SPDX-License-Identifier: Apache-2.0
"""Cuts: frames that do not go on from the last one, because a recording ends, a folder mixes scenes, or a camera is switched."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.decoding import ThermalFrame

LEAST_CORRELATION = 0.8
MOST_SHIFT = 0.08
"""Set on renders: between frames of one clip the quantiles hardly shift, between portraits of different people in one place they do."""
_GRID = 32
_QUANTILES = np.linspace(0.02, 0.98, 17)


class CutDetector:
    """Tells a frame of another scene from the next frame of the same one.

    Two things must have changed: where it is warm (correlation of a coarse grid of pixels below `LEAST_CORRELATION`), which a quick
    movement does too, and how warm it is (mean shift of the quantiles, above `MOST_SHIFT` of their range), which a new range
    of the camera's gain control does too. A body that fills a fifth of the image or more from one frame to the next does both and counts
    as a cut: faces beside it get new ids. Two people photographed in one place look alike to that, so there is no telling them apart here.
    """

    def __init__(self) -> None:
        self._last: NDArray[np.float32] | None = None

    def update(self, frame: ThermalFrame) -> bool:
        """Whether the next frame shows another scene than the last one."""
        grid = _grid(frame)
        last, self._last = self._last, grid
        if last is None or last.shape != grid.shape:
            return False
        return _correlation(last, grid) < LEAST_CORRELATION and _shift(last, grid) > MOST_SHIFT


def likeness(one: ThermalFrame, other: ThermalFrame) -> float:
    """Correlation of two frames on a coarse grid of pixels, -1 to 1; 0 where their sizes differ."""
    first, second = _grid(one), _grid(other)
    return _correlation(first, second) if first.shape == second.shape else 0.0


def _grid(frame: ThermalFrame) -> NDArray[np.float32]:
    height, width = frame.pixels.shape
    return frame.pixels[:: max(1, height // _GRID), :: max(1, width // _GRID)].astype(np.float32)


def _correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    a, b = (one - one.mean()).ravel(), (other - other.mean()).ravel()
    return float(a @ b) / (math.sqrt(float(a @ a) * float(b @ b)) + 1e-9)


def _shift(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    a, b = np.quantile(one, _QUANTILES), np.quantile(other, _QUANTILES)
    return float(np.abs(a - b).mean() / (max(np.ptp(a), np.ptp(b)) + 1e-9))
