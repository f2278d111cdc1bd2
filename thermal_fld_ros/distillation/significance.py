# SPDX-License-Identifier: Apache-2.0
"""Whether one method is ahead of another: paired tests over seeds and people, corrected for how many are made."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike


def paired_p(differences: ArrayLike) -> float:
    """Two-sided p of Student's paired t test that the mean of differences (N,) is 0; 1 for fewer than two, or where all are 0."""
    values = np.asarray(differences, np.float64)
    if len(values) < 2 or not values.any():
        return 1.0
    error = values.std(ddof=1) / math.sqrt(len(values))
    return t_tail(abs(float(values.mean())) / error, len(values) - 1) if error > 0 else 0.0


def t_tail(t: float, freedom: int) -> float:
    """Probability that the amount of a value of Student's distribution is at least t (Abramowitz and Stegun, 1964, 26.7.3 and 26.7.4)."""
    angle = math.atan2(t, math.sqrt(freedom))
    cosine = math.cos(angle) ** 2
    odd = freedom % 2
    term, total = 1.0, 1.0 if freedom > 1 else 0.0
    for k in range(2 + odd, freedom - 1, 2):
        term *= cosine * (k - 1) / k
        total += term
    even = math.sin(angle) * total
    return max(0.0, 1.0 - (2 / math.pi * (angle + math.cos(angle) * even) if odd else even))


def crossed_p(differences: ArrayLike, draws: int = 10000) -> float:
    """Two-sided p that the mean of differences (seeds, people) is 0, by a bootstrap that draws seeds and people with replacement.

    So it holds for other seeds and for other people (Owen, Ann. Appl. Stat. 1, 2007: conservative). Not below 2 / draws.
    """
    values = np.asarray(differences, np.float64)
    seeds, people = values.shape
    rng = np.random.default_rng(0)
    weights = rng.multinomial(people, np.full(people, 1 / people), draws) / people
    of_seeds = rng.integers(seeds, size=(draws, seeds))
    means = (values @ weights.T)[of_seeds.T, np.arange(draws)].mean(axis=0)
    share = min(float((means >= 0).mean()), float((means <= 0).mean()))
    return min(1.0, max(2 * share, 2 / draws))


def holm(values: Sequence[float]) -> list[float]:
    """The p values of a family of tests, corrected so that the chance of any false finding stays below each (Holm, 1979)."""
    order = sorted(range(len(values)), key=lambda k: values[k])
    corrected, largest = [1.0] * len(values), 0.0
    for rank, k in enumerate(order):
        largest = max(largest, min(1.0, (len(values) - rank) * values[k]))
        corrected[k] = largest
    return corrected
