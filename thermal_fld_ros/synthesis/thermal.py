# SPDX-License-Identifier: Apache-2.0
"""Temperatures of a person: regional warm and cool skin, hair, glasses, clothes; degC."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
from numba import njit

from thermal_fld_ros.synthesis.morphable import Array, MorphableModel
from thermal_fld_ros.synthesis.person import Person, beard_mask


@dataclass
class Warmth:
    """Random temperatures of one person in one room, degC; ``regions`` are offsets from the skin's mean."""

    ambient: float
    skin: float
    regions: dict[str, float]
    roughness: tuple[float, float, float]  # amplitudes of slow, middle and vessel patterns
    grazing: float  # how much cooler skin looks where it is seen at a flat angle
    materials: dict[str, float] = field(default_factory=dict)
    seed: int = 0


def sample_warmth(rng: np.random.Generator, ambient: float) -> Warmth:
    """Skin a few degrees above a comfortable room, cooler where it is cold; noses often, cheeks sometimes, cool."""
    skin = np.clip(33.8 + 0.12 * (ambient - 23) + rng.normal(0, 0.9), ambient + 1.5, 37.5)
    skin = max(skin, 26.0) if ambient < 15 else skin
    lateral = rng.normal(0, 0.15, 2)
    gap = max(skin - ambient, 3.0) / 11.0  # patterns shrink as the room warms
    cheek, ear = rng.normal(-0.9, 1.2), rng.uniform(-5, 0.5)
    regions = {
        "nose": rng.choice([rng.uniform(-8, -2), rng.uniform(-2.5, 0.3)]), "alae": rng.normal(-0.5, 1.0),
        "cheek_l": cheek + lateral[0], "cheek_r": cheek - lateral[0], "forehead": rng.normal(0.5, 0.5),
        "canthus": rng.uniform(0.3, 1.8), "orbit": rng.normal(0.6, 0.6), "chin": rng.normal(-0.7, 0.8),
        "lips": rng.normal(0.2, 0.9), "upper_lip": rng.normal(0, 0.6), "ear_l": ear + lateral[1], "ear_r": ear - lateral[1],
        "neck": rng.normal(0.5, 0.6), "temple": rng.normal(0.3, 0.5), "brow": rng.uniform(-2.5, 0.3),
        "lashes": rng.uniform(-1.6, 0.1), "bridge": rng.normal(-0.2, 0.7), "beard": -rng.uniform(1.0, 6.0),
        "upper_half": rng.normal(0.3, 0.6),
    }  # fmt: skip
    hair = rng.uniform(0.15, 0.75)
    materials = {
        "hair": skin + hair * (ambient - skin), "mouth": skin + rng.uniform(0.0, 2.0), "teeth": skin - rng.uniform(0.5, 3.5),
        "eye": skin + rng.normal(-0.5, 0.7), "glasses": ambient + rng.uniform(-0.5, 5.0),
        "cloth": ambient + rng.beta(1.6, 2) * (skin - ambient), "hat": ambient + rng.beta(1.5, 2.5) * (skin - ambient),
        "mask": ambient + rng.uniform(0.3, 1.0) * (skin - ambient), "object": rng.choice([skin - rng.uniform(0, 4), ambient]),
    }  # fmt: skip
    return Warmth(ambient, float(skin), {k: float(v * gap) for k, v in regions.items()},
                  (rng.uniform(0.1, 0.8) * gap, rng.uniform(0.03, 0.25) * gap, rng.exponential(0.15) * gap),
                  float(rng.exponential(0.8) * gap), materials, int(rng.integers(2**31)))  # fmt: skip


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
    """Soft masks (V,) of the named skin regions on the neutral face, computed once per model; the skin's vertices come first."""

    def __init__(self, model: MorphableModel):
        lm = model.neutral[model.landmarks]
        self.points = v = model.neutral[: model.surfaces["skin"].max() + 1]

        def blob(centre: Array, sigma: float | tuple[float, float, float]) -> Array:
            d = (v - centre) / np.asarray(sigma, np.float32)
            return np.exp(-0.5 * (d * d).sum(1)).astype(np.float32)

        def ridge(indices: list[int], sigma: float, closed: bool = False) -> Array:
            ends = indices + indices[:1] if closed else indices
            samples = np.concatenate([np.linspace(lm[i], lm[j], 5) for i, j in itertools.pairwise(ends)])
            distance = np.min([((v - s) ** 2).sum(1) for s in samples], axis=0)
            return np.exp(-0.5 * distance / sigma**2).astype(np.float32)

        self.masks = {
            "nose": blob(lm[30] - [0, 0.1, 0.8], (1.5, 1.3, 2.2)), "bridge": blob(lm[28], (0.9, 1.6, 1.5)),
            "alae": blob(lm[31], 0.8) + blob(lm[35], 0.8),
            "cheek_l": blob(np.array([-4.4, -0.6, 8.6]), (2.0, 2.2, 3)), "cheek_r": blob(np.array([4.4, -0.6, 8.6]), (2.0, 2.2, 3)),
            "forehead": blob(np.array([0, 8.5, 10.3]), (4.5, 2.2, 4)),
            "canthus": blob(lm[39], 0.75) + blob(lm[42], 0.75),
            "orbit": blob(lm[36:42].mean(0), (2.1, 1.3, 2)) + blob(lm[42:48].mean(0), (2.1, 1.3, 2)),
            "chin": blob(lm[8] + [0, 0.9, 0], (2.2, 1.5, 2)), "lips": ridge([48, 51, 54, 57], 0.55, True),
            "upper_lip": blob((lm[51] + lm[33]) / 2, (1.8, 0.7, 2)),
            "ear_l": blob(np.array([-8.3, 1.0, 1.0]), (1.1, 2.6, 2.2)), "ear_r": blob(np.array([8.3, 1.0, 1.0]), (1.1, 2.6, 2.2)),
            "neck": blob(np.array([0, -11.5, 2.0]), (7, 3.5, 7)),
            "temple": blob(np.array([-6.6, 4.5, 5.5]), 1.5) + blob(np.array([6.6, 4.5, 5.5]), 1.5),
            "brow": ridge([17, 18, 19, 20, 21], 0.38) + ridge([22, 23, 24, 25, 26], 0.38),
            "upper_half": np.tanh((v[:, 1] - 1.0) / 4),
            "lashes": ridge([36, 37, 38, 39, 40, 41], 0.16, True) + ridge([42, 43, 44, 45, 46, 47], 0.16, True),
        }  # fmt: skip
        self.stack = np.stack(list(self.masks.values())).astype(np.float32)
        self.beard = beard_mask(v)
        self.moustache = blob((lm[51] + lm[33]) / 2 - [0, 0.1, 0], (2.0, 0.55, 2))

    def temperature(self, person: Person, warmth: Warmth) -> Array:
        """Skin temperature (V,) degC of each vertex."""
        rng = np.random.default_rng(warmth.seed)
        slow, middle, vessel = warmth.roughness
        t = warmth.skin + np.array([warmth.regions[name] for name in self.masks], np.float32) @ self.stack
        t += slow * waves(self.points, rng, 3.0) + middle * waves(self.points, rng, 0.8)
        t += vessel * np.exp(-((waves(self.points, rng, 2.0) / 0.15) ** 2))  # warm lines where the pattern crosses zero
        stubble = np.maximum(person.beard * self.beard, person.moustache * self.moustache)
        return t + warmth.regions["beard"] * stubble * (1 + 0.25 * waves(self.points, rng, 0.35))


def material_temperature(material: str, where: Array, warmth: Warmth, rng: np.random.Generator) -> Array:
    """Temperature (N,) degC of what is not skin at canonical positions ``where`` (N, 3) cm."""
    t = np.full(len(where), warmth.materials[material], np.float32)
    gap = abs(warmth.skin - warmth.ambient)
    if material == "hair":  # strands, warmer near the skin
        strand = where * np.array([1, 0.25, 1], np.float32)
        t += gap * (0.05 * waves(strand, rng, 0.25) + 0.10 * waves(where, rng, 2.5))
    elif material in ("cloth", "hat", "mask"):
        t += gap * (0.06 * waves(where, rng, 4.0) + 0.03 * waves(where, rng, 1.2) + 0.015 * waves(where, rng, 0.3))
    elif material in ("glasses", "object"):
        t += gap * 0.06 * waves(where, rng, 3.0)
    return t
