# SPDX-License-Identifier: Apache-2.0
"""Fitting the gate (`perception.gate`): when what two networks say of a place means that there is a face with right points."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.datasets.sample import DataSet, DataSetError, LabelledFace
from thermal_fld_ros.evaluation import metrics
from thermal_fld_ros.evaluation.calibration import reliability
from thermal_fld_ros.evaluation.figures import RIGHT_BELOW
from thermal_fld_ros.perception.cropping import crop_from_points, look_twice
from thermal_fld_ros.perception.decoding import ThermalFrame
from thermal_fld_ros.perception.detector import Detector
from thermal_fld_ros.perception.gate import LEAST_DETECTION, Gate, logit
from thermal_fld_ros.perception.geometry import Affine, box_around, iou
from thermal_fld_ros.perception.landmarker import Landmarker, Landmarks
from thermal_fld_ros.perception.pipeline import SUPPORT_IOU
from thermal_fld_ros.perception.tracking import plausible

Array = NDArray[np.float64]

LEAST_SIZE = 10.0
"""Pixels of a head below which it is not followed here."""

RIDGE = 1e-3


@dataclass(frozen=True)
class Evidence:
    """What the networks said of N places, and whether the points found there were right.

    Attributes
    ----------
    detection, presence : (N,) float64
        Scores of the detector and of the landmark network.
    right : (N,) bool
    """

    detection: Array
    presence: Array
    right: NDArray[np.bool_]

    def scores(self, gate: Gate) -> Array:
        """The gate's score (N,) of each place."""
        return np.array([gate(*pair) for pair in zip(self.detection, self.presence, strict=True)])


def gather(detector: Detector, landmarker: Landmarker, data: DataSet, step: Callable[[], None]) -> Evidence:
    """Evidence from labelled frames, of new faces and of followed ones.

    A new face is what the detector finds, after two passes of the landmark network. A followed one is each labelled head, turned
    away or not, in a crop as last frame's points give it.

    Parameters
    ----------
    detector, landmarker
    data : DataSet
        Every face labelled with points; those that are turned away need not be found.
    step : function
        Called after each image.

    Raises
    ------
    DataSetError
        When not every face of the images is labelled with points.
    """
    if data.scheme is None or not data.every_face:
        raise DataSetError(
            f"{data.name}: the gate can only be fitted on images in which every face is labelled with points"
        )
    rows: list[tuple[float, float, bool]] = []
    rng = np.random.default_rng(0)
    for sample in data.samples:
        frame = sample.frame()
        boxes, scores = detector(frame, threshold=LEAST_DETECTION, nms_iou=0.4, min_size=LEAST_SIZE)
        for crop, landmarks, detection in _candidates(landmarker, frame, sample.faces, boxes, scores, rng):
            if plausible(landmarks, crop, landmarker.size, frame.upright_size, LEAST_SIZE):
                found = frame.upright_to_image(landmarks.points)
                rows.append((detection, landmarks.score, any(_right(data, found, face) for face in sample.faces)))
        step()
    table = np.array(rows, dtype=np.float64).reshape(-1, 3)
    return Evidence(table[:, 0], table[:, 1], table[:, 2] > 0.5)


def _candidates(
    landmarker: Landmarker,
    frame: ThermalFrame,
    faces: tuple[LabelledFace, ...],
    boxes: Array,
    scores: Array,
    rng: np.random.Generator,
) -> Iterator[tuple[Affine, Landmarks, float]]:
    """Crops, what the landmark network says of them, and the detector's score there."""
    size, scale = landmarker.size, landmarker.crop_scale
    found = look_twice(
        partial(landmarker, frame), boxes, size, scale,
        lambda crop, landmarks: plausible(landmarks, crop, size, frame.upright_size, LEAST_SIZE),
    )  # fmt: skip
    for result, score in zip(found, scores, strict=True):
        if result is not None:
            yield *result, float(score)
    to_upright = frame.upright_to_image.inverse()
    for face in faces:
        if face.points is None or metrics.box_size(face.box) < LEAST_SIZE:
            continue
        points = to_upright(face.points)
        shaken = points + rng.normal(0, 0.04, 2) * metrics.box_size(box_around(points))
        crop = crop_from_points(shaken, size, scale * float(np.exp(rng.normal(0, 0.05))))
        (landmarks,) = landmarker(frame, [crop])
        overlap = iou(box_around(landmarks.points), boxes) if len(boxes) else np.zeros(0)
        yield crop, landmarks, float(scores[overlap >= SUPPORT_IOU].max(initial=LEAST_DETECTION))


def _right(data: DataSet, found: Array, face: LabelledFace) -> bool:
    if face.points is None or data.scheme is None or face.turned_away:
        return False
    errors = metrics.point_errors(data.scheme.select(found), face.points, metrics.box_size(data.extent(face)))
    return bool(np.nanmean(errors) < RIGHT_BELOW)


def fit(evidence: Evidence) -> Gate:
    """The gate that makes the evidence most likely: logistic regression by Newton's method.

    Raises
    ------
    DataSetError
        When nothing was right, or nothing wrong.
    """
    if evidence.right.all() or not evidence.right.any():
        raise DataSetError(
            f"{evidence.right.sum()} of {len(evidence.right)} candidates are right: fitting the gate requires right and wrong ones"
        )
    columns = [[logit(value) for value in values] for values in (evidence.detection, evidence.presence)]
    design = np.column_stack([*columns, np.ones(len(evidence.right))])
    weights = np.array([0.0, 1.0, 0.0])
    for _ in range(50):
        chance = 1.0 / (1.0 + np.exp(-design @ weights))
        slope = design.T @ (chance - evidence.right) + RIDGE * weights
        curvature = (design * (chance * (1.0 - chance))[:, None]).T @ design + RIDGE * np.eye(3)
        change = np.linalg.solve(curvature, slope)
        weights = weights - change
        if np.abs(change).max() < 1e-9:
            break
    return Gate(*(round(float(value), 4) for value in weights))


def judged(evidence: Evidence, gate: Gate, threshold: float) -> dict[str, float]:
    """Of a gate: its expected calibration error, and of what passes the threshold the share that is wrong and what is missed.

    Returns
    -------
    dict with `places`, `right` (share), `ece`, `passed_wrong` (share of what passes) and `right_refused` (share of what is right).
    """
    scores = evidence.scores(gate)
    passed = scores >= threshold
    return {
        "places": len(scores),
        "right": round(float(evidence.right.mean()), 4),
        "ece": float(reliability(scores, evidence.right)["ece"]),
        "passed_wrong": round(float((~evidence.right[passed]).mean()), 4) if passed.any() else 0.0,
        "right_refused": round(float((~passed[evidence.right]).mean()), 4),
    }
