# SPDX-License-Identifier: Apache-2.0
"""The two ways in which networks are measured, both through the code that the robot runs.

*given box*: the landmark network gets the labelled box, as it would get a detection, and a second pass about its own first points,
as the pipeline has it. What is measured is the landmark network.

*pipeline*: the whole `Pipeline` gets the images, and its faces are paired with the labelled ones by their boxes. Images of a
sequence are tracked and smoothed as on the robot; before any other image it forgets everything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.datasets.sample import SCHEMES, DataSet, DataSetError, Sample, Scheme, read_json
from thermal_fld_ros.perception.cropping import look_twice
from thermal_fld_ros.perception.decoding import ThermalFrame
from thermal_fld_ros.perception.geometry import box_around
from thermal_fld_ros.perception.landmarker import Landmarker
from thermal_fld_ros.perception.pipeline import Pipeline, PipelineOptions, with_models

Array = NDArray[np.float64]
AP_LEAST_SCORE = 0.05
"""Detections from this score on make the precision-recall curve."""


@dataclass(frozen=True, eq=False)
class Found:
    """A face that a model found.

    Attributes
    ----------
    points : (68, 2) float64
        Image pixels.
    confidence : (68,) float64 or None
        Of the points.
    track : str
        The identity that it belongs to.
    score : float or None
        The probability that its points are right.
    """

    points: Array
    confidence: Array | None = None
    track: str = ""
    score: float | None = None

    @property
    def box(self) -> Array:
        """The box (4,) around the points."""
        return box_around(self.points)


@dataclass(frozen=True, eq=False)
class Detections:
    """What the detector alone says of an image: `boxes` (N, 4) in image pixels and `scores` (N,)."""

    boxes: Array
    scores: Array


@dataclass(eq=False)
class Run:
    """What one model says of one data set.

    Attributes
    ----------
    name : str
    given : list of lists or None
        Protocol "given box": for each image, for each labelled face, what was found, or None.
    found : list of lists or None
        Protocol "pipeline": for each image the faces found.
    unsmoothed : list of lists or None
        The same before smoothing, where there are sequences.
    detections : list or None
        Of the detector alone.
    """

    name: str
    given: list[list[Found | None]] | None = None
    found: list[list[Found]] | None = None
    unsmoothed: list[list[Found]] | None = None
    detections: list[Detections] | None = None
    about: dict[str, Any] = field(default_factory=dict)


def run_models(name: str, folder: Path, data: DataSet, step: Callable[[], None]) -> Run:
    """Run the two networks of a folder over a data set.

    Parameters
    ----------
    name : str
        For the tables.
    folder : Path
        With face_detector.onnx and face_landmarks.onnx.
    data : DataSet
    step : function
        Called after each image.

    Raises
    ------
    ModelError, ImageError, SourceError, DataSetError
    """
    options = with_models(PipelineOptions(), folder)
    pipeline = Pipeline(options)
    raw = Pipeline(replace(options, smoothing=False)) if data.has_sequences else None
    run = Run(name, [], [], [] if raw else None, [], _about(pipeline))
    assert run.given is not None and run.found is not None and run.detections is not None
    sequence: str | None = None
    for index, sample in enumerate(data.samples):
        frame = sample.frame()
        starts = sample.sequence is None or sample.sequence != sequence
        sequence = sample.sequence
        run.given.append([given_box(pipeline.landmarker, frame, data.extent(face)) for face in sample.faces])
        run.detections.append(_detections(pipeline, frame))
        run.found.append(_faces(pipeline, frame, sample, index, starts))
        if raw is not None and run.unsmoothed is not None:
            run.unsmoothed.append(_faces(raw, frame, sample, index, starts))
        step()
    return run


def given_box(landmarker: Landmarker, frame: ThermalFrame, box: Array) -> Found | None:
    """Landmarks of the face in a box (4,) of image pixels, by `look_twice` as the pipeline finds those of a new detection.

    None where the first look finds nothing that a second could look at.
    """
    corners = np.array([box[:2], box[:2] + box[2:]])
    upright = box_around(frame.upright_to_image.inverse()(corners))
    (result,) = look_twice(partial(landmarker, frame), [upright], landmarker.size, landmarker.crop_scale)
    if result is None:
        return None
    _, landmarks = result
    points = frame.upright_to_image(landmarks.points)
    return Found(points, landmarks.confidence.astype(np.float64)) if np.isfinite(points).all() else None


def _faces(pipeline: Pipeline, frame: ThermalFrame, sample: Sample, index: int, starts: bool) -> list[Found]:
    if starts:
        pipeline.reset()
    stamp = sample.stamp if sample.stamp is not None else float(index)
    faces = pipeline(frame, stamp)
    return [
        Found(face.points.astype(np.float64), face.confidence.astype(np.float64), face.id, face.score) for face in faces
    ]


def _detections(pipeline: Pipeline, frame: ThermalFrame) -> Detections:
    options = pipeline.options
    boxes, scores = pipeline.detector(
        frame, threshold=AP_LEAST_SCORE, nms_iou=options.nms_iou, min_size=options.min_face_size
    )
    return Detections(_image_boxes(frame, boxes), scores)


def _image_boxes(frame: ThermalFrame, boxes: Array) -> Array:
    """Upright boxes (N, 4) as boxes of the incoming image."""
    corners = np.stack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    return np.array([box_around(pair) for pair in frame.upright_to_image(corners)]).reshape(-1, 4)


def _about(pipeline: Pipeline) -> dict[str, Any]:
    """The models' name, version and hash."""
    models = {"detector": pipeline.detector.model, "landmarks": pipeline.landmarker.model}
    return {
        role: {"name": model.name, "version": str(model.metadata.get("version", "")), "sha256": model.sha256[:12]}
        for role, model in models.items()
    }


# --- what other tools found ------------------------------------------------------------------------------------------


def read_predictions(name: str, path: Path, data: DataSet) -> Run | None:
    """What another tool found, from a JSON file described in docs/datasets.md.

    ``{"scheme": "ibug68", "data": {DATA SET: {IMAGE: {"found": [[[x, y] * 68], ...], "given": [[[x, y] * 68] or null, ...]}}}}``:
    of each image the faces found in the whole of it, and in the same order as the labelled faces those found when their box was
    given; each of the two may be left out of a file, but not for single images. None where the file has nothing of this data set.

    Raises
    ------
    DataSetError
        The file lacks an image of the data set, or is malformed.
    """
    content = read_json(path)
    if not isinstance(content, dict) or content.get("scheme") != "ibug68" or not isinstance(content.get("data"), dict):
        raise DataSetError(f'{path}: expected {{"scheme": "ibug68", "data": {{...}}}}')
    images = content["data"].get(data.name)
    if images is None:
        return None
    rows = []
    for sample in data.samples:
        if sample.name not in images:
            raise DataSetError(
                f'{path}: the image "{sample.name}" of "{data.name}" is missing; an image without a face has "found": []'
            )
        rows.append(images[sample.name])
    scheme = SCHEMES["ibug68"]
    where = f"{path}, {data.name}"
    run = Run(name, about=dict(content.get("about", {})))
    if any("found" in row for row in rows):
        run.found = [[_other(points, scheme, where) for points in _part(row, "found", where)] for row in rows]
    if any("given" in row for row in rows):
        run.given = []
        for sample, row in zip(data.samples, rows, strict=True):
            given = _part(row, "given", where)
            if len(given) != len(sample.faces):
                raise DataSetError(
                    f'{where}: image "{sample.name}" has {len(given)} given faces, but {len(sample.faces)} are labelled'
                )
            run.given.append([None if points is None else _other(points, scheme, where) for points in given])
    return run


def _part(row: dict[str, Any], key: str, where: str) -> list[Any]:
    if key not in row:
        raise DataSetError(f'{where}: some images have "{key}" and others do not')
    return list(row[key])


def _other(points: Any, scheme: Scheme, where: str) -> Found:
    array = np.asarray(points, dtype=np.float64)
    if array.shape != (len(scheme), 2) or not np.isfinite(array).all():
        raise DataSetError(f"{where}: points of shape {array.shape}, expected ({len(scheme)}, 2) finite numbers")
    return Found(array)
