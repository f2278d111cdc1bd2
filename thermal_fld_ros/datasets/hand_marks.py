# SPDX-License-Identifier: Apache-2.0
"""Points that people have marked in portraits, as iBUG's 68: what a photograph's labels are checked against."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermal_fld_ros.datasets.sample import DataSetError
from thermal_fld_ros.files import parse_json
from thermal_fld_ros.perception.face import POINTS

FRL = 189
"""Points of the template of the Face Research Lab (webmorphR's "frl")."""

# iBUG points that are points of the FRL template.
FRL_POINTS = {
    8: 129, 17: 71, 21: 76, 22: 77, 26: 82, 33: 55, 36: 18, 39: 22, 42: 23, 45: 27, 48: 87, 49: 88, 50: 89, 51: 90, 52: 91,
    53: 92, 54: 93, 55: 108, 56: 107, 57: 106, 58: 105, 59: 104, 62: 96, 66: 101,
}  # fmt: skip
# Points at shares of the length of a line: of lids from corner to corner, of the inner lips from the corner to the middle.
FRL_LINES = {
    (37, 38): ((18, 19, 20, 21, 22), (1 / 3, 2 / 3)), (41, 40): ((18, 28, 29, 30, 22), (1 / 3, 2 / 3)),
    (43, 44): ((23, 24, 25, 26, 27), (1 / 3, 2 / 3)), (47, 46): ((23, 31, 32, 33, 27), (1 / 3, 2 / 3)),
    (61,): ((87, 94, 95, 96), (0.57,)), (63,): ((93, 98, 97, 96), (0.57,)),
    (67,): ((87, 99, 100, 101), (0.57,)), (65,): ((93, 103, 102, 101), (0.57,)),
}  # fmt: skip
# Brows: three points at the quarters, half way between the upper and the lower edge.
BROWS = {
    (18, 19, 20): ((71, 72, 73, 74, 75, 76), (71, 83, 84, 76)), (23, 24, 25): ((77, 78, 79, 80, 81, 82), (77, 85, 86, 82)),
}  # fmt: skip


def from_frl(marks: ArrayLike) -> NDArray[np.float64]:
    """The 68 points (68, 2) of iBUG from the FRL template's (189, 2); NaN where the template has no such point (jaw and nose)."""
    frl = np.asarray(marks, np.float64)
    points = np.full((POINTS, 2), np.nan)
    for ibug, number in FRL_POINTS.items():
        points[ibug] = frl[number]
    for some, (line, shares) in FRL_LINES.items():
        points[list(some)] = _along(frl[list(line)], np.array(shares))
    for three, edges in BROWS.items():
        quarters = np.array([1, 2, 3]) / 4
        points[list(three)] = sum(_along(frl[list(edge)], quarters) for edge in edges) / 2
    return points


def _along(line: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (N, 2) at shares of the length of a polyline (M, 2)."""
    way = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    return np.stack([np.interp(shares * way[-1], way, line[:, k]) for k in range(2)], axis=1)


def read_hand_marks(file: Path) -> dict[str, NDArray[np.float64]]:
    """Marked points (68, 2) by the path of the image, NaN where there is none.

    The file is a JSON object of paths, relative to the folder of the images, and lists of points: iBUG's 68, null where one is not
    marked, or the 189 of the FRL template. Raises DataSetError.
    """
    try:
        content = parse_json(file.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("expected an object of images and points")
        return {name: _points(name, marks) for name, marks in content.items()}
    except (OSError, ValueError, TypeError) as error:
        raise DataSetError(f"{file}: no hand marks: {error}") from error


def _points(name: str, marks: list[ArrayLike | None]) -> NDArray[np.float64]:
    points = np.array([(np.nan, np.nan) if mark is None else mark for mark in marks], np.float64)
    if points.shape not in ((POINTS, 2), (FRL, 2)):
        raise ValueError(f"{name} has points of shape {points.shape}, expected ({POINTS}, 2) or ({FRL}, 2)")
    return from_frl(points) if len(points) == FRL else points
