# SPDX-License-Identifier: Apache-2.0
"""Frames from a closed shutter.

Thermal cameras close a shutter every few minutes to correct themselves (FFC, NUC). For about a second they then repeat the
last frame or deliver a flat one; neither shows the scene. A camera that is slower than its transport repeats frames too, but
never longer than until its next one: a 9 Hz Lepton behind a PureThermal board sends each image three times.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.decoding import ThermalFrame

LONGEST_CLOSURE = 3.0
"""Seconds after which unchanged frames are taken for what they are: a still or uniform scene, a simulator without noise."""

USUAL_FRAME_TIME = 0.125
"""Seconds between two images of a camera until it has shown its own: those for export have 9 a second, some a little less."""

LATE = 1.5
"""Frame times that an image may stay; one that stays longer is frozen."""

FLAT_SHARE = 0.05
_GRID = 64
_MEMORY = 15
_LEAST_MEMORY = 3


class ShutterState(Enum):
    """What a frame shows: the scene, the scene of the last frame that the camera sends once more, an old scene, or nothing."""

    LIVE = "live"
    REPEATED = "repeated"
    FROZEN = "frozen"
    FLAT = "flat"

    @property
    def closed(self) -> bool:
        """Whether the frame does not show the present scene."""
        return self in (ShutterState.FROZEN, ShutterState.FLAT)


class ShutterDetector:
    """Tells frozen and flat frames, and repeats, from live ones.

    - *repeated*: 16-bit or floating-point pixels equal to the last frame's, bit by bit, no longer than 1.5 times the camera's usual
      time between two images, which is the median of the last ones. The noise of a live sensor makes equal pixels impossible; 8-bit
      gain control does not, so 8-bit frames are never called repeated or frozen.
    - *frozen*: the same for longer.
    - *flat*: the range of values falls below 5 % of that of the live frames before.

    Frozen and flat last at most `LONGEST_CLOSURE` seconds; after that frames are live until they have changed.
    """

    def __init__(self) -> None:
        self._last: NDArray[Any] | None = None
        self._state = ShutterState.LIVE
        self._changed = 0.0
        self._frame_times: deque[float] = deque(maxlen=_MEMORY)
        self._spread = 0.0
        self._closed_since: float | None = None

    @property
    def frame_time(self) -> float:
        """Seconds between two images of the camera, however often it sends each."""
        times = self._frame_times
        return float(np.median(times)) if len(times) >= _LEAST_MEMORY else USUAL_FRAME_TIME

    def update(self, frame: ThermalFrame, stamp: float) -> ShutterState:
        """State of the next frame; `stamp` in seconds."""
        height, width = frame.pixels.shape
        samples = frame.pixels[:: max(1, height // _GRID), :: max(1, width // _GRID)].copy()
        same = samples.dtype != np.uint8 and self._last is not None and np.array_equal(samples, self._last)
        self._state = self._judge_same(stamp) if same else self._judge_other(samples, stamp)
        self._last = samples
        return self._limited(stamp)

    def _judge_same(self, stamp: float) -> ShutterState:
        if self._state is ShutterState.FLAT:
            return ShutterState.FLAT
        if stamp < self._changed:
            self._changed = stamp
        return ShutterState.REPEATED if stamp - self._changed <= LATE * self.frame_time else ShutterState.FROZEN

    def _judge_other(self, samples: NDArray[Any], stamp: float) -> ShutterState:
        if self._last is not None and 0.0 < stamp - self._changed < 1.0:
            self._frame_times.append(stamp - self._changed)
        self._changed = stamp
        # The whole range, not percentiles of it: a small face before an even wall is a live scene.
        spread = float(samples.max()) - float(samples.min())
        if spread < FLAT_SHARE * self._spread:
            return ShutterState.FLAT
        self._spread = spread if self._spread == 0.0 else 0.9 * self._spread + 0.1 * spread
        return ShutterState.LIVE

    def _limited(self, stamp: float) -> ShutterState:
        """The state, or live where the shutter would have been closed for too long."""
        if not self._state.closed:
            self._closed_since = None
            return self._state
        if self._closed_since is None or stamp < self._closed_since:
            self._closed_since = stamp
        if stamp - self._closed_since <= LONGEST_CLOSURE:
            return self._state
        if self._state is ShutterState.FLAT:  # the scene has changed for good
            self._spread = 0.0
        return ShutterState.LIVE
