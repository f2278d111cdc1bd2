# SPDX-License-Identifier: Apache-2.0
"""Corresponding points of the two images, which a registration is estimated from."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.files import parse_json, read_bytes
from thermal_fld_ros.perception.geometry import extent
from thermal_fld_ros.perception.pose import HEAD_POINTS, LEAST_CONFIDENCE

Points = NDArray[np.float64]

COMPARABLE = np.arange(27, 68)
"""Nose, eyes and mouth: what two finders of landmarks understand alike. Brows and jaw they do not (docs/accuracy.md)."""

RIGID = np.arange(27, 55)
"""Of these, what moves little on the head: without the lower lip."""

FACE_TOLERANCE, BOARD_TOLERANCE, POINT_TOLERANCE = 0.06, 0.03, 0.05
"""Errors beyond which a point is an outlier, as a share of what is seen: faces, boards, listed points."""


@dataclass(frozen=True, eq=False)
class View:
    """The same points of one thing, a face or a board, in both images of a pair.

    Attributes
    ----------
    name : str
        Of the pair, for reports.
    thermal, rgb : (N, 2) float64
        Pixels of the incoming images.
    model : (N, 3) float64 or None
        The points in a frame of the thing itself in metres; None where that is not known.
    tolerance : float
        Pixels of the RGB image beyond which a point is an outlier.
    exact : bool
        Whether the points are the same ones indeed. Of faces they are nearly so: what is found in thermal images may lie
        apart from what is found in RGB images, alike in all faces.
    """

    name: str
    thermal: Points
    rgb: Points
    model: Points | None
    tolerance: float
    exact: bool = True

    def __getitem__(self, chosen: Any) -> View:
        """Some of the points."""
        model = None if self.model is None else self.model[chosen]
        return View(self.name, self.thermal[chosen], self.rgb[chosen], model, self.tolerance, self.exact)


def face_view(
    name: str,
    thermal: NDArray[np.floating],
    rgb: NDArray[np.floating],
    confidence: NDArray[np.floating],
    rigid: bool,
) -> View:
    """Of one face.

    Parameters
    ----------
    thermal, rgb : (68, 2)
        iBUG's points.
    confidence : (68,)
        The lesser one of both; points below 0.3 are left out.
    rigid : bool
        Only points that move little on the head, with their places on a generic head.
    """
    used = RIGID if rigid else COMPARABLE
    used = used[confidence[used] >= LEAST_CONFIDENCE]
    one, other = (np.asarray(points, dtype=np.float64) for points in (thermal, rgb))
    model = HEAD_POINTS[used] if rigid else None
    return View(name, one[used], other[used], model, FACE_TOLERANCE * extent(other), exact=False)


def read_points(path: Path) -> list[View]:
    """Views of a file of corresponding points, JSON or CSV; docs/registration.md describes both.

    Raises
    ------
    ValueError, OSError
        Naming the file, what is wrong and what was expected.
    """
    try:
        listed = _of_csv(path) if path.suffix.lower() == ".csv" else _of_json(path)
        return [_listed_view(f"{path.name}, {name}", *fields) for name, fields in listed.items()]
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: {error}") from error


Lists = tuple[list[Any], list[Any], list[Any]]


def _of_json(path: Path) -> dict[str, Lists]:
    content = parse_json(read_bytes(path))
    if not isinstance(content, dict) or not isinstance(content.get("views"), list):
        raise ValueError('expected an object with a list "views"')
    listed = {}
    for number, view in enumerate(content["views"], 1):
        if not isinstance(view, dict) or not {"thermal", "rgb"} <= view.keys():
            raise ValueError(f'view {number}: expected an object with "thermal" and "rgb"')
        listed[str(view.get("name", f"view {number}"))] = (view["thermal"], view["rgb"], view.get("model", []))
    return listed


POINT_COLUMNS = ("thermal_x", "thermal_y", "rgb_x", "rgb_y")
MODEL_COLUMNS = ("model_x", "model_y", "model_z")


def _of_csv(path: Path) -> dict[str, Lists]:
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        columns = set(reader.fieldnames or ())
        if not set(POINT_COLUMNS) <= columns:
            raise ValueError(
                f"expected the columns {', '.join(POINT_COLUMNS)}, found {', '.join(sorted(columns)) or 'none'}"
            )
        listed: dict[str, Lists] = {}
        for row in reader:
            thermal, rgb, model = listed.setdefault(row.get("view") or "view 1", ([], [], []))
            try:
                x, y, u, v = (float(row[column]) for column in POINT_COLUMNS)
                if set(MODEL_COLUMNS) <= columns:
                    model.append([float(row[column]) for column in MODEL_COLUMNS])
            except (TypeError, ValueError) as error:
                raise ValueError(f"line {reader.line_num}: {error}") from error
            thermal.append([x, y])
            rgb.append([u, v])
    return listed


def _listed_view(name: str, thermal: Sequence[Any], rgb: Sequence[Any], model: Sequence[Any]) -> View:
    one, other = (np.array(points, dtype=np.float64) for points in (thermal, rgb))
    space = np.array(model, dtype=np.float64) if len(model) else None
    if one.ndim != 2 or one.shape[1] != 2 or one.shape != other.shape:
        raise ValueError(f"{name}: thermal and rgb have shapes {one.shape} and {other.shape}, expected (N, 2) both")
    if space is not None and space.shape != (len(one), 3):
        raise ValueError(f"{name}: model has shape {space.shape}, expected ({len(one)}, 3)")
    finite = all(np.isfinite(points).all() for points in (one, other, space) if points is not None)
    if not finite:
        raise ValueError(f"{name}: some coordinates are not finite")
    return View(name, one, other, space, POINT_TOLERANCE * extent(other))
