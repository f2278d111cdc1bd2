# SPDX-License-Identifier: Apache-2.0
"""Openings of mouth and eyes, from which yawns, speech and blinks are detected."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

INNER_LIPS = ((62, 66),)
LIDS = ((37, 41), (38, 40), (43, 47), (44, 46))
LIPS_AND_LIDS = {"mouth": INNER_LIPS, "eyes": LIDS}
"""Pairs of iBUG points, upper and lower, whose mean distance is the opening."""
CLOSED = 1.5
"""Percent of the face's size below which a labelled opening counts as closed."""


def opening(points68: ArrayLike, size: float, pairs: tuple[tuple[int, int], ...] = INNER_LIPS) -> float:
    """Mean distance of the pairs of points among 68 (68, 2), in percent of the face's ``size``, both in the same pixels."""
    points = np.asarray(points68, dtype=np.float64)
    upper, lower = np.array(pairs).T
    return float(np.linalg.norm(points[upper] - points[lower], axis=-1).mean() / size * 100.0)


def agreement(predicted: ArrayLike, labelled: ArrayLike) -> dict[str, Any]:
    """How predicted openings (N,) follow the labelled ones (N,), both in percent of the face's size.

    Returns
    -------
    dict with `faces`, Pearson's `correlation`, the `slope` of the least-squares line of predicted over labelled, the mean
    difference `bias`, the number of faces that are labelled `closed` (below `CLOSED`), and the mean opening that is found for
    these, `closed_reads`. None where a figure does not exist.
    """
    found, truth = np.asarray(predicted, dtype=np.float64), np.asarray(labelled, dtype=np.float64)
    known = np.isfinite(found) & np.isfinite(truth)
    found, truth = found[known], truth[known]
    if len(truth) < 3:
        return {"faces": len(truth)}
    covariance = float(((found - found.mean()) * (truth - truth.mean())).mean())
    spread, variance = float(found.std() * truth.std()), float(truth.var())
    shut = truth < CLOSED
    return {
        "faces": len(truth),
        "correlation": round(covariance / spread, 3) if spread > 1e-9 else None,
        "slope": round(covariance / variance, 3) if variance > 1e-9 else None,
        "bias": round(float((found - truth).mean()), 3),
        "closed": int(shut.sum()),
        "closed_reads": round(float(found[shut].mean()), 3) if shut.any() else None,
    }
