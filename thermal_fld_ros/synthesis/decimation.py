# SPDX-License-Identifier: Apache-2.0
"""A morphable model with fewer vertices, for people who are small in the image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from thermal_fld_ros.synthesis.morphable import MorphableModel


def decimated(model: MorphableModel, needed: NDArray[np.int64]) -> MorphableModel:
    """The model on about a third of its vertices, which lie where they lay.

    Of any two neighbours at most one stays, those at sharp places first; a vertex that goes is merged with its nearest
    neighbour that stays. Landmarks, ``needed`` vertices and the rims of openings all stay, so labels do not change.

    Parameters
    ----------
    needed : (N,) int64
        Vertices to keep; row i of ``decimated(...).landmarks`` is the same point as before.
    """
    count = len(model.neutral)
    triangles = model.triangles
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]).astype(np.int64)
    both = np.concatenate([edges, edges[:, ::-1]])
    keys, times = np.unique(both[:, 0] * count + both[:, 1], return_counts=True)
    start, end = keys // count, keys % count
    bend = np.zeros_like(model.neutral)
    np.add.at(bend, start, model.neutral[end] - model.neutral[start])
    always = np.zeros(count, np.bool_)
    always[start[times == 1]] = True  # rims: an edge of one triangle only
    always[np.union1d(model.landmarks, needed)] = True
    always[np.setdiff1d(np.arange(count), start)] = True  # vertices of no triangle
    first = np.searchsorted(start, np.arange(count + 1))
    order = np.argsort(-np.linalg.norm(bend, axis=1), kind="stable")
    kept = _independent(always, order, first, end)
    target = _nearest_kept(kept, first, end, model.neutral)
    renumbered = np.cumsum(kept) - 1
    merged = renumbered[target[triangles]].astype(np.int32)
    whole = (merged[:, 0] != merged[:, 1]) & (merged[:, 1] != merged[:, 2]) & (merged[:, 2] != merged[:, 0])
    return replace(
        model, neutral=model.neutral[kept], triangles=merged[whole], part=model.part[kept],
        identity=np.ascontiguousarray(model.identity[:, kept]), expression=np.ascontiguousarray(model.expression[:, kept]),
        landmarks=renumbered[model.landmarks],
    )  # fmt: skip


@njit(cache=True)
def _independent(always, order, first, end):  # type: ignore[no-untyped-def]
    """A maximal set of vertices (V,) bool without neighbours among each other, but for those that always stay."""
    kept = always.copy()
    covered = np.zeros(len(always), np.bool_)
    for v in range(len(always)):
        if always[v]:
            covered[end[first[v] : first[v + 1]]] = True
    for v in order:
        if not kept[v] and not covered[v]:
            kept[v] = True
            covered[end[first[v] : first[v + 1]]] = True
    return kept


@njit(cache=True)
def _nearest_kept(kept, first, end, position):  # type: ignore[no-untyped-def]
    """For each vertex itself if it stays, else its nearest neighbour that does (V,)."""
    target = np.arange(len(kept))
    for v in range(len(kept)):
        if not kept[v]:
            best = np.inf
            for k in range(first[v], first[v + 1]):
                distance = ((position[end[k]] - position[v]) ** 2).sum()
                if kept[end[k]] and distance < best:
                    best, target[v] = distance, end[k]
    return target
