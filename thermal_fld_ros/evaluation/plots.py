# SPDX-License-Identifier: Apache-2.0
"""Results as PNG files, with matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot as plt

from thermal_fld_ros.evaluation.metrics import CURVE
from thermal_fld_ros.evaluation.report import PROTOCOLS

SIZE = (6.0, 4.2)  # inches
DPI = 110


def write_plots(results: dict[str, Any], folder: Path) -> list[Path]:
    """Write the cumulated errors of each data set, the reliability of confidences and the error by yaw.

    Returns the files, `accuracy_<what>_<data set>.png`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for data in results["data"]:
        rows = [row for row in results["rows"] if row["data"] == data]
        for name, draw in (("errors", _curves), ("confidence", _reliability), ("yaw", _yaw)):
            figure, axes = plt.subplots(figsize=SIZE)
            if draw(axes, rows):
                axes.set_title(data)
                axes.grid(alpha=0.3)
                axes.legend(fontsize=8)
                file = folder / f"accuracy_{name}_{file_name(data)}.png"
                figure.tight_layout()
                figure.savefig(file, dpi=DPI)
                written.append(file)
            plt.close(figure)
    return written


def file_name(data: str) -> str:
    """A data set's name in names of files."""
    return "".join(character if character.isalnum() else "_" for character in data.lower())


def _curves(axes: Any, rows: list[dict[str, Any]]) -> bool:
    drawn = False
    for row in rows:
        for (key, protocol), style in zip(PROTOCOLS.items(), ("-", "--"), strict=True):
            values = row.get(key)
            if values and values["points"][values["main"]].get("curve"):
                share = [100 * part for part in values["points"][values["main"]]["curve"]]
                axes.plot(CURVE, share, style, label=f"{row['model']}, {protocol}, {values['main']} points")
                drawn = True
    axes.set(
        xlabel="mean error of a face, % of sqrt(w h) of its box",
        ylabel="faces at or below, %",
        xlim=(0, 20),
        ylim=(0, 101),
    )
    return drawn


def _reliability(axes: Any, rows: list[dict[str, Any]]) -> bool:
    drawn = False
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1, label="as stated")
    for row in rows:
        for kind, values in row.get("calibration", {}).items():
            if values.get("bins") and kind != "visible":
                points = [(part["stated"], part["observed"]) for part in values["bins"]]
                axes.plot(
                    *zip(*points, strict=True), "o-", label=f"{row['model']}, {kind}: ECE {100 * values['ece']:.1f} %"
                )
                drawn = True
    axes.set(xlabel="stated probability of an error below 5 %", ylabel="observed", xlim=(0, 1), ylim=(0, 1))
    return drawn


def _yaw(axes: Any, rows: list[dict[str, Any]]) -> bool:
    drawn = False
    for row in rows:
        for (key, protocol), style in zip(PROTOCOLS.items(), ("o-", "s--"), strict=True):
            bins = {name: v["nme"] for name, v in row.get(key, {}).get("yaw", {}).items() if v["nme"] is not None}
            if bins:
                axes.plot(list(bins), list(bins.values()), style, label=f"{row['model']}, {protocol}")
                drawn = True
    axes.set(xlabel="yaw, degrees", ylabel="NME, %")
    return drawn
