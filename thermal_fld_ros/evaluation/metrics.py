# SPDX-License-Identifier: Apache-2.0
"""Errors of landmarks: pure functions over arrays.

An error is a distance in percent of a face's size. A face that was not found has the error infinity: it counts as a failure, and
in the cumulated curves, but no mean can hold it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

POINT_SETS: dict[str, tuple[int, ...]] = {
    "68": tuple(range(68)),
    "51": tuple(range(17, 68)),
    "54": (*range(48), 48, 51, 54, 57, 62, 66),
}
REPORTED_SETS = ("68", "51")
"""The sets of points that training reports where they are labelled."""
FACE_PARTS: dict[str, tuple[int, ...]] = {
    "jaw": tuple(range(17)),
    "brows": tuple(range(17, 27)),
    "nose": tuple(range(27, 36)),
    "eyes": tuple(range(36, 48)),
    "mouth": tuple(range(48, 60)),
    "inner mouth": tuple(range(60, 68)),
}
OUTER_EYE_CORNERS = (36, 45)
YAW_BINS = (0, 15, 30, 45, 60, 75, 90)
FAILURES = (8.0, 10.0)  # percent
CURVE = np.arange(0.0, 20.25, 0.25)  # percent: where cumulated curves are told


def point_errors(predicted: ArrayLike, labelled: ArrayLike, size: float) -> Array:
    """Distances of points in percent of a face's size.

    Parameters
    ----------
    predicted, labelled : (K, 2)
        In the same pixels; NaN where a point is not labelled.
    size : float
        Of the face in pixels: `box_size` of its box, or `interocular` distance.

    Returns
    -------
    (K,) percent, NaN where a point is not labelled.
    """
    difference = np.asarray(predicted, dtype=np.float64) - np.asarray(labelled, dtype=np.float64)
    return np.linalg.norm(difference, axis=-1) / size * 100.0


def shifted(predicted: ArrayLike, labelled: ArrayLike) -> Array:
    """Predicted points (K, 2), moved as a whole so that their mean is that of the labelled ones (K, 2; NaN: not labelled).

    Labels that come from another image, as from the RGB half of a pair, are misplaced as a whole: their error stays after this.
    """
    found, truth = np.asarray(predicted, dtype=np.float64), np.asarray(labelled, dtype=np.float64)
    known = np.isfinite(truth).all(axis=-1) & np.isfinite(found).all(axis=-1)
    return found - (found[known] - truth[known]).mean(axis=0) if known.any() else found


def line_distances(points: ArrayLike, line: ArrayLike) -> Array:
    """Distances (N,) of points (N, 2) from a polyline (K, 2), K at least 2."""
    positions, corners = np.asarray(points, dtype=np.float64), np.asarray(line, dtype=np.float64)
    start, along = corners[:-1], np.diff(corners, axis=0)
    length = np.maximum((along**2).sum(axis=1), 1e-12)
    part = np.clip(((positions[:, None] - start) * along).sum(axis=-1) / length, 0.0, 1.0)
    return np.asarray(np.linalg.norm(positions[:, None] - start - part[..., None] * along, axis=-1).min(axis=1))


def interval(errors: ArrayLike, people: Sequence[str], draws: int = 2000) -> list[float] | None:
    """Bounds of the mean error with 95 % confidence, by a bootstrap over people; None where there are fewer than three.

    Faces of one person are alike, so it is people that are drawn with replacement (Efron, 1979), each with all their faces (N,).
    Errors that are not finite are left out.
    """
    array = np.asarray(errors, dtype=np.float64)
    names = sorted({name for name, value in zip(people, array, strict=True) if np.isfinite(value)})
    if len(names) < 3:
        return None
    rows = [array[[other == name for other in people]] for name in names]
    sums = np.array([row[np.isfinite(row)].sum() for row in rows])
    counts = np.array([np.isfinite(row).sum() for row in rows])
    chosen = np.random.default_rng(0).integers(len(names), size=(draws, len(names)))
    means = sums[chosen].sum(axis=1) / counts[chosen].sum(axis=1)
    return [_rounded(bound) for bound in np.percentile(means, (2.5, 97.5))]


def box_size(box: ArrayLike) -> float:
    """The root of a box's (x, y, width, height) area, in pixels."""
    _, _, width, height = np.asarray(box, dtype=np.float64).tolist()
    return float(np.sqrt(width * height))


def interocular(points68: ArrayLike) -> float:
    """Distance of the outer corners of the eyes among 68 points, in pixels."""
    right, left = np.asarray(points68, dtype=np.float64)[list(OUTER_EYE_CORNERS)]
    return float(np.linalg.norm(right - left))


def mean_error(errors: ArrayLike) -> float | None:
    """Mean of what is finite, None if nothing is."""
    array = np.asarray(errors, dtype=np.float64)
    finite = array[np.isfinite(array)]
    return _rounded(finite.mean()) if finite.size else None


def failure_rate(errors: ArrayLike, limit: float) -> float:
    """Share of faces (N,) whose mean error is above a limit in percent; a face that was not found (infinity) is a failure."""
    return float((np.asarray(errors, dtype=np.float64) > limit).mean())


def cumulated(errors: ArrayLike, limits: ArrayLike) -> Array:
    """The cumulative error distribution: share of faces (N,) with an error of at most each of the limits (M,), as (M,)."""
    ranked = np.sort(np.asarray(errors, dtype=np.float64))
    return np.searchsorted(ranked, np.asarray(limits, dtype=np.float64), side="right") / len(ranked)


def area_under_curve(errors: ArrayLike, limit: float) -> float:
    """Area under the cumulative error distribution from 0 to a limit in percent, in [0, 1]; 1 when all errors are 0.

    Exact, not sampled: each face contributes the part of the interval that lies above its error.
    """
    array = np.asarray(errors, dtype=np.float64)
    return float(np.clip(1.0 - array / limit, 0.0, 1.0).mean())


def yaw_bin(yaw: float) -> str:
    """Name of the bin of a yaw in degrees, by its size: "0-15" to "75-90"."""
    index = int(np.clip(np.searchsorted(YAW_BINS, abs(yaw), side="right") - 1, 0, len(YAW_BINS) - 2))
    return f"{YAW_BINS[index]}-{YAW_BINS[index + 1]}"


def error_summary(errors: Sequence[float] | Array) -> dict[str, float | int | list[float] | None]:
    """The figures of a set of faces.

    Parameters
    ----------
    errors : (N,)
        Mean error of each face in percent; infinity where it was not found, NaN where nothing is labelled: that one is left out.

    Returns
    -------
    dict with `faces`, `missed`, of the faces that were found the mean `nme`, the `median` and the `worst`, and of all faces
    `failure_8` and `failure_10` (shares), `auc_8`, `auc_10` and `curve` (shares at `CURVE`).
    """
    array = np.asarray(errors, dtype=np.float64)
    array = array[~np.isnan(array)]
    if not array.size:
        return {"faces": 0, "missed": 0}
    found = array[np.isfinite(array)]
    return {
        "faces": len(array),
        "missed": int(len(array) - len(found)),
        "nme": _rounded(found.mean()) if found.size else None,
        "median": _rounded(np.median(found)) if found.size else None,
        "worst": _rounded(found.max()) if found.size else None,
        **{f"failure_{limit:g}": _rounded(failure_rate(array, limit)) for limit in FAILURES},
        **{f"auc_{limit:g}": _rounded(area_under_curve(array, limit)) for limit in FAILURES},
        "curve": [_rounded(share) for share in cumulated(array, CURVE)],
    }


def _rounded(value: float) -> float:
    return round(float(value), 4)
