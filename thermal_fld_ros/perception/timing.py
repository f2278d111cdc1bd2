# SPDX-License-Identifier: Apache-2.0
"""Where the time of a frame goes."""

from __future__ import annotations

import time


class Timing:
    """Seconds by stage: each `lap` books the time since the one before.

    Attributes
    ----------
    stages : dict
        Stage name to seconds.
    """

    def __init__(self) -> None:
        self.stages: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        """Book the time since the last lap."""
        now = time.perf_counter()
        self.stages[stage] = self.stages.get(stage, 0.0) + now - self._last
        self._last = now
