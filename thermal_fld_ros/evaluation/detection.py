# SPDX-License-Identifier: Apache-2.0
"""Faces found and missed, by the overlap of boxes (x, y, width, height)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermal_fld_ros.perception.geometry import iou

Array = NDArray[np.float64]
SIZE_BINS = ((0.0, 24.0), (24.0, 48.0), (48.0, 96.0), (96.0, float("inf")))
"""Of faces, by the root of their box's area in pixels."""


def size_name(low: float, high: float) -> str:
    """A size bin as it is shown: "24-48", "96+"."""
    return f"{low:g}-{high:g}" if np.isfinite(high) else f"{low:g}+"


def overlaps(boxes: ArrayLike, others: ArrayLike) -> Array:
    """Intersection over union of each of `boxes` (N, 4) with each of `others` (M, 4), as (N, M)."""
    many = np.asarray(others, dtype=np.float64).reshape(-1, 4)
    rows = [iou(box, many) for box in np.asarray(boxes, dtype=np.float64).reshape(-1, 4)]
    return np.stack(rows) if rows else np.zeros((0, len(many)))


def match(found: ArrayLike, labelled: ArrayLike, least_iou: float) -> list[int]:
    """Pair found boxes (N, 4) with labelled ones (M, 4), best overlaps first, each at most once.

    Returns for each found box the index of its labelled one, or -1.
    """
    table = overlaps(found, labelled)
    pairs = [-1] * len(table)
    while table.size and table.max() >= least_iou:
        one, other = np.unravel_index(int(table.argmax()), table.shape)
        pairs[one] = int(other)
        table[one, :] = table[:, other] = -1.0
    return pairs


def centre_inside(box: ArrayLike, others: ArrayLike) -> bool:
    """Whether the centre of a box (4,) lies in any of `others` (M, 4)."""
    x, y, width, height = np.asarray(box, dtype=np.float64).tolist()
    centre = np.array([x + width / 2, y + height / 2])
    many = np.asarray(others, dtype=np.float64).reshape(-1, 4)
    return bool(((centre >= many[:, :2]) & (centre <= many[:, :2] + many[:, 2:])).all(axis=1).any())


def average_precision(outcomes: Sequence[tuple[float, bool]], positives: int) -> float:
    """Area under the precision-recall curve, with the precision made monotonic, over all recalls (PASCAL VOC 2010 and later).

    Parameters
    ----------
    outcomes : sequence of (score, whether it is a labelled face)
        Of all detections of a data set.
    positives : int
        Labelled faces.
    """
    if not positives:
        return float("nan")
    ranked = sorted(outcomes, key=lambda outcome: -outcome[0])
    hits = np.array([hit for _, hit in ranked], dtype=np.float64)
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((envelope * hits).sum() / positives)


def outcomes_of(
    found: ArrayLike,
    scores: ArrayLike,
    labelled: ArrayLike,
    counted: ArrayLike,
    least_iou: float,
    sizes: tuple[float, float],
) -> list[tuple[float, bool]]:
    """What an image's detections are worth for the average precision of faces of some sizes.

    Parameters
    ----------
    found : (N, 4)
    scores : (N,)
    labelled : (M, 4)
    counted : (M,) bool
        Whether a labelled face is one to be found (of that size, and required); a detection of another one is left out.
    least_iou : float
    sizes : (float, float)
        A detection of no labelled face is left out, too, when its own size is not in this range.

    Returns
    -------
    list of (score, whether it is a counted face), as `average_precision` takes it.
    """
    boxes = np.asarray(found, dtype=np.float64).reshape(-1, 4)
    many, keep = np.asarray(labelled, dtype=np.float64).reshape(-1, 4), np.asarray(counted, dtype=bool)
    free = np.ones(len(many), dtype=bool)
    outcomes = []
    for index in np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable"):
        overlap = np.where(free, iou(boxes[index], many), -1.0)
        best = int(overlap.argmax()) if overlap.size else -1
        score = float(np.asarray(scores)[index])
        if best >= 0 and overlap[best] >= least_iou:
            free[best] = False
            if keep[best]:
                outcomes.append((score, True))
        elif not centre_inside(boxes[index], many[~keep]) and sizes[0] <= np.sqrt(boxes[index, 2:].prod()) < sizes[1]:
            outcomes.append((score, False))
    return outcomes
