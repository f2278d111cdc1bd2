# SPDX-License-Identifier: Apache-2.0
"""From a person's description to meshes: head, hair, trunk and limbs, with all that is worn, turned and placed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numba import njit

from thermal_fld_ros.synthesis import worn
from thermal_fld_ros.synthesis.mesh import Mesh, cm, curtain, ellipsoid, grid, shell, tubes
from thermal_fld_ros.synthesis.morphable import Array, MorphableModel
from thermal_fld_ros.synthesis.person import Person

NECK = np.array([0.0, -7.0, -1.0], np.float32)  # pivot of the head's turns


def build(model: MorphableModel, person: Person) -> tuple[list[Mesh], Array]:
    """Meshes of a person, turned and placed with the head's origin at 0, and the (68, 3) landmarks' vertices.

    Returns
    -------
    meshes
        Vertices in the camera-facing frame (x right, y up, z towards the camera), cm.
    shape : (V, 3) float32
        The morphed head after the turn; row ``model.landmarks[i]`` is landmark i.
    """
    rng = np.random.default_rng(person.seed)
    head = _proportioned(model, model.morph(person.identity, person.expression), person)
    # the model's bare chest is under the clothes; the skin ends a little below their edge, which covers its end
    edge = person.collar - 0.9 - person.neckline * np.clip(model.neutral[:, 2] / 6, 0, 1)
    above = model.neutral[:, 1] > edge
    head[~above] *= cm(0.75, 1, 0.75)  # so that nothing sticks out of the collar
    skin = model.surfaces["skin"]
    surfaces = {**model.surfaces, "skin": skin[above[skin[:, 0]] | above[skin[:, 1]] | above[skin[:, 2]]]}
    meshes = [Mesh(name, head, triangles, model.neutral) for name, triangles in surfaces.items()]
    if person.hair > 0:
        meshes.append(_hair_cap(model, head, person, rng))
    if person.long_hair > 0:
        radius = 8.3 + min(person.hair, 2)
        meshes.append(curtain("hair", person.long_hair, radius, person.opening, rng))
    if person.bun > 0:
        knot = np.array([0, rng.uniform(-3, 10), -10 - 0.5 * person.bun], np.float32)
        meshes.append(ellipsoid(knot, person.bun * np.array([1, rng.uniform(0.8, 2.2), 0.9], np.float32), "hair"))
    if person.strands:
        meshes.append(_strands(model, head, person, rng))
    if person.beard > 0.8 and not person.mask:  # long enough to stand off; shorter beards are painted on the skin
        ragged = 0.1 * np.sin(2 * model.neutral @ rng.normal(0, 1, 3).astype(np.float32))
        depth = (1.5 * (beard_mask(model.neutral) - 0.7) + ragged).astype(np.float32)
        meshes.append(shell(model, head, depth, "hair", rng.uniform(0.3, 1.5), rng, edge=0.6))
    if person.mask:
        meshes += worn.mask(model, head, rng)
    if person.glasses:
        meshes += worn.glasses(model, head, person.glasses)
    if person.hat:
        meshes += worn.hat(model, head, person.hat, rng)
    if person.headphones:
        meshes += worn.headphones(rng)
    if person.scarf > 0:
        meshes.append(
            curtain("cloth", rng.uniform(6, 10), rng.uniform(8.5, 10.5), 0.0, rng, top=person.collar + person.scarf)
        )
    if person.upright_collar > 0:
        collar_top = person.collar + person.upright_collar
        meshes.append(
            curtain("cloth", person.upright_collar + 3, rng.uniform(8, 10), rng.uniform(0.2, 0.9), rng, top=collar_top)
        )
    rotation = euler(person.yaw, person.pitch, person.roll)
    trunk = euler(person.trunk_yaw, person.trunk_pitch, 0)
    below = euler(0, person.trunk_pitch, 0)
    shape = _turn(head, rotation, below)
    turned = [replace(m, vertices=shape if m.vertices is head else _turn(m.vertices, rotation, below)) for m in meshes]
    near = np.flatnonzero(np.abs(model.neutral[:, 1] - person.collar - 0.5) < 0.8)
    neck = float(np.abs(head[near, 0]).max(initial=5.0)) + 0.2
    lift = float((head[near, 1] - model.neutral[near, 1]).mean()) if len(near) else 0.0  # of a child's or a short head
    person = replace(person, collar=person.collar + lift)
    upright = [_trunk(person, neck), *_limbs(person, rng)]
    if person.headrest > 0:
        upright += worn.seat(person.headrest, rng)
    for mesh in upright:
        mesh.vertices = ((mesh.vertices - NECK) @ trunk.T + NECK).astype(np.float32)
    return turned + upright + [mesh for held in person.objects for mesh in worn.hand(held, shape, model)], shape


def _proportioned(model: MorphableModel, head: Array, person: Person) -> Array:
    """The head wider, higher or deeper, broader in nose or jaw, or with a child's proportions."""

    def near(centre: Array, *sigma: float) -> Array:
        return np.exp(-0.5 * (((model.neutral - centre) / cm(*sigma)) ** 2).sum(1, keepdims=True))

    y = model.neutral[:, 1]
    landmarks = model.neutral[model.landmarks]
    nose = near(landmarks[33], 2.0, 1.6, 2.5)[:, 0]
    head[:, 0] *= (1 + (person.nose - 1) * nose) * (1 + (person.jaw - 1) * np.clip((1 - y) / 5, 0, 1))
    if person.child > 0:
        head = head - person.child * near(landmarks[30], 1.6, 2.2, 3) * cm(0, -0.35, 1.0)
        for eye in (landmarks[36:42].mean(0), landmarks[42:48].mean(0)):
            head = head + 0.13 * person.child * near(eye, 1.8, 1.8, 1.8) * (head - eye) * cm(1, 1, 0)
        head[:, 1] += 0.10 * person.child * np.clip(2.0 - y, 0, 10)
        head[:, 0] *= 1 - 0.18 * person.child * np.clip((-7 - y) / 4, 0, 1)
    return np.asarray(head * cm(*person.proportions) * np.float32(1 - 0.1 * person.child), np.float32)


def euler(yaw: float, pitch: float, roll: float) -> Array:
    """Rotation (3, 3) float32 of the head: yaw about y, then pitch about x, then roll about z; radians."""
    cy, sy, cp, sp, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return (about_z @ about_x @ about_y).astype(np.float32)


@njit(cache=True, fastmath=True)
def _turn(vertices, rotation, below):  # type: ignore[no-untyped-def]
    """Turn the head (V, 3) about the neck; what lies below the chin follows ``below``, the trunk's turn, more and more."""
    out = np.empty_like(vertices)
    for k in range(vertices.shape[0]):
        follow = min(max((vertices[k, 1] + np.float32(19)) / np.float32(9), np.float32(0)), np.float32(1))
        follow *= follow * (np.float32(3) - np.float32(2) * follow)
        x, y, z = vertices[k, 0] - NECK[0], vertices[k, 1] - NECK[1], vertices[k, 2] - NECK[2]
        for j in range(3):
            turned = rotation[j, 0] * x + rotation[j, 1] * y + rotation[j, 2] * z
            lower = below[j, 0] * x + below[j, 1] * y + below[j, 2] * z
            out[k, j] = NECK[j] + lower + follow * (turned - lower)
    return out


def hairline_height(canonical: Array, person: Person) -> Array:
    """Height (V,) above which hair grows, on the neutral head."""
    x, _, z = canonical.T
    line = np.interp(z, [-9, -2, 1.5, 3.0, 6.0, 9.0, 11.0], [-6.5, -5, -1.0, 4.5, 8.0, 9.8, 10.3])
    line = line + np.where(z > 2.5, person.hairline, person.hairline * 0.2)
    side = 1.5 * (person.seed % 7 - 3)  # where the fringe is longest
    jags = 0.3 * np.cos(2.3 * x + person.seed % 11) + 0.2 * np.cos(5.1 * x)
    fringe = person.fringe * (1 + jags) * np.exp(-(((x - side) / 6) ** 2))
    return (line - fringe * np.clip((z - 3) / 3, 0, 1)).astype(np.float32)


def beard_mask(canonical: Array) -> Array:
    """Where a full beard grows on the neutral face: 0 to 1 (V,)."""
    x, y, z = canonical.T
    side = 1 / (1 + np.exp(-(np.abs(x) - 0.36 * (y + 12) - 1.2) * 3))  # cheeks: only near the jaw line
    chin = 1 / (1 + np.exp((y + 4.9 - 0.03 * x * x) * 4))
    low = 1 / (1 + np.exp((y - 1.0) * 2)) / (1 + np.exp(-(y + 11) * 2)) / (1 + np.exp(-(z - 2.0) * 2))
    return np.clip(np.maximum(side * (y < 2), chin) * low, 0, 1).astype(np.float32)


def _hair_cap(model: MorphableModel, head: Array, person: Person, rng: np.random.Generator) -> Mesh:
    above = model.neutral[:, 1] - hairline_height(model.neutral, person)
    above += 0.3 * np.sin(model.neutral @ rng.normal(0, 1.5, 3).astype(np.float32) + rng.uniform(0, 6))
    x, y, z = model.neutral.T
    outside_ear = np.maximum(np.maximum(np.abs(y - 0.75) - 4.75, np.abs(z - 0.25) - 4.25), 7.4 - np.abs(x))
    depth = np.minimum(above, outside_ear)
    thickness = person.hair * np.clip(above / 3.0 + 0.25, 0.1, 1)
    return shell(
        model, head, depth.astype(np.float32), "hair", thickness.astype(np.float32), rng, rng.uniform(0.3, 1.2)
    )


def _strands(model: MorphableModel, head: Array, person: Person, rng: np.random.Generator) -> Mesh:
    """Locks that hang from the hairline over forehead and temples: ribbons that follow the skin."""
    skin = model.neutral[: len(model.neutral) // 2]  # the face comes first
    front = np.flatnonzero((skin[:, 2] > 2) & (np.abs(skin[:, 1] - 4) < 7))[::8]
    middle, slant = rng.uniform(-5, 5), rng.normal(0, 0.4)
    x = rng.normal(middle, rng.uniform(0.5, 4), person.strands).clip(-7, 7)
    length = rng.uniform(0.5, 1, person.strands) * rng.choice([rng.uniform(1.5, 5), rng.uniform(4, 12)], p=[0.75, 0.25])
    lean = rng.normal(slant, 0.15, person.strands)
    steps = np.linspace(0, 1, 6)
    top = np.interp(np.abs(x), [0, 4, 6, 7], [10.3, 9.6, 7.0, 5.0]) + person.hairline
    path = np.stack([x[:, None] + (lean * length)[:, None] * steps**1.5, top[:, None] - length[:, None] * steps], -1)
    flat = path.reshape(-1, 2).astype(np.float32)
    nearest = front[((skin[front, :1] - flat[:, 0]) ** 2 + (skin[front, 1:2] - flat[:, 1]) ** 2).argmin(0)]
    delta = head[nearest] - model.neutral[nearest]
    spine = np.concatenate([flat, model.neutral[nearest, 2:] + 0.3], 1) + delta
    width = (rng.uniform(0.05, 0.35, person.strands)[:, None] * (1.05 - steps)).reshape(-1, 1) * cm(1, 0, 0)
    vertices = np.stack([spine - width, spine + width], 1).reshape(-1, 3).astype(np.float32)
    strip = grid(6, 2)
    triangles = np.concatenate([strip + 12 * k for k in range(person.strands)]).astype(np.int32)
    return Mesh("hair", vertices, triangles, vertices)


def _trunk(person: Person, neck: float) -> Mesh:
    """Shoulders and chest below the neckline, turned by the trunk's own yaw; ``neck`` is half its width at the collar."""
    y = np.array([0.5, -0.4, -1.5, -3.5, -6, -9, -14, -24, -45, -66, -74], np.float32) + person.collar
    slope = np.array([0.0, 0.06, 0.2, 0.55, 0.85, 1.0, 0.98, 0.9, 0.75, 0.85, 0.7])  # from the neck to the shoulders
    grow = neck + slope * (person.shoulders - neck)
    deep = np.array([8, 8.2, 8.6, 9, 9.8, 10.5, 11.5, 12, 11, 11, 9])
    a = np.linspace(0, 2 * np.pi, 41)
    ring_x = np.sign(np.sin(a)) * np.abs(np.sin(a)) ** 0.8
    x = grow[:, None] * ring_x
    z = deep[:, None] * np.cos(a) - 2.0
    dip = person.neckline * np.maximum(np.cos(a), 0) ** 6  # the neckline is lower in front
    v = np.stack([x, y[:, None] - dip * (np.arange(11) < 2)[:, None], z], -1).reshape(-1, 3).astype(np.float32)
    return Mesh("body" if person.bare else "cloth", v, grid(11, 41), v)


def _limbs(person: Person, rng: np.random.Generator) -> list[Mesh]:
    """Arms, hanging or bent, in long sleeves or short ones, and legs."""
    size = person.shoulders / 21
    side = np.array([-1.0, 1.0])
    out, bend = np.abs(rng.normal(0.05, 0.2, 2)), np.where(rng.random(2) < 0.5, 0.1, rng.uniform(0.2, 2.2, 2))
    inward, stance = rng.uniform(-0.2, 1.0, 2), rng.normal(2, 4, 2)
    flat = np.zeros(2)
    shoulder = np.stack([side * (person.shoulders - 2.5), flat + person.collar - 9, flat - 2], 1)
    elbow = shoulder + 30 * size * np.stack([side * np.sin(out), -np.cos(out), flat + 0.1], 1)
    hand = elbow + 26 * size * np.stack([-side * inward * np.sin(bend), -np.cos(bend), np.sin(bend)], 1)
    hip = np.stack([side * 8.5 * size, flat + person.collar - 68, flat - 2], 1)
    foot = hip + np.stack([side * stance, flat - 78 * size, rng.normal(0, 8, 2)], 1)
    upper, lower = "body" if person.bare else "cloth", "body" if person.bare or rng.random() < 0.25 else "cloth"
    return [tubes(shoulder, elbow, 5.0 * size, upper), tubes(elbow, hand, 3.8 * size, lower),
            tubes(hand, hand + 0.5 * (hand - elbow) / size, 3.0 * size, "body"), tubes(hip, foot, 7.5 * size, "cloth")]  # fmt: skip
