# SPDX-License-Identifier: Apache-2.0
"""Shares of time within a window that moves with the stamps."""

from __future__ import annotations

from collections import deque


class TimeShare:
    """The share of the last `window` seconds in which something was so, and the share in which it was known."""

    def __init__(self, window: float) -> None:
        self.window = window
        self._entries: deque[tuple[float, float, bool]] = deque()
        self._known = self._true = 0.0

    def add(self, stamp: float, seconds: float, value: bool) -> None:
        """It was so, or not, for the `seconds` before `stamp`."""
        self._entries.append((stamp, seconds, value))
        self._known += seconds
        self._true += seconds * value
        self.forget(stamp)

    def forget(self, stamp: float) -> None:
        """Drop what is older than the window at `stamp`."""
        while self._entries and self._entries[0][0] < stamp - self.window:
            _, seconds, value = self._entries.popleft()
            self._known -= seconds
            self._true -= seconds * value

    @property
    def share(self) -> float:
        """Of the known time; 0 where nothing is known."""
        return min(max(self._true / self._known, 0.0), 1.0) if self._known > 1e-9 else 0.0

    @property
    def known(self) -> float:
        """Share of the window that is known."""
        return min(max(self._known / self.window, 0.0), 1.0)
