# SPDX-License-Identifier: Apache-2.0
"""Errors of a landmark network alone, by the protocol "given box": what trainings, plans and adaptations are judged by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from thermal_fld_ros.datasets.sample import DataSet, DataSetError
from thermal_fld_ros.evaluation.figures import run_figures
from thermal_fld_ros.evaluation.metrics import POINT_SETS, REPORTED_SETS, box_size, point_errors
from thermal_fld_ros.evaluation.protocols import Found, Run, given_box
from thermal_fld_ros.perception.landmarker import Landmarker

REPORTED = ("faces", "missed", "nme", "median", "failure_10")
"""What is reported of each set of points."""


def given_box_errors(landmarker: Landmarker, data: DataSet) -> dict[str, dict[str, Any]]:
    """Errors of a landmark network on a data set, by set of points.

    Returns
    -------
    dict by the names of `REPORTED_SETS`, or of all sets of points where the data set labels none of these, of the entries
    REPORTED of `figures.landmark_figures` and ``by_person``, the mean error of each person; errors are in % of sqrt(w h) of the face
    box, and None where no face was found.

    Raises
    ------
    DataSetError
        No landmarks are labelled.
    """
    given = []
    for sample in data.samples:
        frame = sample.frame()
        given.append([given_box(landmarker, frame, data.extent(face)) for face in sample.faces])
    figures = run_figures(data, Run("", given), POINT_SETS, least_iou=0.5).get("given_box")
    if figures is None:
        raise DataSetError(f"{data.name}: no landmarks are labelled, expected a data set for landmarks")
    points = figures["points"]
    names = [name for name in REPORTED_SETS if name in points] or list(points)
    return {
        name: {key: points[name][key] for key in REPORTED} | {"by_person": _by_person(data, given, POINT_SETS[name])}
        for name in names
    }


def _by_person(data: DataSet, given: list[list[Found | None]], indices: Sequence[int]) -> dict[str, float]:
    """The mean error of each person: a face's subject, else its sequence, else its image; without faces that were not found."""
    columns, scheme = data.places(indices), data.scheme
    assert scheme is not None
    errors: dict[str, list[float]] = {}
    for sample, answers in zip(data.samples, given, strict=True):
        for face, found in zip(sample.faces, answers, strict=True):
            if face.points is None or found is None or not face.required:
                continue
            each = point_errors(scheme.select(found.points), face.points, box_size(data.extent(face)))[columns]
            if np.isfinite(each).any():
                person = face.subject or sample.sequence or sample.name
                errors.setdefault(person, []).append(float(np.nanmean(each)))
    return {person: round(float(np.mean(values)), 4) for person, values in errors.items()}


def nme_by_test(tests: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, float]:
    """The NME in % of `given_box_errors` by data set, as "<data set>, <set> points"; NaN where no face was found."""
    return {
        f"{name}, {points} points": float("nan") if values["nme"] is None else float(values["nme"])
        for name, sets in tests.items()
        for points, values in sets.items()
    }
