# SPDX-License-Identifier: Apache-2.0
"""Frames from a closed shutter.

Thermal cameras close a shutter every few minutes to correct themselves (FFC, NUC). For about a second they then repeat the
last frame or deliver a flat one; neither shows the scene.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.decoding import ThermalFrame

LONGEST_CLOSURE = 3.0
"""Seconds after which unchanged frames are taken for what they are: a still or uniform scene, a simulator without noise."""

REPEATS = 2
FLAT_SHARE = 0.05
_GRID = 64


class ShutterState(Enum):
    """What a frame shows: the scene, the last frame once more, or nothing."""

    LIVE = "live"
    FROZEN = "frozen"
    FLAT = "flat"


class ShutterDetector:
    """Tells frozen and flat frames from live ones.

    - *frozen*: 16-bit or floating-point pixels equal to the last frame's, bit by bit, for the second time running. The noise of a
      live sensor makes that impossible; 8-bit gain control does not, so 8-bit frames are never called frozen.
    - *flat*: the range of values falls below 5 % of that of the live frames before.

    Either lasts at most `LONGEST_CLOSURE` seconds; after that frames are live until they have changed.
    """

    def __init__(self) -> None:
        self._last: NDArray[Any] | None = None
        self._repeats = 0
        self._spread = 0.0
        self._closed_since: float | None = None

    def update(self, frame: ThermalFrame, stamp: float) -> ShutterState:
        """State of the next frame; `stamp` in seconds."""
        height, width = frame.pixels.shape
        samples = frame.pixels[:: max(1, height // _GRID), :: max(1, width // _GRID)].copy()
        state = self._judge(samples)
        self._last = samples
        if state is ShutterState.LIVE:
            self._closed_since = None
            return state
        if self._closed_since is None or stamp < self._closed_since:
            self._closed_since = stamp
        if stamp - self._closed_since <= LONGEST_CLOSURE:
            return state
        if state is ShutterState.FLAT:  # the scene has changed for good
            self._spread = 0.0
        return ShutterState.LIVE

    def _judge(self, samples: NDArray[Any]) -> ShutterState:
        same = samples.dtype != np.uint8 and self._last is not None and np.array_equal(samples, self._last)
        self._repeats = self._repeats + 1 if same else 0
        if self._repeats >= REPEATS:
            return ShutterState.FROZEN
        # The whole range, not percentiles of it: a small face before an even wall is a live scene.
        spread = float(samples.max()) - float(samples.min())
        if spread < FLAT_SHARE * self._spread:
            return ShutterState.FLAT
        self._spread = spread if self._spread == 0.0 else 0.9 * self._spread + 0.1 * spread
        return ShutterState.LIVE
