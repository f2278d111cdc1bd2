# SPDX-License-Identifier: Apache-2.0
"""Whether the confidence of points means what it says: the probability that a point lies within 5 % of the face's size."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

RIGHT_LIMIT = 5.0  # percent of the root of the box's area, as the model contract says
BINS = 10


def reliability(confidence: ArrayLike, right: ArrayLike, bins: int = BINS) -> dict[str, Any]:
    """Compare stated with observed probabilities.

    Parameters
    ----------
    confidence : (N,) in [0, 1]
    right : (N,) bool
        Whether each point lay within the limit.
    bins : int
        Of equal width.

    Returns
    -------
    dict with `points` (count), `ece` (the expected calibration error: mean difference of stated and observed probability over
    the bins, weighted by their counts; Naeini et al., AAAI 2015), mean `stated` and `observed` probability, and `bins`: a list of
    {`stated`, `observed`, `points`} of those that hold points.
    """
    stated, observed = np.asarray(confidence, dtype=np.float64), np.asarray(right, dtype=np.float64)
    if not stated.size:
        return {"points": 0}
    index = np.minimum((stated * bins).astype(int), bins - 1)
    rows = [
        {
            "stated": round(float(stated[mine].mean()), 4),
            "observed": round(float(observed[mine].mean()), 4),
            "points": int(mine.sum()),
        }
        for mine in (index == k for k in range(bins))
        if mine.any()
    ]
    gap = sum(row["points"] * abs(row["stated"] - row["observed"]) for row in rows) / stated.size
    return {
        "points": int(stated.size),
        "ece": round(gap, 4),
        "stated": round(float(stated.mean()), 4),
        "observed": round(float(observed.mean()), 4),
        "bins": rows,
    }
