# SPDX-License-Identifier: Apache-2.0
"""How far two rounds of hand labels of the same images are apart, which no network can be expected to beat by much."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermal_fld_ros.datasets.sample import JAW, DataSet, DataSetError, LabelledFace, Scheme
from thermal_fld_ros.evaluation import metrics
from thermal_fld_ros.evaluation.detection import match
from thermal_fld_ros.evaluation.report import figure, markdown_table

LEAST_IOU = 0.3
"""Overlap of two boxes, by which they are of the same face."""


def disagreement(first: ArrayLike, second: ArrayLike, scheme: Scheme, size: float) -> dict[str, float]:
    """Mean distances of one face's points in two rounds, by set of points.

    Parameters
    ----------
    first, second : (K, 2)
        In the same pixels; NaN where a point is not labelled.
    scheme : Scheme
        Of the points.
    size : float
        Of the face in pixels, `metrics.box_size`.

    Returns
    -------
    dict of percent of the face's size: "all", "without jaw", the regions of `metrics.FACE_PARTS`, and "jaw line", the distance of the jaw
    points of each round from the line through those of the other. NaN where no point of a set is labelled in both rounds.
    """
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    errors = metrics.point_errors(one, other, size)
    jaw = scheme.places(JAW)
    sets = {"all": list(range(len(scheme))), "without jaw": [k for k in range(len(scheme)) if k not in jaw]}
    sets |= {name: scheme.places(indices) for name, indices in metrics.FACE_PARTS.items()}
    result = {name: _mean(errors[places]) for name, places in sets.items()}
    ends = [points[jaw][np.isfinite(points[jaw]).all(axis=1)] for points in (one, other)]
    lines = [metrics.line_distances(*pair) for pair in (ends, ends[::-1]) if min(map(len, ends)) > 1]
    return result | {"jaw line": _mean(np.concatenate(lines)) / size * 100 if lines else np.nan}


@dataclass
class Comparison:
    """Two rounds.

    Attributes
    ----------
    images, only_first, only_second : int
        Images in both, and in one of the rounds.
    faces : list of dict
        `disagreement` of each face that has points in both.
    pixels : list of float
        Mean distance of its points.
    alone : int
        Faces of one round without one in the other.
    required, hidden, hidden_either : int
        Faces that only one round calls not required; points that only one round calls hidden, and that any does.
    unfinished : int
        Images that were left out, of both rounds.
    """

    images: int = 0
    only_first: int = 0
    only_second: int = 0
    faces: list[dict[str, float]] = field(default_factory=list)
    pixels: list[float] = field(default_factory=list)
    alone: int = 0
    required: int = 0
    hidden: int = 0
    hidden_either: int = 0
    unfinished: int = 0


def compare(first: DataSet, second: DataSet) -> Comparison:
    """Compare the rounds image by image, faces paired by overlap; raises DataSetError where their points differ in scheme."""
    if first.scheme is None or second.scheme is None or first.scheme.groups != second.scheme.groups:
        names = " and ".join(data.scheme.name if data.scheme else "none" for data in (first, second))
        raise DataSetError(f"the rounds have schemes {names}, expected the same points in both")
    rounds = [{sample.name: sample for sample in data.samples} for data in (first, second)]
    both = [name for name in rounds[0] if name in rounds[1]]
    result = Comparison(len(both), len(rounds[0]) - len(both), len(rounds[1]) - len(both))
    result.unfinished = sum(sum(data.left_out.values()) for data in (first, second))
    for name in both:
        ones, others = (samples[name].faces for samples in rounds)
        pairs = match([face.box for face in ones], [face.box for face in others], LEAST_IOU)
        matched = [(ones[k], others[other]) for k, other in enumerate(pairs) if other >= 0]
        result.alone += len(ones) + len(others) - 2 * len(matched)
        for one, other in matched:
            _add(result, first, one, other)
    return result


def _add(result: Comparison, data: DataSet, one: LabelledFace, other: LabelledFace) -> None:
    result.required += one.required != other.required
    if one.points is None or other.points is None or data.scheme is None:
        return
    size = float(np.mean([metrics.box_size(data.extent(face)) for face in (one, other)]))
    values = disagreement(one.points, other.points, data.scheme, size)
    if np.isnan(values["all"]):
        return
    result.faces.append(values)
    result.pixels.append(values["all"] * size / 100)
    hidden = [_hidden(face) for face in (one, other)]
    result.hidden += int((hidden[0] != hidden[1]).sum())
    result.hidden_either += int((hidden[0] | hidden[1]).sum())


def _hidden(face: LabelledFace) -> NDArray[np.bool_]:
    assert face.points is not None
    return np.zeros(len(face.points), bool) if face.visible is None else ~face.visible


def rounds_text(result: Comparison) -> str:
    """Table and sentences for a person."""
    rows: list[list[object]] = []
    for name in result.faces[0] if result.faces else ():
        values = np.array([face[name] for face in result.faces])
        values = values[np.isfinite(values)]
        if len(values):
            rows.append([name, len(values), *(figure(float(f(values))) for f in (np.mean, np.median, np.max))])
    said = [
        markdown_table(["points", "faces", "mean %", "median %", "worst %"], rows),
        "",
        "Distance of the two rounds, mean over the points of a face, % of sqrt(w h) of its box"
        + (f"; {np.mean(result.pixels):.2f} pixels over all points." if result.pixels else "."),
        f"{result.images} images in both rounds, {result.only_first} in the first only, {result.only_second} in the second only; "
        f"{result.unfinished} not finished.",
        f"{result.alone} faces in one round only; of {result.required} only one round says that they need not be found; "
        f"of {result.hidden_either} points that are called hidden, {result.hidden} are in one round only.",
    ]
    return "\n".join(said)


def _mean(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else np.nan
