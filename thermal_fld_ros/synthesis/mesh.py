# SPDX-License-Identifier: Apache-2.0
"""Parts of a person as triangles, with vertices in centimetres: layers over the skin, curtains of hair or cloth, tubes, ellipsoids."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from thermal_fld_ros.synthesis.morphable import Array, MorphableModel

Vector = NDArray[np.floating]

MATERIALS = ("skin", "mouth", "teeth", "eye", "hair", "glasses", "cloth", "hat", "mask", "object", "body")


@dataclass
class Mesh:
    """One material's triangles.

    ``canonical`` (V, 3) holds where each vertex lies on the neutral, unturned person: patterns stick to it.
    """

    material: str
    vertices: Array
    triangles: NDArray[np.int32]
    canonical: Array
    clear: bool = False  # glass: transparent in visible light, opaque to a thermal camera


def cm(*values: float) -> Array:
    """Centimetres as float32."""
    return np.array(values, np.float32)


@lru_cache
def grid(u: int, v: int) -> NDArray[np.int32]:
    """Triangles of a (u, v) vertex grid."""
    a = (np.arange(u - 1)[:, None] * v + np.arange(v - 1)).ravel()
    return np.concatenate([np.stack([a, a + 1, a + v], 1), np.stack([a + 1, a + v + 1, a + v], 1)]).astype(np.int32)


def curtain(
    material: str, length: float, radius: float, opening: float, rng: np.random.Generator, top: float = 11.5
) -> Mesh:
    """Hair or cloth that hangs around the head, open towards the face by ``opening`` radians to either side."""
    across, down = np.meshgrid(np.linspace(0, 1, 32), np.linspace(0, 1, 14), indexing="ij")
    left, right = (
        opening * (rng.uniform(0.85, 1.15) + 0.12 * np.sin(rng.uniform(2, 6) * down + rng.uniform(0, 6)))
        for _ in range(2)
    )
    angle = left + across * (2 * np.pi - right - left)
    ends = 1 + 0.05 * np.sin(rng.uniform(2, 9) * angle + rng.uniform(0, 6))
    y = top - down * length * ends
    swell = np.sqrt(np.clip(1 - ((y - 3) / 9.5).clip(0, 1) ** 2, 0.02, 1))
    wave = 1 + 0.05 * np.sin(3 * angle + rng.uniform(0, 6)) + 0.04 * np.sin(9 * down + rng.uniform(0, 6))
    r = radius * swell * wave * (1 + float(np.clip(0.12 * rng.normal(), -0.15, 0.3)) * down)
    vertices = np.stack([r * np.sin(angle), y, r * 1.08 * np.cos(angle) + 0.5], -1).reshape(-1, 3).astype(np.float32)
    return Mesh(material, vertices, grid(32, 14), vertices)


def tubes(starts: Vector, ends: Vector, radius: float | Vector, material: str) -> Mesh:
    """Straight fingers, limbs or cups with round ends, from (N, 3) to (N, 3)."""
    count = len(starts)
    vertices = _tube_vertices(starts, ends, np.ones(count) * radius).reshape(-1, 3)
    one = grid(6, 9)
    triangles = (one + 54 * np.arange(count, dtype=np.int32)[:, None, None]).reshape(-1, 3)
    return Mesh(material, vertices, triangles, vertices)


@njit(cache=True)
def _tube_vertices(starts, ends, radius):  # type: ignore[no-untyped-def]
    """Six rings of nine vertices a tube: (N, 6, 9, 3) float32."""
    width = np.array([0.25, 0.8, 1.0, 0.92, 0.75, 0.2])
    beyond = np.array([-0.9, -0.5, 0.0, 0.0, 0.5, 0.9])  # radii before the start, or after the end
    out = np.empty((len(starts), 6, 9, 3), np.float32)
    for n in range(len(starts)):
        axis = ends[n] - starts[n]
        length = np.sqrt((axis * axis).sum())
        axis /= length
        side = np.array([axis[1] + 1e-6, -axis[0], 0.0])  # across the axis, in the image
        side /= np.sqrt((side * side).sum())
        third = np.cross(axis, side)
        for k in range(6):
            middle = starts[n] + ((length if k > 2 else 0.0) + beyond[k] * radius[n]) * axis
            for j in range(9):
                a = 2 * np.pi * j / 8
                out[n, k, j] = middle + width[k] * radius[n] * (np.cos(a) * side + np.sin(a) * third)
    return out


def ellipsoid(centre: Array, radii: Array, material: str, power: float = 1.0) -> Mesh:
    """An ellipsoid; a ``power`` below 1 makes it a box with round corners."""

    def bent(values: NDArray[np.floating]) -> NDArray[np.floating]:
        return np.sign(values) * np.abs(values) ** power

    a, b = np.meshgrid(np.linspace(0, np.pi, 8), np.linspace(0, 2 * np.pi, 13), indexing="ij")
    unit = np.stack([bent(np.sin(a)) * bent(np.cos(b)), bent(np.cos(a)), bent(np.sin(a)) * bent(np.sin(b))], -1)
    v = (unit.reshape(-1, 3) * radii + centre).astype(np.float32)
    return Mesh(material, v, grid(8, 13), v)


def shell(model: MorphableModel, head: Array, depth: Array, material: str, thickness: float | Array,
           rng: np.random.Generator, edge: float = 0.4) -> Mesh:  # fmt: skip
    """A layer over the skin where ``depth`` (V,) cm is positive, bumpy along the direction from the head's middle.

    It reaches its thickness ``edge`` cm inside of its border and dives under the skin there.
    """
    surface = model.surfaces["skin"]
    near = depth > -0.1
    triangles = surface[near[surface[:, 0]] | near[surface[:, 1]] | near[surface[:, 2]]]
    used = np.zeros(len(head), bool)
    used[triangles] = True
    renumbered = np.cumsum(used, dtype=np.int32) - 1
    canonical = model.neutral[used]
    phase = canonical @ rng.normal(0, 0.8, (3, 3)).astype(np.float32) + rng.uniform(0, 6, 3).astype(np.float32)
    bumps = 1 + 0.125 * np.sin(phase) @ np.ones(3, np.float32)
    lift = np.broadcast_to(thickness, used.shape)[used] * bumps * np.clip(depth[used] / edge, -1, 1)
    return Mesh(material, _lifted(head[used], lift.astype(np.float32)), renumbered[triangles], canonical)


@njit(cache=True, fastmath=True)
def _lifted(vertices, lift):  # type: ignore[no-untyped-def]
    """Vertices (V, 3) moved by ``lift`` (V,) cm away from the middle of the head."""
    out = np.empty_like(vertices)
    for k in range(vertices.shape[0]):
        x, y, z = vertices[k, 0], vertices[k, 1] - np.float32(1), vertices[k, 2] - np.float32(2)
        factor = lift[k] / (np.sqrt(x * x + y * y + z * z) + np.float32(1e-6))
        out[k, 0], out[k, 1], out[k, 2] = (
            vertices[k, 0] + factor * x,
            vertices[k, 1] + factor * y,
            vertices[k, 2] + factor * z,
        )
    return out
