# SPDX-License-Identifier: Apache-2.0
"""What a training writes down after each epoch: a table, TensorBoard events and curves."""

from __future__ import annotations

import csv
import math
import time
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch.utils.tensorboard import SummaryWriter

Row = dict[str, float]
STYLE: dict[Any, Any] = {
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
}

REDRAWN = 30.0
"""Seconds between two drawings of the curves while training: short epochs would take less time than their drawing."""


class Log:
    """``log.csv``, ``curves.png`` and TensorBoard's event files in a training's folder.

    A row holds ``epoch`` and numbers named ``group/name``. What was logged after epoch ``done``, by a training that was
    interrupted before it wrote that epoch's checkpoint, is dropped. The curves are redrawn now and then, and at the end.
    """

    def __init__(self, folder: Path, done: int):
        self.folder = folder
        self.rows = [row for row in read_log(folder / "log.csv") if row["epoch"] <= done]
        self._events = SummaryWriter(str(folder), purge_step=done + 1)
        self._drawn = -math.inf

    def add(self, row: Row) -> None:
        """Write an epoch's numbers everywhere."""
        self.rows.append(row)
        columns = list(dict.fromkeys(name for each in self.rows for name in each))
        with (self.folder / "log.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, columns)
            writer.writeheader()
            writer.writerows(self.rows)
        for name, value in row.items():
            self._events.add_scalar(name, value, int(row["epoch"]))
        self._events.flush()
        if time.monotonic() > self._drawn + REDRAWN:
            self._draw()

    def close(self) -> None:
        """Draw all of the curves, and end TensorBoard's writer."""
        self._draw()
        self._events.close()

    def _draw(self) -> None:
        if self.rows:
            draw_curves(self.rows, self.folder / "curves.png")
        self._drawn = time.monotonic()


def read_log(file: Path) -> list[Row]:
    """Rows of a ``log.csv``; none when there is no such file."""
    if not file.exists():
        return []
    with file.open(newline="", encoding="utf-8") as stream:
        rows = [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(stream)]
    return [{**row, "epoch": int(row["epoch"])} for row in rows]


def draw_curves(rows: list[Row], file: Path) -> None:
    """One small plot a column over the epochs, the last value in its title, as PNG."""
    names = [name for name in dict.fromkeys(name for row in rows for name in row) if name != "epoch"]
    columns = min(4, len(names))
    lines = -(-len(names) // columns)
    with mpl.rc_context(STYLE):
        figure = Figure((3 * columns, 2.1 * lines), dpi=120, layout="constrained")
        for k, name in enumerate(names):
            shown = [(row["epoch"], row[name]) for row in rows if name in row]
            axes = figure.add_subplot(lines, columns, k + 1)
            axes.plot(*zip(*shown, strict=True), marker="." if len(shown) < 40 else None, linewidth=1.2)
            axes.set_title(f"{name}: {shown[-1][1]:.4g}")
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
            if k + columns >= len(names):
                axes.set_xlabel("epoch")
        figure.savefig(file)
