# SPDX-License-Identifier: Apache-2.0
"""Temperatures of a person: regional warm and cool skin, hair, glasses, clothes; degC."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
from numba import njit
from numpy.typing import NDArray

from thermal_fld_ros.synthesis.body import beard_mask, hairline_height
from thermal_fld_ros.synthesis.morphable import Array, MorphableModel
from thermal_fld_ros.synthesis.person import Person
from thermal_fld_ros.synthesis.rasteriser import vertex_normals


@dataclass
class Warmth:
    """Random temperatures of one person in one room, degC.

    ``regions`` are offsets from the skin's mean: of soft regions, of patches with an edge, and of hair on the skin.
    """

    ambient: float
    skin: float
    regions: dict[str, float]
    roughness: tuple[float, float, float]  # amplitudes of slow, middle and vessel patterns
    grazing: float  # how much cooler skin looks where it is seen at a flat angle
    materials: dict[str, float] = field(default_factory=dict)
    seed: int = 0


def sample_warmth(rng: np.random.Generator, ambient: float) -> Warmth:
    """A person's temperatures in a room of ``ambient`` degC.

    Skin is a few degrees above a comfortable room and colder where it is cold; in a room hotter than the body it is
    the darker one. Offsets of regions are heavy-tailed: most faces are even, some have noses as cold as the room.
    """

    def heavy(mean: float, scale: float) -> float:
        return mean + scale * float(min(max(rng.standard_t(3) / 1.3, -4.0), 4.0))

    skin = 33.8 + 0.12 * (ambient - 23) + rng.normal(0, 0.9)
    skin = np.clip(skin, 35.0, 37.0) if ambient > 33 else np.clip(skin, ambient + 1.0, 37.5)
    skin = max(skin, 24.0) if ambient < 15 else skin
    gap = np.clip(abs(skin - ambient) / 11.0, 0.2, 1.8)  # patterns shrink as the room warms
    cheek = rng.choice([heavy(-0.3, 0.5), rng.uniform(-3.5, -0.5)])
    side = heavy(0, 0.12) if rng.random() < 0.93 else rng.uniform(-2.5, 2.5)  # the sun or a fan on one side
    ear = rng.choice([rng.uniform(-6, 0), rng.normal(0, 0.7)])
    regions = {
        "nose": rng.choice([rng.uniform(-8, -2), rng.uniform(-2.5, 0.3), heavy(0, 0.4)], p=[0.4, 0.4, 0.2]),
        "bridge": heavy(-0.2, 0.6), "alae": heavy(-0.4, 0.8), "nostrils": heavy(0.0, 0.9),
        "cheek_l": heavy(cheek, 0.25), "cheek_r": heavy(cheek, 0.25), "cheekbone": heavy(-0.1, 0.4),
        "forehead": heavy(0.5, 0.4), "brow_ridge": heavy(0, 0.5), "socket": rng.choice([heavy(0.5, 0.4), rng.uniform(0.5, 2.5)]),
        "canthus": rng.uniform(0.2, 2.2), "bags": heavy(0.0, 0.4), "muzzle": heavy(0.0, 0.45),
        "fold": heavy(0.2, 0.4), "chin": heavy(-0.6, 0.6), "lips": heavy(0.0, 0.8), "lip_line": heavy(0.0, 0.8),
        "upper_lip": heavy(0, 0.6), "ear_l": heavy(ear, 0.15), "ear_r": heavy(ear, 0.15),
        "neck": heavy(0.5, 0.5), "temple": heavy(0.3, 0.5), "left_half": side, "upper_half": heavy(0.2, 0.5),
        "brow": rng.choice([rng.uniform(-0.5, 0.25), rng.uniform(-3.0, -0.3)], p=[0.45, 0.55]),
        "lashes": rng.uniform(-1.6, 0.1), "beard": -np.exp(rng.uniform(np.log(0.4), np.log(6))),
        "spots": heavy(0.0, 0.4) * (rng.random() < 0.3), "folds": heavy(0.4, 0.5), "hollows": heavy(0.7, 0.8),
    }  # fmt: skip
    room = ambient - skin  # K from skin to room
    sun = rng.uniform(2, 14) if rng.random() < 0.05 else 0.0  # heats hair and clothes beyond the skin
    hair = skin + rng.choice([rng.uniform(0.1, 0.5), rng.uniform(0.4, 0.95)]) * room
    lens = rng.choice([rng.uniform(0.8, 1.05), rng.uniform(0.3, 0.85), rng.uniform(0.0, 0.3)], p=[0.6, 0.3, 0.1])
    mouth = rng.choice([rng.uniform(-0.5, 1.2), rng.uniform(1, 2.5), rng.uniform(-4, 0)], p=[0.5, 0.25, 0.25])
    materials = {
        "hair": hair + sun, "mouth": skin + mouth,
        "teeth": skin - rng.uniform(0.3, 4.0) * gap, "eye": skin + heavy(-0.4, 0.5) * gap,
        "glasses": skin + lens * room, "cloth": skin + rng.beta(2, 1.4) * room + sun, "hat": skin + rng.beta(2, 1.3) * room + sun,
        "mask": skin + rng.uniform(0.0, 0.75) * room,
        "object": rng.choice([ambient + rng.normal(0, 1), skin - rng.uniform(0, 4), ambient + rng.uniform(5, 30)], p=[0.5, 0.35, 0.15]),
        "body": skin + np.clip(heavy(-0.8, 1.2), -7, 2) * gap,
    }  # fmt: skip
    return Warmth(ambient, float(skin), {k: float(v * gap) for k, v in regions.items()},
                  (rng.uniform(0.1, 0.7) * gap, rng.uniform(0.03, 0.3) * gap, rng.exponential(0.15) * gap),
                  float(rng.exponential(0.8) * gap), {k: float(v) for k, v in materials.items()},
                  int(rng.integers(2**31)))  # fmt: skip


def waves(points: Array, rng: np.random.Generator, scale: float, count: int = 8) -> Array:
    """A smooth random pattern (N,) of unit variance over points (N, 3): random Fourier features, ``scale`` in cm."""
    frequency = rng.normal(0, 1 / scale, (3, count)).astype(np.float32)
    phase = rng.uniform(0, 2 * np.pi, count).astype(np.float32)
    turn = np.float32(2 * np.pi)
    return _sum_of_cosines(points, frequency / turn, phase / turn) * np.float32(np.sqrt(2 / count))


@njit(cache=True, fastmath=True)
def _sum_of_cosines(points, frequency, phase):  # type: ignore[no-untyped-def]
    """Sum over k of cos 2 pi (points . frequency[:, k] + phase[k]), (N,) float32: by a polynomial, which compiles to vectors."""
    out = np.empty(points.shape[0], np.float32)
    for n in range(points.shape[0]):
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        total = np.float32(0)
        for k in range(phase.shape[0]):
            t = x * frequency[0, k] + y * frequency[1, k] + z * frequency[2, k] + phase[k]
            t -= np.floor(t + np.float32(0.5))
            q = t * t  # least squares on [-0.5, 0.5], within 3e-6
            high = np.float32(-85.295763) + q * (np.float32(58.911428) - q * np.float32(21.280929))
            total += np.float32(1) + q * (np.float32(-19.739034) + q * (np.float32(64.930598) + q * high))
        out[n] = total
    return out


class SkinRegions:
    """Where the named regions of skin lie on the neutral face, computed once per model.

    ``masks`` are soft, 0 to 1 (S,); ``depths`` are of patches with an edge: cm inside of it, negative outside.
    The skin is the model's first S vertices.
    """

    BANK = 32  # waves per scale, of which a person's pattern takes a few

    def __init__(self, model: MorphableModel):
        lm = model.neutral[model.landmarks]
        v = model.neutral[: model.surfaces["skin"].max() + 1]  # the skin comes first
        x, y, z = v.T
        self.points = v
        self.others = len(model.neutral) - len(v)

        def blob(centre: Array, sigma: float | tuple[float, float, float]) -> Array:
            d = (v - centre) / np.asarray(sigma, np.float32)
            return np.exp(-0.5 * (d * d).sum(1)).astype(np.float32)

        def both(centre: tuple[float, float, float], sigma: float | tuple[float, float, float]) -> Array:
            return blob(np.array(centre), sigma) + blob(np.array(centre) * [-1, 1, 1], sigma)

        def ridge(indices: list[int], sigma: float, closed: bool = False) -> Array:
            ends = indices + indices[:1] if closed else indices
            samples = np.concatenate([np.linspace(lm[i], lm[j], 5) for i, j in itertools.pairwise(ends)])
            distance = np.min([((v - s) ** 2).sum(1) for s in samples], axis=0)
            return np.exp(-0.5 * distance / sigma**2).astype(np.float32)

        def oval(cx: float, cy: float, rx: float, ry: float) -> Array:
            inside = (1 - np.hypot((np.abs(x) - cx) / rx, (y - cy) / ry)) * min(rx, ry)
            return np.where(z > 1.5, inside, -9.0).astype(np.float32)

        self.masks = {
            "bridge": blob(lm[28], (0.9, 1.6, 1.5)), "alae": blob(lm[31], 0.8) + blob(lm[35], 0.8),
            "nostrils": both((0.75, lm[33][1] - 0.15, lm[33][2] - 0.2), (0.35, 0.3, 0.6)),
            "cheekbone": both((5.0, 2.0, 8.0), (1.5, 1.0, 2)),
            "forehead": blob(np.array([0, 8.5, 10.3]), (4.5, 2.2, 4)),
            "canthus": blob(lm[39], 0.6) + blob(lm[42], 0.6), "bags": both((3.0, 2.3, 9.5), (1.2, 0.4, 1.5)),
            "fold": ridge([31, 48], 0.35) + ridge([35, 54], 0.35),
            "chin": blob(lm[8] + [0, 0.9, 0], (2.2, 1.5, 2)), "lips": ridge([48, 51, 54, 57], 0.55, True),
            "lip_line": ridge([60, 62, 64, 66], 0.25, True),
            "upper_lip": blob((lm[51] + lm[33]) / 2, (1.8, 0.7, 2)),
            "ear_l": blob(np.array([-8.3, 1.0, 1.0]), (1.1, 2.6, 2.2)), "ear_r": blob(np.array([8.3, 1.0, 1.0]), (1.1, 2.6, 2.2)),
            "neck": blob(np.array([0, -11.5, 2.0]), (7, 3.5, 7)), "temple": both((6.6, 4.5, 5.5), 1.5),
            "upper_half": np.tanh((y - 1.0) / 4), "left_half": np.tanh(x / 4),
            "lashes": ridge([36, 37, 38, 39, 40, 41], 0.16, True) + ridge([42, 43, 44, 45, 46, 47], 0.16, True),
        }  # fmt: skip
        height = [-2.6, -1.9, -1.4, -0.9, -0.3, 0.4, 1.4, 2.6, 4.2, 5.5]
        nose_width = np.interp(y, height, [-4.0, -1.5, 0.7, 1.75, 1.75, 1.35, 1.0, 0.85, 0.9, -3.0])
        cheek = np.minimum(oval(4.9, -1.3, 3.1, 3.7), np.abs(x) - np.interp(y, [-5.0, -1.0, 0.5], [3.2, 2.0, 1.7]))
        self.depths = {
            "nose": np.where(z > 8.5, nose_width - np.abs(x), -9.0).astype(np.float32),
            "cheek_l": np.where(x < 0, cheek, -9).astype(np.float32), "cheek_r": np.where(x > 0, cheek, -9).astype(np.float32),
            "socket": oval(3.2, 3.5, 2.2, 1.25), "muzzle": oval(0.0, -3.4, 2.9, 1.9), "brow_ridge": oval(2.8, 5.7, 3.2, 0.9),
        }  # fmt: skip
        self.relief = np.stack([_concavity(model, steps) for steps in (6, 60)])
        self.brow = np.stack(
            [ridge([17, 18, 19, 20, 21], s) + ridge([22, 23, 24, 25, 26], s) for s in (0.2, 0.32, 0.45)]
        )
        self.stack = np.stack(list(self.masks.values())).astype(np.float32)
        self.beard = beard_mask(v)
        self.moustache = blob((lm[51] + lm[33]) / 2 - [0, 0.1, 0], (2.0, 0.55, 2))
        rng = np.random.default_rng(0)
        strands = v * np.array([1.0, 0.2, 0.6], np.float32)
        self.bank = {name: self._waves(where, scale, rng) for name, where, scale in
                     (("slow", v, 3.0), ("middle", v, 0.8), ("fine", v, 0.35), ("strand", strands, 0.3))}  # fmt: skip

    def _waves(self, where: Array, scale: float, rng: np.random.Generator) -> Array:
        """Cosines and sines (BANK, 2, S) of random directions."""
        angle = rng.normal(0, 1 / scale, (self.BANK, 3)).astype(np.float32) @ where.T
        return np.stack([np.cos(angle), np.sin(angle)], 1)

    def pattern(self, scale: str, rng: np.random.Generator, count: int = 6) -> Array:
        """A random pattern (S,) of unit variance: "slow" 3 cm, "middle" 0.8 cm, "fine" 0.35 cm, or "strand" like hair."""
        phase = rng.uniform(0, 2 * np.pi, count)
        weights = np.stack([np.cos(phase), np.sin(phase)], 1).astype(np.float32) * np.float32(np.sqrt(2 / count))
        first = int(rng.integers(self.BANK - count + 1))
        return weights.reshape(-1) @ self.bank[scale][first : first + count].reshape(2 * count, -1)

    def scalp_hair(self, person: Person) -> Array:
        """How much of the skin's radiation hair hides, 0 to 1 (S,): thin towards the hairline, and cropped or thinning hair."""
        rng = np.random.default_rng(person.seed + 1)
        above = self.points[:, 1] - hairline_height(self.points, person)
        width = float(np.exp(rng.uniform(np.log(0.15), np.log(1.5))))
        start = rng.uniform(-0.3, 0.6)
        ragged = rng.uniform(0.1, 0.7) * self.pattern("strand", rng) + 0.3 * self.pattern("middle", rng)
        density = rng.uniform(0.5, 1.0) if person.hair > 0 else rng.choice([0.0, rng.uniform(0.1, 0.8)])
        return density * _step(above + start + ragged, width)

    def temperature(self, person: Person, warmth: Warmth) -> Array:
        """Skin temperature (V,) float32 degC of each vertex of the model; what is not skin has the mean."""
        rng = np.random.default_rng(warmth.seed)
        slow, middle, vessel = warmth.roughness
        regions = warmth.regions
        t = warmth.skin + np.array([regions[name] for name in self.masks], np.float32) @ self.stack
        t += np.array([regions["folds"], regions["hollows"]], np.float32) @ self.relief
        wobble = self.pattern("middle", rng), self.pattern("slow", rng)
        for name, depth in self.depths.items():  # the edge is sharp or soft, ragged or smooth, further in or out
            width = float(np.exp(rng.uniform(np.log(0.12), np.log(1.3))))
            ragged = rng.exponential(0.2) * wobble[0] + rng.exponential(0.45) * wobble[1]
            if name == "nose":  # cold from the base up: the tip only, or the bridge too
                depth = np.minimum(depth, rng.uniform(0.7, 4.7) - self.points[:, 1])
                ragged *= 0.4
            t += regions[name] * _step(depth + (rng.normal(0, 0.3) + ragged), width)
        t += slow * self.pattern("slow", rng) + middle * self.pattern("middle", rng)
        # warm lines where the pattern crosses zero
        vessels = np.exp(-(((self.pattern("slow", rng) + 0.3 * wobble[0]) / 0.12) ** 2))
        t += vessel * vessels * np.clip(self.masks["forehead"] + self.masks["temple"] + self.masks["neck"], 0.15, 1)
        t += regions["spots"] * _step(self.pattern("fine", rng) + 0.5 * wobble[1] - 1.5, 0.2)
        grain = self.pattern("fine", rng)
        brow = self.brow[rng.integers(len(self.brow))]
        t += regions["brow"] * brow * (1 + 0.3 * grain)
        grain *= rng.uniform(0.1, 0.5)
        stubble = np.maximum(person.beard * self.beard, person.moustache * self.moustache)
        t += regions["beard"] * stubble * (1 + grain)
        dense = np.maximum(max(2 * person.beard - 1, 0) * self.beard, max(2 * person.moustache - 1, 0) * self.moustache)
        full = dense * (0.8 + 0.5 * grain)  # hides the skin
        t += (warmth.materials["hair"] - t) * np.clip(np.maximum(self.scalp_hair(person), full), 0, 1)
        low, high = sorted((warmth.ambient, warmth.skin + 0.1 * (warmth.skin - warmth.ambient)))
        t = np.clip(t, low, max(high, warmth.skin + 3.5, warmth.materials["hair"]))
        return np.concatenate([t, np.full(self.others, warmth.skin)]).astype(np.float32)


def _concavity(model: MorphableModel, steps: int) -> Array:
    """How hollow (1) or exposed (-1) the neutral skin is (S,), at a scale of about ``steps ** 0.5`` times 3 mm.

    Hollows see warm skin instead of the room and lose less heat, so that they look warmer than noses and cheekbones.
    """
    triangles = model.surfaces["skin"]
    v = model.neutral[: triangles.max() + 1].astype(np.float64)
    edges = np.unique(np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1), axis=0)
    ends, others = np.concatenate([edges, edges[:, ::-1]]).T
    degree = np.maximum(np.bincount(ends, minlength=len(v)), 1)
    smooth = v.copy()
    for _ in range(steps):
        mean = np.stack([np.bincount(ends, smooth[others, k], len(v)) / degree for k in range(3)], 1)
        smooth = (smooth + mean) / 2
    hollow = ((smooth - v) * vertex_normals(model.neutral[: len(v)], triangles)).sum(1)
    front = model.neutral[: len(v), 2] > 2
    return np.clip(hollow / (3 * hollow[front].std() + 1e-9), -1, 1).astype(np.float32)


def _step(depth: NDArray[np.floating], width: float) -> Array:
    """A patch's cover, 0 to 1, from the depth inside of its edge, which is ``width`` wide (cm)."""
    return np.asarray(0.5 + 0.5 * np.tanh(depth / width), np.float32)


def material_temperature(material: str, where: Array, warmth: Warmth, rng: np.random.Generator) -> Array:
    """Temperature (N,) degC of what is not skin at canonical positions ``where`` (N, 3) cm."""
    t = np.full(len(where), warmth.materials[material], np.float32)
    gap = abs(warmth.skin - warmth.ambient) + 1.0
    x, y, z = where.T
    if material == "hair":  # strands or curls, parted or not
        curly = rng.random() < 0.25
        strand = where * np.array([1, 1 if curly else rng.uniform(0.08, 0.3), 1], np.float32)
        t += gap * min(rng.exponential(0.03), 0.09) * waves(strand, rng, rng.uniform(0.4, 0.9) if curly else 0.25)
        t += gap * rng.uniform(0.02, 0.12) * waves(where, rng, 2.5, 3)
        parting = gap * rng.uniform(0.03, 0.3) * (rng.random() < 0.3)
        if parting > 0:
            t += parting * np.exp(-(((x - rng.uniform(-4, 4)) / 0.3) ** 2)) * (y > 8) * (z > -3)
    elif material in ("cloth", "hat"):
        scale = rng.uniform(5, 14) if material == "cloth" else 3.0
        folds = waves(where * np.array([1, rng.uniform(0.25, 1), 1], np.float32), rng, scale)
        t += gap * min(rng.exponential(0.05), 0.12) * folds
        t += gap * float(np.clip(rng.normal(0, 0.06), -0.15, 0.15)) * np.exp(-((folds / 0.3) ** 2))
        t += gap * min(rng.exponential(0.01), 0.05) * waves(where, rng, 1.0, 5)
        if material == "cloth":  # an open jacket shows another layer; clothes are warmer where they lie close
            if rng.random() < 0.35:
                t[np.abs(x) < rng.uniform(0.1, 0.4) * (-9 - y).clip(0, 30) + rng.uniform(0, 2)] += gap * rng.normal(
                    0, 0.25
                )
            t += gap * float(np.clip(rng.normal(0, 0.004), -0.008, 0.008)) * (y + 25)
    elif material == "mask":  # warm while breathing out, cool while breathing in
        breath = np.exp(-((x / 2.2) ** 2 + ((y + 1.5 + rng.normal(0, 0.5)) / 1.8) ** 2))
        t += gap * (rng.normal(0, 0.25) * breath + 0.04 * waves(where, rng, 1.5))
    elif material == "glasses":  # reflections of the room and of the wearer
        t += gap * rng.exponential(0.05) * waves(where, rng, rng.uniform(1.0, 4.0), 3)
    elif material in ("object", "body"):
        t += gap * 0.06 * waves(where, rng, 3.0, 3)
    return np.maximum(t, min(warmth.ambient, warmth.skin) - 0.2 * gap)
