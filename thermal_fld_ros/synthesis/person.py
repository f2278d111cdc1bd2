# SPDX-License-Identifier: Apache-2.0
"""A person to render: shape, pose, hair, clothes and what hides the face, as parts with vertices in centimetres.

Frame of the head: origin between the ears, x to the image's right when the face looks at the camera, y up, z towards
the camera. The trunk stays upright while the head turns about the neck.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from thermal_fld_ros.synthesis.morphable import Array, MorphableModel

NECK = np.array([0.0, -7.0, -1.0], np.float32)  # pivot of the head's turns
MATERIALS = ("skin", "mouth", "teeth", "eye", "hair", "glasses", "cloth", "hat", "mask", "object", "body")


Vector = NDArray[np.floating]


def _cm(*values: float) -> Array:
    return np.array(values, np.float32)


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


@dataclass(frozen=True)
class Glasses:
    """Spectacles or goggles; lengths in cm."""

    width: float = 2.7  # half of a lens
    height: float = 2.0  # half of a lens
    power: float = 3.5  # 2: round, 5: square
    drop: float = 0.0  # how far below the eyes, or above when pushed up
    forward: float = 1.6  # before the eyes
    wrap: float = 0.1
    opaque: bool = True  # lenses hide what is behind, as glass does; else only the rim is there
    rim: float = 0.3
    arms: float = 0.35  # half height
    goggles: bool = False  # one pane from side to side


@dataclass(frozen=True)
class Hat:
    """A cap, a brimmed hat, a helmet, a hood or a headscarf; lengths in cm."""

    height: float = 8.0  # of its edge on the forehead
    thick: float = 1.0
    brim: float = 0.0
    hood: bool = False
    scarf: bool = False
    tilt: float = 0.0


@dataclass(frozen=True)
class Held:
    """A hand at the face, alone or with what it holds."""

    what: str  # "hand", "phone" or "cup"
    at: tuple[float, float]  # fingertips' middle relative to the face's middle, x and y, cm
    direction: float  # of the fingers in the image, radians against the x axis
    lift: float  # how far in front of the face
    spread: float  # of the fingers
    size: float = 1.0


@dataclass
class Person:
    """All random choices about one person; ``None`` or 0 where a thing is absent. Angles in radians, lengths in cm."""

    identity: Array
    expression: Array
    yaw: float
    pitch: float
    roll: float
    trunk_yaw: float = 0.0
    trunk_pitch: float = 0.0  # the camera looks up or down at the whole person
    proportions: tuple[float, float, float] = (1.0, 1.0, 1.0)  # width, height and depth of the head
    jaw: float = 1.0  # width of the lower face
    nose: float = 1.0  # width
    child: float = 0.0  # 1: small nose, short lower face, big eyes, thin neck
    hair: float = 0.6  # thickness; 0 is bald
    hairline: float = 0.0  # shift up
    fringe: float = 0.0  # hangs down over the forehead
    long_hair: float = 0.0  # length below the crown, 0 is short
    opening: float = 1.1  # half angle that long hair leaves to the face
    bun: float = 0.0  # radius of a knot or a tail behind the head
    strands: int = 0  # that hang into the face
    beard: float = 0.0  # 0 none, 1 full
    moustache: float = 0.0
    glasses: Glasses | None = None
    hat: Hat | None = None
    mask: bool = False
    headphones: bool = False
    scarf: float = 0.0  # how high above the clothes' edge
    upright_collar: float = 0.0  # height
    bare: bool = False  # naked shoulders
    headrest: float = 0.0  # half width
    objects: list[Held] = field(default_factory=list)
    collar: float = -13.0  # height of the clothes' edge at the neck
    neckline: float = 1.5  # how much lower it is in front
    shoulders: float = 21.0  # half width
    seed: int = 0


def sample_person(model: MorphableModel, rng: np.random.Generator, *, backwards: bool = False) -> Person:
    """A random person. ``backwards`` turns the face away from the camera (a hard negative for the face detector)."""
    yaw, pitch, roll = _sample_pose(rng)
    if backwards:
        yaw = rng.choice([-1, 1]) * np.deg2rad(rng.uniform(125, 180))
    style = rng.choice(["bald", "short", "long", "tied"], p=[0.12, 0.48, 0.26, 0.14])
    child = rng.uniform(0.3, 1) if rng.random() < 0.12 else 0.0
    grown = child == 0

    def maybe(probability: float, low: float, high: float) -> float:
        return rng.uniform(low, high) if rng.random() < probability else 0.0

    beard = maybe(0.3 * grown, 0.1, 1)
    return Person(
        identity=(rng.standard_normal(len(model.identity)) * rng.uniform(0.5, 1.3)).astype(np.float32),
        expression=sample_expression(model, rng),
        yaw=yaw, pitch=pitch, roll=roll,
        trunk_yaw=yaw * rng.uniform(0, 1) + rng.normal(0, 0.2),
        trunk_pitch=pitch * rng.uniform(0, 1) * (rng.random() < 0.7),
        proportions=(1 + 0.035 * rng.normal(), 1 + 0.035 * rng.normal(), 1 + 0.03 * rng.normal()), child=child,
        jaw=1 + 0.06 * rng.normal(), nose=float(np.clip(rng.normal(1.06, 0.14), 0.8, 1.45)),
        hair=0.0 if style == "bald" else rng.uniform(0.15, 0.8) if style == "tied" else rng.choice(
            [rng.uniform(0.2, 1.2), rng.uniform(0.8, 3.5)], p=[0.6, 0.4]),
        hairline=rng.normal(0.3, 0.9) + maybe(0.15 * grown, 0, 4),
        fringe=maybe(0.2, 1, 4.5),
        long_hair=rng.uniform(12, 40) if style == "long" else 0.0, opening=rng.uniform(0.75, 1.7),
        bun=rng.uniform(2, 5) if style == "tied" else 0.0,
        strands=int(rng.integers(1, 25)) if rng.random() < 0.3 and style != "bald" else 0,
        beard=beard, moustache=beard * rng.uniform(0.5, 1) if rng.random() < 0.6 and beard > 0 else maybe(0.18 * grown, 0.1, 1),
        glasses=_sample_glasses(rng) if rng.random() < 0.35 else None,
        hat=_sample_hat(rng) if rng.random() < 0.22 else None,
        mask=rng.random() < 0.05, headphones=rng.random() < 0.04,
        scarf=maybe(0.06, 0, 6), upright_collar=maybe(0.25, 1.5, 6), bare=rng.random() < 0.08,
        headrest=maybe(0.07, 8, 14),
        objects=[_sample_held(rng) for _ in range(rng.choice([1, 1, 2]))] if rng.random() < 0.12 else [],
        collar=rng.uniform(-15.5, -11.5), neckline=rng.exponential(1.5), shoulders=rng.uniform(16, 25) * (1 - 0.35 * child),
        seed=int(rng.integers(2**31)),
    )  # fmt: skip


def _sample_glasses(rng: np.random.Generator) -> Glasses:
    """On the nose, slipped down, or pushed up to the forehead."""
    drop = rng.choice([rng.uniform(-0.3, 0.5), rng.uniform(0.5, 1.6), rng.uniform(-6, -4)], p=[0.85, 0.1, 0.05])
    return Glasses(width=rng.uniform(2.0, 3.2), height=rng.uniform(1.2, 2.8), power=rng.uniform(2, 5), drop=float(drop),
                   forward=rng.uniform(1.0, 2.2), wrap=rng.uniform(0, 0.35), opaque=rng.random() < 0.88,
                   rim=rng.uniform(0.06, 0.35), arms=rng.uniform(0.08, 0.45), goggles=rng.random() < 0.04)  # fmt: skip


def _sample_hat(rng: np.random.Generator) -> Hat:
    thick = rng.choice([rng.uniform(0.4, 1.5), rng.uniform(2, 4)], p=[0.85, 0.15])
    return Hat(height=rng.uniform(6.5, 9.5), thick=float(thick), brim=float(rng.choice([0, 0, 4, 7])),
               hood=rng.random() < 0.3, scarf=rng.random() < 0.2, tilt=rng.uniform(-0.15, 0.3))  # fmt: skip


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


def _sample_held(rng: np.random.Generator) -> Held:
    """A hand on the chin, the mouth, a cheek or an eye, beside the head, or with a phone or a cup."""
    what = str(rng.choice(["hand", "phone", "cup"], p=[0.7, 0.15, 0.15]))
    side = float(rng.choice([-1, 1]))
    at = {"hand": (rng.normal(0, 4.5), rng.uniform(-9, 5)), "phone": (side * rng.uniform(6, 10), rng.uniform(-6, 2)),
          "cup": (rng.normal(0, 2), rng.uniform(-9, -5))}[what]  # fmt: skip
    direction = np.pi / 2 + rng.normal(0, 0.7)
    lift = rng.choice([rng.uniform(0.3, 2), rng.uniform(2, 12)], p=[0.75, 0.25])
    return Held(what, at, float(direction), float(lift), rng.exponential(0.08), rng.uniform(0.8, 1.1))


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
    head[~above] *= _cm(0.75, 1, 0.75)  # so that nothing sticks out of the collar
    skin = model.surfaces["skin"]
    surfaces = {**model.surfaces, "skin": skin[above[skin[:, 0]] | above[skin[:, 1]] | above[skin[:, 2]]]}
    meshes = [Mesh(name, head, triangles, model.neutral) for name, triangles in surfaces.items()]
    if person.hair > 0:
        meshes.append(_hair_cap(model, head, person, rng))
    if person.long_hair > 0:
        radius = 8.3 + min(person.hair, 2)
        meshes.append(_curtain("hair", person.long_hair, radius, person.opening, rng))
    if person.bun > 0:
        knot = np.array([0, rng.uniform(-3, 10), -10 - 0.5 * person.bun], np.float32)
        meshes.append(_ellipsoid(knot, person.bun * np.array([1, rng.uniform(0.8, 2.2), 0.9], np.float32), "hair"))
    if person.strands:
        meshes.append(_strands(model, head, person, rng))
    if person.beard > 0.8 and not person.mask:  # long enough to stand off; shorter beards are painted on the skin
        ragged = 0.1 * np.sin(2 * model.neutral @ rng.normal(0, 1, 3).astype(np.float32))
        depth = (1.5 * (beard_mask(model.neutral) - 0.7) + ragged).astype(np.float32)
        meshes.append(_shell(model, head, depth, "hair", rng.uniform(0.3, 1.5), rng, edge=0.6))
    if person.mask:
        meshes += [
            _shell(model, head, _mask_depth(model.neutral), "mask", 0.8, rng),
            _mask_front(head[model.landmarks]),
        ]
    if person.glasses:
        meshes += _glasses(model, head, person.glasses)
    if person.hat:
        meshes += _hat(model, head, person.hat, rng)
    if person.headphones:
        meshes += _headphones(rng)
    if person.scarf > 0:
        meshes.append(
            _curtain("cloth", rng.uniform(6, 10), rng.uniform(8.5, 10.5), 0.0, rng, top=person.collar + person.scarf)
        )
    if person.upright_collar > 0:
        collar_top = person.collar + person.upright_collar
        meshes.append(
            _curtain("cloth", person.upright_collar + 3, rng.uniform(8, 10), rng.uniform(0.2, 0.9), rng, top=collar_top)
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
        upright += _seat(person.headrest, rng)
    for mesh in upright:
        mesh.vertices = ((mesh.vertices - NECK) @ trunk.T + NECK).astype(np.float32)
    return turned + upright + [mesh for held in person.objects for mesh in _hand(held, shape, model)], shape


def _proportioned(model: MorphableModel, head: Array, person: Person) -> Array:
    """The head wider, higher or deeper, broader in nose or jaw, or with a child's proportions."""

    def near(centre: Array, *sigma: float) -> Array:
        return np.exp(-0.5 * (((model.neutral - centre) / _cm(*sigma)) ** 2).sum(1, keepdims=True))

    y = model.neutral[:, 1]
    landmarks = model.neutral[model.landmarks]
    nose = near(landmarks[33], 2.0, 1.6, 2.5)[:, 0]
    head[:, 0] *= (1 + (person.nose - 1) * nose) * (1 + (person.jaw - 1) * np.clip((1 - y) / 5, 0, 1))
    if person.child > 0:
        head = head - person.child * near(landmarks[30], 1.6, 2.2, 3) * _cm(0, -0.35, 1.0)
        for eye in (landmarks[36:42].mean(0), landmarks[42:48].mean(0)):
            head = head + 0.13 * person.child * near(eye, 1.8, 1.8, 1.8) * (head - eye) * _cm(1, 1, 0)
        head[:, 1] += 0.10 * person.child * np.clip(2.0 - y, 0, 10)
        head[:, 0] *= 1 - 0.18 * person.child * np.clip((-7 - y) / 4, 0, 1)
    return np.asarray(head * _cm(*person.proportions) * np.float32(1 - 0.1 * person.child), np.float32)


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


def _mask_depth(canonical: Array) -> Array:
    x, y, z = canonical.T
    return np.minimum(np.minimum(1.4 - 0.03 * np.abs(x) ** 1.6 - y, y + 8.3), z - 3.5)


def _mask_front(landmarks: Array) -> Mesh:
    """The part of a mask before nose and mouth, which the lips do not move: a patch over the (68, 3) points."""
    across, down = np.meshgrid(np.linspace(-1, 1, 7), np.linspace(0, 1, 6), indexing="ij")
    left, right = landmarks[[31, 48], 0].min() - 0.8, landmarks[[35, 54], 0].max() + 0.8
    x = (left + right) / 2 + across * (right - left) / 2
    y = landmarks[30, 1] + down * (landmarks[8, 1] + 0.4 - landmarks[30, 1])
    lips = landmarks[48:68, 2].max() + 0.3
    z = np.interp(down, [0, 0.3, 0.75, 1], [landmarks[30, 2], lips + 0.6, lips + 0.3, landmarks[8, 2]]) + 0.6
    vertices = np.stack([x, y, z - 2.0 * across**2], -1).reshape(-1, 3).astype(np.float32)
    return Mesh("mask", vertices, _grid(7, 6), vertices)


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
        out[k, 0], out[k, 1], out[k, 2] = (
            vertices[k, 0] + factor * x,
            vertices[k, 1] + factor * y,
            vertices[k, 2] + factor * z,
        )
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


@lru_cache
def _grid(u: int, v: int) -> NDArray[np.int32]:
    """Triangles of a (u, v) vertex grid."""
    a = (np.arange(u - 1)[:, None] * v + np.arange(v - 1)).ravel()
    return np.concatenate([np.stack([a, a + 1, a + v], 1), np.stack([a + 1, a + v + 1, a + v], 1)]).astype(np.int32)


def _curtain(
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
    return Mesh(material, vertices, _grid(32, 14), vertices)


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
    width = (rng.uniform(0.05, 0.35, person.strands)[:, None] * (1.05 - steps)).reshape(-1, 1) * _cm(1, 0, 0)
    vertices = np.stack([spine - width, spine + width], 1).reshape(-1, 3).astype(np.float32)
    strip = _grid(6, 2)
    triangles = np.concatenate([strip + 12 * k for k in range(person.strands)]).astype(np.int32)
    return Mesh("hair", vertices, triangles, vertices)


def _glasses(model: MorphableModel, head: Array, g: Glasses) -> list[Mesh]:
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
        return [Mesh("glasses", band, _grid(12, 4), band)]
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


def _hat(model: MorphableModel, head: Array, hat: Hat, rng: np.random.Generator) -> list[Mesh]:
    x, y, z = model.neutral.T
    if hat.scarf:  # leaves an oval of the face, and hangs over the shoulders
        oval = np.hypot(x / 6.4, (y - 0.3) / (hat.height - 0.5)) - 1
        depth = np.where(z > 2, np.minimum(6 * oval, 4.0), 4.0)
        return [_shell(model, head, depth.astype(np.float32), "hat", 0.4 + 0.6 * hat.thick, rng, edge=0.6)]
    level = hat.height - hat.tilt * (11 - z)
    meshes = [_shell(model, head, y - level, "hat", hat.thick + 0.8, rng)]
    if hat.hood:
        meshes.append(_curtain("hat", 32, 10.5, 0.85, rng))
    if hat.brim > 0:
        a, r = np.meshgrid(np.linspace(-1.1, 1.1, 16), np.linspace(0, 1, 5), indexing="ij")
        reach = 9.0 + r * hat.brim
        v = np.stack([8.5 / 9 * reach * np.sin(a), hat.height - 0.1 * reach * r, 3.5 + reach * np.cos(a)], -1)
        brim = v.reshape(-1, 3).astype(np.float32)
        meshes.append(Mesh("hat", brim, _grid(16, 5), brim))
    return meshes


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
    return Mesh("body" if person.bare else "cloth", v, _grid(11, 41), v)


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
    return [_tubes(shoulder, elbow, 5.0 * size, upper), _tubes(elbow, hand, 3.8 * size, lower),
            _tubes(hand, hand + 0.5 * (hand - elbow) / size, 3.0 * size, "body"), _tubes(hip, foot, 7.5 * size, "cloth")]  # fmt: skip


def _headphones(rng: np.random.Generator) -> list[Mesh]:
    """Two cups over the ears and a band over the crown."""
    size = rng.uniform(0.7, 1.1)
    cups = [_ellipsoid(_cm(side * 8.6, 1.0, -0.3), size * _cm(1.6, 3.8, 3.3), "hat") for side in (-1, 1)]
    a, across = np.meshgrid(np.linspace(-1.55, 1.55, 16), np.linspace(-1, 1, 3), indexing="ij")
    band = np.stack([9.6 * np.sin(a), 2 + 12.3 * np.cos(a), rng.uniform(0.5, 2) * across - 0.5], -1)
    vertices = band.reshape(-1, 3).astype(np.float32)
    return [*cups, Mesh("hat", vertices, _grid(16, 3), vertices)]


def _seat(half: float, rng: np.random.Generator) -> list[Mesh]:
    """A headrest and the seat's back, close behind the head."""
    centre = _cm(rng.normal(0, 2), rng.uniform(-1, 7), -14 - rng.exponential(3))
    back = _cm(centre[0], centre[1] - 36, centre[2] - 4)
    return [_ellipsoid(centre, _cm(half, rng.uniform(6, 9), 3), "object", 0.5),
            _ellipsoid(back, _cm(rng.uniform(22, 30), 30, 5), "object", 0.5)]  # fmt: skip


def _hand(held: Held, shape: Array, model: MorphableModel) -> list[Mesh]:
    """Palm, fingers, thumb and forearm in front of the turned face ``shape``, and what the hand holds."""
    landmarks = shape[model.landmarks]
    xy = landmarks[:, :2].mean(0) + _cm(*held.at)
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
    hand = [_tubes(starts, stops, held.size * np.array([0.92, 0.92, 0.92, 0.92, 0.95, 2.8]), "body")]
    turn = np.stack([across, along, [0, 0, 1]], 1)
    flat = _ellipsoid(_cm(0, 0, 0), held.size * _cm(4.2, 5.0, 1.5), "body")
    flat.vertices = (flat.vertices @ turn.T + palm).astype(np.float32)
    hand.append(flat)
    if held.what == "phone":
        box = _ellipsoid(_cm(0, 0, 0), _cm(3.8, 7.5, 0.6), "object", 0.15)
        box.vertices = (box.vertices @ turn.T + tip - 4 * along - [0, 0, 1.2]).astype(np.float32)
        hand.append(box)
    elif held.what == "cup":
        hand.append(_tubes(tip[None], tip[None] - np.array([0, 7.0, 0]), 3.2, "object"))
    return hand


def _tubes(starts: Vector, ends: Vector, radius: float | Vector, material: str) -> Mesh:
    """Straight fingers, limbs or cups with round ends, from (N, 3) to (N, 3)."""
    count = len(starts)
    vertices = _tube_vertices(starts, ends, np.ones(count) * radius).reshape(-1, 3)
    one = _grid(6, 9)
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


def _ellipsoid(centre: Array, radii: Array, material: str, power: float = 1.0) -> Mesh:
    """An ellipsoid; a ``power`` below 1 makes it a box with round corners."""

    def bent(values: NDArray[np.floating]) -> NDArray[np.floating]:
        return np.sign(values) * np.abs(values) ** power

    a, b = np.meshgrid(np.linspace(0, np.pi, 8), np.linspace(0, 2 * np.pi, 13), indexing="ij")
    unit = np.stack([bent(np.sin(a)) * bent(np.cos(b)), bent(np.cos(a)), bent(np.sin(a)) * bent(np.sin(b))], -1)
    v = (unit.reshape(-1, 3) * radii + centre).astype(np.float32)
    return Mesh(material, v, _grid(8, 13), v)
