# SPDX-License-Identifier: Apache-2.0
"""Whether anything has moved in a scene since it was last searched: far cheaper than searching it again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.decoding import ThermalFrame

OUTSTANDING = 6.0
"""Standard deviations of the blocks' changes above which one of them is more than noise."""
_BLOCKS = 32
"""About as many along the longer side of the image."""
_SIDE = 4
"""Pixels of the subsample on a side of a block: their mean has a quarter of a pixel's noise."""


class MotionDetector:
    """Compares frames with the one that was last searched.

    The frame is reduced to means of coarse blocks. Their common change, which a camera's drift or gain control makes, is taken
    off. What the median block still changes by is noise, and so the test needs no unit and no threshold in kelvins. It misses what is
    much smaller than a block and may miss anything while the whole image moves: who relies on it searches now and then all the same.
    """

    def __init__(self) -> None:
        self._searched: NDArray[np.float32] | None = None

    def remember(self, frame: ThermalFrame) -> None:
        """Take this frame as the one that was searched."""
        self._searched = _blocks(frame)

    def moved(self, frame: ThermalFrame) -> bool:
        """Whether a part of the image has changed more than the rest since the frame that was searched, if any."""
        blocks, last = _blocks(frame), self._searched
        if last is None or last.shape != blocks.shape:
            return True
        change = blocks - last
        change = np.abs(change - np.median(change))
        return float(change.max()) > OUTSTANDING * 1.4826 * float(np.median(change))


def _blocks(frame: ThermalFrame) -> NDArray[np.float32]:
    """Means of square blocks of a regular subsample of the pixels."""
    step = max(1, round(max(frame.pixels.shape) / (_BLOCKS * _SIDE)))
    samples = frame.pixels[::step, ::step].astype(np.float32)
    rows, columns = (max(1, length // _SIDE) for length in samples.shape)
    samples = samples[: rows * _SIDE, : columns * _SIDE]
    if samples.size < rows * columns * _SIDE * _SIDE:  # an image of fewer than four pixels on a side
        return samples
    blocks: NDArray[np.float32] = samples.reshape(rows, _SIDE, columns, _SIDE).mean(axis=(1, 3))
    return blocks
