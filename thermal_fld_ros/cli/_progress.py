# SPDX-License-Identifier: Apache-2.0
"""A progress bar on standard error that needs nothing installed."""

from __future__ import annotations

import sys
import time
from types import TracebackType

BAR_WIDTH = 30
TERMINAL_INTERVAL, FILE_INTERVAL = 0.1, 10.0  # seconds between updates


class Progress:
    """Counts steps: a bar on a terminal, now and then a line elsewhere.

    Parameters
    ----------
    total : int or None
        Steps to come, None if unknown.
    unit : str
        What a step is.
    """

    def __init__(self, total: int | None, unit: str = "frames") -> None:
        self._total, self._unit = total, unit
        self._done = 0
        self._terminal = sys.stderr.isatty()
        self._started = self._shown = time.monotonic()
        self._said: set[str] = set()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._terminal:
            self._show("\n")

    def step(self) -> None:
        """One more is done."""
        self._done += 1
        now = time.monotonic()
        if now - self._shown >= (TERMINAL_INTERVAL if self._terminal else FILE_INTERVAL):
            self._shown = now
            self._show("" if self._terminal else "\n")

    def say(self, text: str, once: str | None = None) -> None:
        """Print a line above the bar; with `once` only the first time for that key."""
        if once is not None and once in self._said:
            return
        if once is not None:
            self._said.add(once)
        print(f"\r\033[K{text}" if self._terminal else text, file=sys.stderr)

    def _show(self, end: str) -> None:
        rate = self._done / max(time.monotonic() - self._started, 1e-9)
        text = f"{self._done} {self._unit}, {rate:.1f}/s"
        if self._total:
            share = min(self._done / self._total, 1.0)
            bar = ("#" * round(BAR_WIDTH * share)).ljust(BAR_WIDTH, ".")
            text = f"[{bar}] {share:4.0%}  {text}, {(self._total - self._done) / max(rate, 1e-9):.0f} s left"
        print(f"\r\033[K{text}" if self._terminal else text, end=end, file=sys.stderr, flush=True)
