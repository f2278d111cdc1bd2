# SPDX-License-Identifier: Apache-2.0
"""Results as PNG files, with matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot as plt

from thermal_fld_ros.evaluation.metrics import CURVE
from thermal_fld_ros.evaluation.report import PROTOCOLS, plot_name, plots_of

FIGURE_SIZE = (6.0, 4.2)  # inches
DPI = 90


def write_plots(results: dict[str, Any], folder: Path) -> list[Path]:
    """Write what `report.plots_of` names: cumulated errors, reliability of confidences, error by yaw. Returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = {"errors": _curves, "confidence": _reliability, "score": _score, "yaw": _yaw}
    written = []
    for kind, data in plots_of(results):
        figure, axes = plt.subplots(figsize=FIGURE_SIZE)
        draw[kind](axes, [row for row in results["rows"] if row["data"] == data])
        axes.set_title(data)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
        figure.tight_layout()
        written.append(folder / plot_name(kind, data))
        figure.savefig(written[-1], dpi=DPI)
        plt.close(figure)
    return written


def _curves(axes: Any, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        for (key, protocol), style in zip(PROTOCOLS.items(), ("-", "--"), strict=True):
            values = row.get(key)
            if values and values["points"][values["main"]].get("curve"):
                share = [100 * part for part in values["points"][values["main"]]["curve"]]
                axes.plot(CURVE, share, style, label=f"{row['model']}, {protocol}, {values['main']} points")
    axes.set(
        xlabel="mean error of a face, % of sqrt(w h) of its box",
        ylabel="faces at or below, %",
        xlim=(0, 20),
        ylim=(0, 101),
    )


def _reliability(axes: Any, rows: list[dict[str, Any]]) -> None:
    parts = {
        f"{row['model']}, {kind}": values
        for row in rows
        for kind, values in row.get("calibration", {}).items()
        if kind != "visible"
    }
    _diagram(axes, parts, "stated probability of an error below 5 %")


def _score(axes: Any, rows: list[dict[str, Any]]) -> None:
    parts = {row["model"]: row["published"]["score"] for row in rows if "published" in row}
    _diagram(axes, parts, "score: stated probability of a mean error below 10 %")


def _diagram(axes: Any, parts: dict[str, dict[str, Any]], stated: str) -> None:
    """A reliability diagram of what `calibration.reliability` gives, by name."""
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1, label="as stated")
    for name, values in parts.items():
        if values.get("bins"):
            points = [(part["stated"], part["observed"]) for part in values["bins"]]
            axes.plot(*zip(*points, strict=True), "o-", label=f"{name}: ECE {100 * values['ece']:.1f} %")
    axes.set(xlabel=stated, ylabel="observed", xlim=(0, 1), ylim=(0, 1))


def _yaw(axes: Any, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        for (key, protocol), style in zip(PROTOCOLS.items(), ("o-", "s--"), strict=True):
            bins = {name: v["nme"] for name, v in row.get(key, {}).get("yaw", {}).items() if v["nme"] is not None}
            if bins:
                axes.plot(list(bins), list(bins.values()), style, label=f"{row['model']}, {protocol}")
    axes.set(xlabel="yaw, degrees", ylabel="NME, %")
