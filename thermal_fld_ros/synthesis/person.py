# SPDX-License-Identifier: Apache-2.0
"""A person to render: shape, pose, hair, clothes and what hides the face, as parts with vertices in centimetres.

Frame of the head: origin between the ears, x to the image's right when the face looks at the camera, y up, z towards
the camera. The trunk stays upright while the head turns about the neck.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numba import njit
from numpy.typing import NDArray

from thermal_fld_ros.synthesis.morphable import Array, MorphableModel

NECK = np.array([0.0, -7.0, -1.0], np.float32)  # pivot of the head's turns
MATERIALS = ("skin", "mouth", "teeth", "eye", "hair", "glasses", "cloth", "hat", "mask", "object")


@dataclass
class Mesh:
    """One material's triangles.

    ``canonical`` (V, 3) holds where each vertex lies on the neutral, unturned person: patterns stick to it.
    """

    material: str
    vertices: Array
    triangles: NDArray[np.int32]
    canonical: Array


@dataclass
class Person:
    """All random choices about one person; ``None`` or 0 where a thing is absent. Angles in radians, lengths in cm."""

    identity: Array
    expression: Array
    yaw: float
    pitch: float
    roll: float
    trunk_yaw: float = 0.0
    hair: float = 0.6  # thickness; 0 is bald
    hairline: float = 0.0  # shift up
    fringe: float = 0.0  # hangs down over the forehead
    long_hair: float = 0.0  # length below the crown, 0 is short
    beard: float = 0.0  # 0 none, 1 full
    moustache: float = 0.0
    glasses: dict[str, float] | None = None
    hat: dict[str, float] | None = None
    mask: bool = False
    objects: list[tuple[Array, Array]] = field(default_factory=list)  # ellipsoids: centre, radii
    collar: float = -13.0  # height of the clothes' edge at the neck
    neckline: float = 1.5  # how much lower it is in front
    shoulders: float = 21.0  # half width
    seed: int = 0


def sample_person(model: MorphableModel, rng: np.random.Generator, *, backwards: bool = False) -> Person:
    """A random person. ``backwards`` turns the face away from the camera (a hard negative for the face detector)."""
    yaw, pitch, roll = _sample_pose(rng)
    if backwards:
        yaw = rng.choice([-1, 1]) * np.deg2rad(rng.uniform(125, 180))
    style = rng.random()
    glasses = None
    if rng.random() < 0.35:
        glasses = {"width": rng.uniform(2.2, 3.1), "height": rng.uniform(1.3, 2.7), "power": rng.uniform(2, 5),
                   "drop": rng.uniform(-0.3, 0.5), "forward": rng.uniform(1.0, 2.2), "wrap": rng.uniform(0, 0.35),
                   "lenses": float(rng.random() < 0.93)}  # fmt: skip
    hat = None
    if rng.random() < 0.2:
        hat = {"height": rng.uniform(6.8, 9.5), "thick": rng.uniform(0.4, 1.5), "brim": rng.choice([0, 0, 4, 7]),
               "hood": float(rng.random() < 0.3), "tilt": rng.uniform(-0.15, 0.3)}  # fmt: skip
    return Person(
        identity=(rng.standard_normal(len(model.identity)) * rng.uniform(0.5, 1.15)).astype(np.float32),
        expression=sample_expression(model, rng),
        yaw=yaw, pitch=pitch, roll=roll,
        trunk_yaw=yaw * rng.uniform(0, 1) + rng.normal(0, 0.2),
        hair=0.0 if style < 0.12 else rng.uniform(0.3, 2.5),
        hairline=rng.normal(0.3, 0.9) + (rng.uniform(0, 4) if rng.random() < 0.15 else 0),
        fringe=rng.uniform(1, 4.5) if rng.random() < 0.2 else 0.0,
        long_hair=rng.uniform(14, 40) if style > 0.62 else 0.0,
        beard=rng.uniform(0.1, 1) if rng.random() < 0.3 else 0.0,
        moustache=rng.uniform(0.1, 1) if rng.random() < 0.25 else 0.0,
        glasses=glasses, hat=hat,
        mask=rng.random() < 0.04,
        objects=_sample_objects(rng) if rng.random() < 0.12 else [],
        collar=rng.uniform(-15, -11.5), neckline=rng.exponential(1.5), shoulders=rng.uniform(17, 24),
        seed=int(rng.integers(2**31)),
    )  # fmt: skip


def _sample_pose(rng: np.random.Generator) -> tuple[float, float, float]:
    """Yaw, pitch, roll in radians: towards the camera, turned, in profile, or seen from far below or above."""
    kind = rng.choice(["frontal", "turned", "profile", "steep"], p=[0.35, 0.33, 0.14, 0.18])
    if kind == "frontal":
        yaw, pitch, roll = rng.normal(0, 15), rng.normal(0, 10), rng.normal(0, 6)
    elif kind == "turned":
        yaw, pitch, roll = rng.uniform(-60, 60), rng.normal(0, 15), rng.normal(0, 10)
    elif kind == "profile":
        yaw, pitch, roll = rng.choice([-1, 1]) * rng.uniform(50, 92), rng.normal(0, 15), rng.normal(0, 10)
    else:
        yaw, pitch, roll = rng.normal(0, 30), rng.uniform(-60, 60), rng.normal(0, 12)
    return np.deg2rad(np.clip(yaw, -95, 95)), np.deg2rad(np.clip(pitch, -60, 60)), np.deg2rad(roll)


def sample_expression(model: MorphableModel, rng: np.random.Generator) -> Array:
    """Expression weights (E,): neutral, random mixture, speech, laughter or yawn, with blinks; left and right mostly alike.

    Weights lie in [0, 1] but for the brows', which may be a little negative: low brows are a person's, not a mood.
    """
    names = model.expression_names
    weights = dict.fromkeys(names, 0.0)

    def add(base: str, amount: float) -> None:
        for n in (base, base + "_L", base + "_R"):
            if n in weights:
                weights[n] = min(weights[n] + amount * rng.uniform(0.75, 1), 1.0)

    def some(bases: tuple[str, ...], most: float, probability: float = 0.5) -> None:
        for base in bases:
            if rng.random() < probability:
                add(base, rng.uniform(0, most))

    kind = rng.choice(["neutral", "mixture", "speech", "laughter", "yawn"], p=[0.2, 0.33, 0.22, 0.12, 0.13])
    if kind == "mixture":
        moves = sorted({n.removesuffix("_L").removesuffix("_R") for n in names} - {"mouthClose", "jawOpen"})
        for base in rng.choice(moves, min(7, len(moves)), replace=False):
            add(base, rng.beta(1, 2.5))
        add("jawOpen", rng.uniform(0, 1) ** 3)
    elif kind == "speech":
        add("jawOpen", rng.beta(1.2, 3))
        some(
            (
                "mouthFunnel",
                "mouthPucker",
                "mouthStretch",
                "mouthLowerDown",
                "mouthUpperUp",
                "mouthSmile",
                "mouthRollLower",
            ),
            0.6,
            0.4,
        )
    elif kind == "laughter":
        add("mouthSmile", rng.uniform(0.3, 1))
        add("jawOpen", rng.uniform(0, 0.5) * (rng.random() < 0.6))
        some(("cheekSquint", "eyeSquint", "mouthUpperUp", "mouthLowerDown", "mouthDimple"), 0.7)
    elif kind == "yawn":
        add("jawOpen", rng.uniform(0.55, 1.15))
        some(
            ("mouthStretch", "mouthLowerDown", "mouthFunnel", "eyeSquint", "browInnerUp", "browDown", "noseSneer"), 0.6
        )
        if rng.random() < 0.6:
            add("eyeBlink", rng.uniform(0.5, 1))
    if rng.random() < 0.2:
        add("eyeBlink", rng.uniform(0.3, 1.0))
    brows = rng.normal(0, 0.35)  # high or low, whatever the expression
    for base, side in (("browInnerUp", brows), ("browOuterUp", brows), ("browDown", -brows)):
        for n in (base + "_L", base + "_R"):
            if n in weights:
                weights[n] = float(np.clip(weights[n] + max(side, -0.3) * rng.uniform(0.8, 1), -0.3, 1))
    if "jawOpen" in weights and "mouthClose" in weights and rng.random() < 0.1:  # chewing: closes what the jaw opened
        weights["mouthClose"] = 0.85 * weights["jawOpen"] * rng.uniform(0, 1)
    return _part_lips(model, np.array([weights[n] for n in names], np.float32))


def _part_lips(model: MorphableModel, expression: Array) -> Array:
    """The expression with the jaw opened as far as keeps the lips from passing through each other."""
    if "jawOpen" not in model.expression_names:
        return expression
    jaw = model.expression_names.index("jawOpen")
    upper, lower = model.landmarks[61:64], model.landmarks[[67, 66, 65]]
    opening = (model.expression[:, upper, 1] - model.expression[:, lower, 1]).mean(1)  # cm per unit of each weight
    overlap = -0.05 - float(expression @ opening)
    if overlap > 0 and opening[jaw] > 0:
        expression[jaw] += overlap / opening[jaw]
    return expression


def _sample_objects(rng: np.random.Generator) -> list[tuple[Array, Array]]:
    """A hand or a phone in front of part of the face: a few ellipsoids side by side."""
    centre = np.array([rng.uniform(-8, 8), rng.uniform(-10, 5), rng.uniform(11, 16)])
    direction = rng.normal(0, 1, 3) * [1, 1, 0.3]
    direction /= np.linalg.norm(direction)
    across = np.array([-direction[1], direction[0], 0])
    radii = np.abs(direction) * rng.uniform(3, 5) + 0.9
    return [
        ((centre + across * 1.8 * k).astype(np.float32), radii.astype(np.float32)) for k in range(rng.integers(1, 5))
    ]


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
    head = model.morph(person.identity, person.expression)
    # the model's bare chest is under the clothes; the skin ends a little below their edge, which covers its end
    above = model.neutral[:, 1] > person.collar - 0.9 - person.neckline * np.clip(model.neutral[:, 2] / 6, 0, 1)
    skin = model.surfaces["skin"]
    surfaces = {**model.surfaces, "skin": skin[above[skin[:, 0]] & above[skin[:, 1]] & above[skin[:, 2]]]}
    meshes = [Mesh(name, head, triangles, model.neutral) for name, triangles in surfaces.items()]
    if person.hair > 0:
        meshes.append(_hair_cap(model, head, person, rng))
    if person.long_hair > 0:
        meshes.append(_curtain("hair", person.long_hair, 8.5 + person.hair, 1.1, rng))
    if person.beard > 0.8:  # long enough to stand off; shorter beards are painted on the skin
        ragged = 0.1 * np.sin(2 * model.neutral @ rng.normal(0, 1, 3).astype(np.float32))
        depth = (1.5 * (beard_mask(model.neutral) - 0.7) + ragged).astype(np.float32)
        meshes.append(_shell(model, head, depth, "hair", rng.uniform(0.3, 1.5), rng, edge=0.6))
    if person.mask:
        meshes.append(_shell(model, head, _mask_depth(model.neutral), "mask", 0.8, rng))
    if person.glasses:
        meshes.append(_glasses(model, head, person.glasses))
    if person.hat:
        meshes += _hat(model, head, person.hat, rng)
    rotation = euler(person.yaw, person.pitch, person.roll)
    shape = _turn(head, rotation)
    turned = [Mesh(m.material, shape if m.vertices is head else _turn(m.vertices, rotation), m.triangles, m.canonical)
              for m in meshes]  # fmt: skip
    near = np.abs(model.neutral[:, 1] - person.collar - 0.5) < 0.8
    turned.append(_trunk(person, neck=float(np.abs(head[near, 0]).max(initial=6.0)) + 0.2))
    turned += [_ellipsoid(centre, radii) for centre, radii in person.objects]
    return turned, shape


def euler(yaw: float, pitch: float, roll: float) -> Array:
    """Rotation (3, 3) float32 of the head: yaw about y, then pitch about x, then roll about z; radians."""
    cy, sy, cp, sp, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return (about_z @ about_x @ about_y).astype(np.float32)


@njit(cache=True, fastmath=True)
def _turn(vertices, rotation):  # type: ignore[no-untyped-def]
    """Turn the head (V, 3) about the neck; what lies below the chin follows less and less."""
    out = np.empty_like(vertices)
    for k in range(vertices.shape[0]):
        follow = min(max((vertices[k, 1] + np.float32(19)) / np.float32(9), np.float32(0)), np.float32(1))
        follow *= follow * (np.float32(3) - np.float32(2) * follow)
        x, y, z = vertices[k, 0] - NECK[0], vertices[k, 1] - NECK[1], vertices[k, 2] - NECK[2]
        for j in range(3):
            turned = rotation[j, 0] * x + rotation[j, 1] * y + rotation[j, 2] * z + NECK[j]
            out[k, j] = vertices[k, j] + follow * (turned - vertices[k, j])
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


def _mask_depth(canonical: Array) -> Array:
    x, y, z = canonical.T
    return np.minimum(np.minimum(1.4 - 0.03 * np.abs(x) ** 1.6 - y, y + 8.3), z - 3.5)


def _shell(model: MorphableModel, head: Array, depth: Array, material: str, thickness: float | Array,
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
        out[k, 0], out[k, 1], out[k, 2] = vertices[k, 0] + factor * x, vertices[k, 1] + factor * y, vertices[k, 2] + factor * z
    return out


def _hair_cap(model: MorphableModel, head: Array, person: Person, rng: np.random.Generator) -> Mesh:
    above = model.neutral[:, 1] - hairline_height(model.neutral, person)
    above += 0.3 * np.sin(model.neutral @ rng.normal(0, 1.5, 3).astype(np.float32) + rng.uniform(0, 6))
    x, y, z = model.neutral.T
    outside_ear = np.maximum(np.maximum(np.abs(y - 0.75) - 4.75, np.abs(z - 0.25) - 4.25), 7.4 - np.abs(x))
    depth = np.minimum(above, outside_ear)
    thickness = person.hair * np.clip(above / 3.0 + 0.25, 0.1, 1)
    return _shell(
        model, head, depth.astype(np.float32), "hair", thickness.astype(np.float32), rng, rng.uniform(0.3, 1.2)
    )


def _grid(u: int, v: int) -> NDArray[np.int32]:
    """Triangles of a (u, v) vertex grid."""
    a = (np.arange(u - 1)[:, None] * v + np.arange(v - 1)).ravel()
    return np.concatenate([np.stack([a, a + 1, a + v], 1), np.stack([a + 1, a + v + 1, a + v], 1)]).astype(np.int32)


def _curtain(material: str, length: float, radius: float, opening: float, rng: np.random.Generator) -> Mesh:
    """Hair or cloth that hangs around the head, open towards the face by ``opening`` radians to either side."""
    angle = np.linspace(opening * rng.uniform(0.8, 1.15), 2 * np.pi - opening * rng.uniform(0.8, 1.15), 40)
    height = np.linspace(0, 1, 24)
    a, h = np.meshgrid(angle, height, indexing="ij")
    y = 11.5 - h * length
    swell = np.sqrt(np.clip(1 - ((y - 3) / 9.5).clip(0, 1) ** 2, 0.02, 1))
    wave = 1 + 0.05 * np.sin(3 * a + rng.uniform(0, 6)) + 0.04 * np.sin(9 * h + rng.uniform(0, 6))
    r = radius * swell * wave * (1 + 0.12 * rng.normal() * h)
    vertices = np.stack([r * np.sin(a), y, r * 1.08 * np.cos(a) + 0.5], -1).reshape(-1, 3).astype(np.float32)
    return Mesh(material, vertices, _grid(40, 24), vertices)


def _glasses(model: MorphableModel, head: Array, g: dict[str, float]) -> Mesh:
    """Two superelliptic lenses, a bridge and two temples."""
    landmarks = head[model.landmarks]
    vertices: list[Array] = []
    triangles: list[NDArray[np.int32]] = []

    def add(v: Array, t: NDArray[np.int32]) -> None:
        triangles.append(t + sum(map(len, vertices)))
        vertices.append(v.astype(np.float32))

    eyes = [landmarks[36:42].mean(0), landmarks[42:48].mean(0)]
    forward = max(e[2] for e in eyes) + g["forward"]
    half = min(g["width"], abs(eyes[1][0]) - 0.25)
    for eye in eyes:
        side = np.sign(eye[0])
        a = np.linspace(0, 2 * np.pi, 25)
        dx = half * np.sign(np.cos(a)) * np.abs(np.cos(a)) ** (2 / g["power"])
        dy = g["height"] * np.sign(np.sin(a)) * np.abs(np.sin(a)) ** (2 / g["power"])
        dy = np.where(dy > 0, np.minimum(dy, 1.9), dy)  # no higher than the brows
        rim = np.stack([eye[0] + dx, eye[1] - g["drop"] + dy, np.full_like(a, forward)], 1)
        rim[:, 2] -= g["wrap"] * (np.abs(rim[:, 0]) - 1.5).clip(0)
        inner = rim.mean(0) + (rim - rim.mean(0)) * (0.0 if g["lenses"] else 0.85)
        ring = np.arange(24)
        add(np.concatenate([rim, inner]), np.concatenate([np.stack([ring, ring + 1, ring + 25], 1),
            np.stack([ring + 1, ring + 26, ring + 25], 1)]).astype(np.int32))  # fmt: skip
        ear = np.array([side * (abs(landmarks[[0, 16], 0]).mean() + 0.9), eye[1] + 0.3, 1.5])
        hinge = np.array(
            [eye[0] + side * half, eye[1] - g["drop"] + 0.6, forward - g["wrap"] * (abs(eye[0]) + half - 1.5)]
        )
        up = np.array([0, 0.35, 0])
        add(np.stack([hinge - up, hinge + up, ear - up, ear + up]), np.array([[0, 1, 2], [1, 3, 2]], np.int32))
    gap = abs(eyes[0][0]) - half
    y = (eyes[0][1] + eyes[1][1]) / 2 - g["drop"] + 0.6
    add(np.array([[-gap, y - 0.25, forward], [-gap, y + 0.25, forward], [gap, y - 0.25, forward], [gap, y + 0.25, forward]]),
        np.array([[0, 1, 2], [1, 3, 2]], np.int32))  # fmt: skip
    v = np.concatenate(vertices)
    return Mesh("glasses", v, np.concatenate(triangles), v)


def _hat(model: MorphableModel, head: Array, hat: dict[str, float], rng: np.random.Generator) -> list[Mesh]:
    _, y, z = model.neutral.T
    level = hat["height"] - hat["tilt"] * (11 - z)
    meshes = [_shell(model, head, y - level, "hat", hat["thick"] + 0.8, rng)]
    if hat["hood"]:
        meshes.append(_curtain("hat", 32, 10.5, 0.85, rng))
    if hat["brim"] > 0:
        a, r = np.meshgrid(np.linspace(-1.1, 1.1, 16), np.linspace(0, 1, 5), indexing="ij")
        reach = 9.0 + r * hat["brim"]
        v = np.stack([8.5 / 9 * reach * np.sin(a), hat["height"] - 0.1 * reach * r, 3.5 + reach * np.cos(a)], -1)
        brim = v.reshape(-1, 3).astype(np.float32)
        meshes.append(Mesh("hat", brim, _grid(16, 5), brim))
    return meshes


def _trunk(person: Person, neck: float) -> Mesh:
    """Shoulders and chest below the neckline, turned by the trunk's own yaw; ``neck`` is half its width at the collar."""
    y = np.array([0.5, -0.4, -1.5, -3.5, -6, -9, -14, -24, -150], np.float32) + person.collar
    slope = np.array([0.0, 0.06, 0.2, 0.55, 0.85, 1.0, 1.03, 1.0, 0.5])  # from the neck to the shoulders
    grow = neck + slope * (person.shoulders - neck)
    deep = np.array([8, 8.2, 8.6, 9, 9.8, 10.5, 11.5, 12, 9])
    a = np.linspace(0, 2 * np.pi, 41)
    ring_x = np.sign(np.sin(a)) * np.abs(np.sin(a)) ** 0.8
    x = grow[:, None] * ring_x
    z = deep[:, None] * np.cos(a) - 2.0
    dip = person.neckline * np.maximum(np.cos(a), 0) ** 6  # the neckline is lower in front
    v = np.stack([x, y[:, None] - dip * (np.arange(9) < 2)[:, None], z], -1).reshape(-1, 3).astype(np.float32)
    turned = v @ euler(person.trunk_yaw, 0, 0).T
    return Mesh("cloth", turned.astype(np.float32), _grid(9, 41), v)


def _ellipsoid(centre: Array, radii: Array) -> Mesh:
    a, b = np.meshgrid(np.linspace(0, np.pi, 10), np.linspace(0, 2 * np.pi, 16), indexing="ij")
    unit = np.stack([np.sin(a) * np.cos(b), np.cos(a), np.sin(a) * np.sin(b)], -1).reshape(-1, 3)
    v = (unit * radii + centre).astype(np.float32)
    return Mesh("object", v, _grid(10, 16), v)
