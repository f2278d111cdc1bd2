# SPDX-License-Identifier: Apache-2.0
"""A person to render: every random choice about shape, pose, hair, clothes and what hides the face.

Lengths in centimetres in the frame of the head: origin between the ears, x to the image's right when the face looks at
the camera, y up, z towards the camera. The trunk stays upright while the head turns about the neck.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from thermal_fld_ros.synthesis.morphable import Array, MorphableModel


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
    """A random person. ``backwards`` turns the face away from the camera, or bows it until the crown is all that is seen."""
    yaw, pitch, roll = _sample_pose(rng)
    bowed = backwards and rng.random() < 0.3
    if bowed:
        pitch = np.deg2rad(rng.uniform(80, 110))
    elif backwards:
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
        trunk_pitch=0.0 if bowed else pitch * rng.uniform(0, 1) * (rng.random() < 0.7),
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


SPEECH = (
    "mouthFunnel", "mouthPucker", "mouthStretch", "mouthLowerDown", "mouthUpperUp", "mouthSmile", "mouthRollLower",
)  # fmt: skip
YAWN = ("mouthStretch", "mouthLowerDown", "mouthFunnel", "eyeSquint", "browInnerUp", "browDown", "noseSneer")
PARTING = ("jawOpen", "mouthLowerDown", "mouthUpperUp", "mouthFunnel", "mouthShrugUpper")
"""Movements that part the lips."""


def sample_expression(model: MorphableModel, rng: np.random.Generator) -> Array:
    """Expression weights (E,): neutral, random mixture, speech, laughter or yawn, with lids in all openings; sides mostly alike.

    More than half of the mouths are closed.

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

    kind = rng.choice(["neutral", "mixture", "speech", "laughter", "yawn"], p=[0.25, 0.36, 0.17, 0.1, 0.12])
    if kind == "mixture":
        moves = sorted({n.removesuffix("_L").removesuffix("_R") for n in names} - {"mouthClose", "jawOpen"})
        for base in rng.choice(moves, min(7, len(moves)), replace=False):
            add(base, rng.beta(1, 2.5))
        add("jawOpen", rng.uniform(0, 1) ** 3)
    elif kind == "speech":
        add("jawOpen", rng.beta(1.2, 3))
        some(SPEECH, 0.6, 0.4)
    elif kind == "laughter":
        add("mouthSmile", rng.uniform(0.3, 1))
        add("jawOpen", rng.uniform(0, 0.5))
        some(("cheekSquint", "eyeSquint", "mouthUpperUp", "mouthLowerDown", "mouthDimple"), 0.7)
    elif kind == "yawn":
        add("jawOpen", rng.uniform(0.55, 1.15))
        some(YAWN, 0.6)
        if rng.random() < 0.6:
            add("eyeBlink", rng.uniform(0.5, 1))
    if kind != "yawn" and rng.random() < 0.65:  # most people keep their mouth shut most of the time, smiling or not
        for base in PARTING:
            for n in (base, base + "_L", base + "_R"):
                weights.update({n: 0.0} if n in weights else {})
    if rng.random() < 0.45:  # lids in all openings, and shut
        add("eyeBlink", rng.choice([rng.uniform(0, 1), 1.3], p=[0.8, 0.2]))
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
