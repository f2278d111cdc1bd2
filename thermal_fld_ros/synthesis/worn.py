# SPDX-License-Identifier: Apache-2.0
"""What people wear and hold before their faces, and the seat behind their heads."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.synthesis.mesh import Mesh, cm, curtain, ellipsoid, grid, shell, tubes
from thermal_fld_ros.synthesis.morphable import Array, MorphableModel
from thermal_fld_ros.synthesis.person import Glasses, Hat, Held


def mask(model: MorphableModel, head: Array, rng: np.random.Generator) -> list[Mesh]:
    """A face mask from the bridge of the nose to below the chin."""
    x, y, z = model.neutral.T
    depth = np.minimum(np.minimum(1.4 - 0.03 * np.abs(x) ** 1.6 - y, y + 8.3), z - 3.5)
    return [shell(model, head, depth, "mask", 0.8, rng), _mask_front(head[model.landmarks])]


def _mask_front(landmarks: Array) -> Mesh:
    """The part of a mask before nose and mouth, which the lips do not move: a patch over the (68, 3) points."""
    across, down = np.meshgrid(np.linspace(-1, 1, 7), np.linspace(0, 1, 6), indexing="ij")
    left, right = landmarks[[31, 48], 0].min() - 0.8, landmarks[[35, 54], 0].max() + 0.8
    x = (left + right) / 2 + across * (right - left) / 2
    y = landmarks[30, 1] + down * (landmarks[8, 1] + 0.4 - landmarks[30, 1])
    lips = landmarks[48:68, 2].max() + 0.3
    z = np.interp(down, [0, 0.3, 0.75, 1], [landmarks[30, 2], lips + 0.6, lips + 0.3, landmarks[8, 2]]) + 0.6
    vertices = np.stack([x, y, z - 2.0 * across**2], -1).reshape(-1, 3).astype(np.float32)
    return Mesh("mask", vertices, grid(7, 6), vertices)


def glasses(model: MorphableModel, head: Array, g: Glasses) -> list[Mesh]:
    """Two superelliptic lenses, their rims, a bridge and two temples."""
    landmarks = head[model.landmarks]
    vertices: list[Array] = []
    triangles: list[NDArray[np.int32]] = []
    lenses: list[Mesh] = []

    def add(v: Array, t: NDArray[np.int32]) -> None:
        triangles.append(t + sum(map(len, vertices)))
        vertices.append(v.astype(np.float32))

    eyes = [landmarks[36:42].mean(0), landmarks[42:48].mean(0)]
    if g.goggles:
        a, h = np.meshgrid(np.linspace(-1.05, 1.05, 12), np.linspace(-1, 1, 4), indexing="ij")
        depth = max(e[2] for e in eyes) + g.forward + 0.5
        v = np.stack([8 * np.sin(a), eyes[0][1] + g.height * 1.1 * h, depth - 8 * (1 - np.cos(a))], -1)
        band = v.reshape(-1, 3).astype(np.float32)
        return [Mesh("glasses", band, grid(12, 4), band)]
    forward = max(e[2] for e in eyes) + g.forward
    half = min(g.width, abs(eyes[1][0]) - 0.25)
    for eye in eyes:
        side = np.sign(eye[0])
        a = np.linspace(0, 2 * np.pi, 25)
        dx = half * np.sign(np.cos(a)) * np.abs(np.cos(a)) ** (2 / g.power)
        dy = g.height * np.sign(np.sin(a)) * np.abs(np.sin(a)) ** (2 / g.power)
        dy = np.minimum(dy, 1.9)  # no higher than the brows
        rim = np.stack([eye[0] + dx, eye[1] - g.drop + dy, np.full_like(a, forward)], 1)
        rim[:, 2] -= g.wrap * (np.abs(rim[:, 0]) - 1.5).clip(0)
        inner = rim.mean(0) + (rim - rim.mean(0)) * (1 - g.rim / half)
        ring = np.arange(24)
        add(np.concatenate([rim, inner]), np.concatenate([np.stack([ring, ring + 1, ring + 25], 1),
            np.stack([ring + 1, ring + 26, ring + 25], 1)]).astype(np.int32))  # fmt: skip
        if g.opaque:
            lens = np.concatenate([inner, rim.mean(0, keepdims=True)]).astype(np.float32)
            fan = np.stack([ring, ring + 1, np.full(24, 25)], 1).astype(np.int32)
            lenses.append(Mesh("glasses", lens, fan, lens, clear=True))
        ear = np.array([side * (abs(landmarks[[0, 16], 0]).mean() + 0.9), eye[1] + 0.3, 1.5])
        hinge = np.array([eye[0] + side * half, eye[1] - g.drop + 0.6, forward - g.wrap * (abs(eye[0]) + half - 1.5)])
        up = np.array([0, g.arms, 0])
        add(np.stack([hinge - up, hinge + up, ear - up, ear + up]), np.array([[0, 1, 2], [1, 3, 2]], np.int32))
    gap = abs(eyes[0][0]) - half
    y = (eyes[0][1] + eyes[1][1]) / 2 - g.drop + 0.6
    low, high = y - 0.6 * g.arms, y + 0.6 * g.arms
    add(np.array([[-gap, low, forward], [-gap, high, forward], [gap, low, forward], [gap, high, forward]]),
        np.array([[0, 1, 2], [1, 3, 2]], np.int32))  # fmt: skip
    v = np.concatenate(vertices)
    return [Mesh("glasses", v, np.concatenate(triangles), v), *lenses]


def hat(model: MorphableModel, head: Array, hat: Hat, rng: np.random.Generator) -> list[Mesh]:
    """A cap, hat, helmet or hood, or a scarf around the head."""
    x, y, z = model.neutral.T
    if hat.scarf:  # leaves an oval of the face, and hangs over the shoulders
        oval = np.hypot(x / 6.4, (y - 0.3) / (hat.height - 0.5)) - 1
        depth = np.where(z > 2, np.minimum(6 * oval, 4.0), 4.0)
        return [shell(model, head, depth.astype(np.float32), "hat", 0.4 + 0.6 * hat.thick, rng, edge=0.6)]
    level = hat.height - hat.tilt * (11 - z)
    meshes = [shell(model, head, y - level, "hat", hat.thick + 0.8, rng)]
    if hat.hood:
        meshes.append(curtain("hat", 32, 10.5, 0.85, rng))
    if hat.brim > 0:
        a, r = np.meshgrid(np.linspace(-1.1, 1.1, 16), np.linspace(0, 1, 5), indexing="ij")
        reach = 9.0 + r * hat.brim
        v = np.stack([8.5 / 9 * reach * np.sin(a), hat.height - 0.1 * reach * r, 3.5 + reach * np.cos(a)], -1)
        brim = v.reshape(-1, 3).astype(np.float32)
        meshes.append(Mesh("hat", brim, grid(16, 5), brim))
    return meshes


def headphones(rng: np.random.Generator) -> list[Mesh]:
    """Two cups over the ears and a band over the crown."""
    size = rng.uniform(0.7, 1.1)
    cups = [ellipsoid(cm(side * 8.6, 1.0, -0.3), size * cm(1.6, 3.8, 3.3), "hat") for side in (-1, 1)]
    a, across = np.meshgrid(np.linspace(-1.55, 1.55, 16), np.linspace(-1, 1, 3), indexing="ij")
    band = np.stack([9.6 * np.sin(a), 2 + 12.3 * np.cos(a), rng.uniform(0.5, 2) * across - 0.5], -1)
    vertices = band.reshape(-1, 3).astype(np.float32)
    return [*cups, Mesh("hat", vertices, grid(16, 3), vertices)]


def seat(half: float, rng: np.random.Generator) -> list[Mesh]:
    """A headrest and the seat's back, close behind the head."""
    centre = cm(rng.normal(0, 2), rng.uniform(-1, 7), -14 - rng.exponential(3))
    back = cm(centre[0], centre[1] - 36, centre[2] - 4)
    return [ellipsoid(centre, cm(half, rng.uniform(6, 9), 3), "object", 0.5),
            ellipsoid(back, cm(rng.uniform(22, 30), 30, 5), "object", 0.5)]  # fmt: skip


def hand(held: Held, shape: Array, model: MorphableModel) -> list[Mesh]:
    """Palm, fingers, thumb and forearm in front of the turned face ``shape``, and what the hand holds."""
    landmarks = shape[model.landmarks]
    xy = landmarks[:, :2].mean(0) + cm(*held.at)
    close = ((shape[:, :2] - xy) ** 2).sum(1) < 9
    front = float(shape[close, 2].max(initial=landmarks[:, 2].mean())) + held.lift
    c, s = np.cos(held.direction), np.sin(held.direction)
    along, across = np.array([c, s, 0.1]), np.array([s, -c, 0.0])
    tip = np.array([*xy, front])
    palm = tip - 11 * held.size * along
    k = np.arange(4)[:, None] - 1.5
    knuckles = palm + held.size * (3.6 * along + 1.75 * k * across)
    ends = knuckles + held.size * (7.4 - 0.5 * (k + 0.1) ** 2) * (along + 0.6 * held.spread * k * across)
    thumb = palm - 3.4 * held.size * across
    wrist = palm - 3 * held.size * along
    starts = np.stack([*knuckles, thumb, wrist])
    stops = np.stack([*ends, thumb + held.size * (5 * along - 2.5 * across), palm - 30 * along - np.array([0, 0, 6])])
    hand = [tubes(starts, stops, held.size * np.array([0.92, 0.92, 0.92, 0.92, 0.95, 2.8]), "body")]
    turn = np.stack([across, along, [0, 0, 1]], 1)
    flat = ellipsoid(cm(0, 0, 0), held.size * cm(4.2, 5.0, 1.5), "body")
    flat.vertices = (flat.vertices @ turn.T + palm).astype(np.float32)
    hand.append(flat)
    if held.what == "phone":
        box = ellipsoid(cm(0, 0, 0), cm(3.8, 7.5, 0.6), "object", 0.15)
        box.vertices = (box.vertices @ turn.T + tip - 4 * along - [0, 0, 1.2]).astype(np.float32)
        hand.append(box)
    elif held.what == "cup":
        hand.append(tubes(tip[None], tip[None] - np.array([0, 7.0, 0]), 3.2, "object"))
    return hand
