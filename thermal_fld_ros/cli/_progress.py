# SPDX-License-Identifier: Apache-2.0
"""The progress bar of the commands, on standard error."""

from __future__ import annotations

import sys

from tqdm import tqdm

LOG_INTERVAL = 10.0
"""Seconds between updates where standard error is a file or a pipe; what is done sooner shows no bar there."""


class Progress(tqdm):
    """tqdm's bar for a loop that also has something to say.

    Parameters
    ----------
    total : int or None
        Number of steps, None if it is not known.
    unit : str
        What a step is, in the plural.
    """

    def __init__(self, total: int | None, unit: str = "frames") -> None:
        seldom = {} if sys.stderr.isatty() else {"mininterval": LOG_INTERVAL, "delay": LOG_INTERVAL}
        super().__init__(total=total, unit=f" {unit}", dynamic_ncols=True, **seldom)
        self._said: set[str] = set()

    def step(self) -> None:
        """Count one step."""
        self.update()

    def say(self, text: str, once: str | None = None) -> None:
        """Print a line above the bar; with `once` only the first line of that key."""
        if once in self._said:
            return
        if once is not None:
            self._said.add(once)
        self.write(text, file=sys.stderr)
