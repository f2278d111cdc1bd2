# SPDX-License-Identifier: Apache-2.0
"""A photograph of a face as a thermal camera might have seen it: the renderer's temperatures over the photograph's shapes.

The morphable face is laid over the photograph's points and gives the temperatures of skin, eyes, lips, brows, beard. Where the
photograph shows hair, clothes and background, these get the temperatures that the renderer's have. The photograph's own
brightness adds no more than a trace of texture, so that make-up, shades and the colour of lips leave no edges.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.geometry import extent
from thermal_fld_ros.photographs.fitting import FaceFit, fit_face
from thermal_fld_ros.synthesis import worn
from thermal_fld_ros.synthesis.background import background
from thermal_fld_ros.synthesis.body import beard_mask
from thermal_fld_ros.synthesis.figure import Figure, Footprint
from thermal_fld_ros.synthesis.mesh import Mesh
from thermal_fld_ros.synthesis.morphable import Array
from thermal_fld_ros.synthesis.person import Glasses, Person
from thermal_fld_ros.synthesis.scene import Body, Placement, Renderer, sample_ambient, temperatures
from thermal_fld_ros.synthesis.sensor import expose, sample_sensor
from thermal_fld_ros.synthesis.thermal import Warmth, material_temperature, sample_warmth

FACE_SIZE = 14.5  # cm, of the 68 points of the neutral face
NOWHERE = -30.0  # cm, beyond every place on the head
GLASSES = 0.2  # share of the faces that get a pair
LEAST_HAIR = 0.03  # of the face's area: less is noise
BLEND = 5.0  # pixels over which the neck's temperature joins that of the face


@dataclass(frozen=True)
class Portrait:
    """A square crop of a photograph about a face.

    Attributes
    ----------
    rgb : (S, S, 3) uint8
    person : (S, S) float32, how surely a pixel shows the person, 0 to 1
    points : (68, 2) float64, iBUG's, pixels of the crop
    """

    rgb: NDArray[np.uint8]
    person: Array
    points: NDArray[np.float64]


@dataclass(frozen=True)
class Parts:
    """How much of each pixel is skin, hair and cloth, (S, S) float32; together the person."""

    skin: Array
    hair: Array
    cloth: Array
    beard: float  # 0 none, 1 full
    moustache: float


def pseudo_thermal(renderer: Renderer, portrait: Portrait, rng: np.random.Generator) -> Array:
    """The portrait in degC (S, S) float32, through a random sensor, with temperatures of a random person in a random room."""
    size = len(portrait.rgb)
    body = renderer.body_for(extent(portrait.points) / FACE_SIZE)
    fit = fit_face(body.model, portrait.points)
    ambient = sample_ambient(rng)
    warmth = sample_warmth(rng, ambient)
    bare = _figure(body, fit, [])
    front, canonical = _front(body, fit, bare, size)
    parts = _parts(portrait, front, canonical)
    person = _person(parts, rng)
    place = Placement(person, warmth, (0.0, 0.0), fit.camera.scale, fit.camera.distance)
    face = np.full((size, size), np.nan, np.float32)
    footprint = _footprint(fit, bare, size)
    footprint.paint(face, temperatures(body.skin, bare, footprint, place))
    skin = _spread(face, front, warmth, rng)
    where = _where(portrait.points, fit, size)
    texture = _texture(portrait.rgb)
    gap = abs(warmth.skin - ambient) + 1.0
    hair, cloth = (
        _material(name, where, warmth, rng) + gap * rng.normal(0, 0.06) * texture for name in ("hair", "cloth")
    )
    behind = background(size, size, ambient, int(rng.integers(0, 7)), rng) + gap * rng.normal(0, 0.03) * texture
    skin = skin + gap * rng.normal(0, 0.006) * texture
    inside = parts.skin + parts.hair + parts.cloth
    celsius = parts.skin * skin + parts.hair * hair + parts.cloth * cloth + (1 - inside) * behind
    celsius = np.ascontiguousarray(celsius, np.float32)
    if rng.random() < GLASSES:
        _wear(celsius, body, fit, place, rng)
    return expose(celsius, sample_sensor(rng), rng, rng)


def _figure(body: Body, fit: FaceFit, more: list[Mesh]) -> Figure:
    surfaces = [Mesh(name, fit.head, triangles, body.model.neutral) for name, triangles in body.model.surfaces.items()]
    figure = Figure.of([*surfaces, *more])
    return replace(figure, vertices=np.ascontiguousarray(figure.vertices @ fit.rotation.T, np.float32))


def _footprint(fit: FaceFit, figure: Figure, size: int) -> Footprint:
    xy, depth = fit.project(np.ascontiguousarray(figure.vertices @ fit.rotation, np.float32))
    return Footprint(figure, xy, depth, (size, size))


def _front(body: Body, fit: FaceFit, figure: Figure, size: int) -> tuple[Array, Array]:
    """Where the mesh of the face is seen, 0 or 1 (S, S), and the place on the neutral face that is seen there (S, S, 3) cm."""
    footprint = _footprint(fit, figure, size)
    canonical = np.full((size, size, 3), NOWHERE, np.float32)
    footprint.paint(canonical, footprint.interpolate(np.ascontiguousarray(figure.canonical, np.float32)))
    y, z = canonical[..., 1], canonical[..., 2]
    front = (z > 1.0) & (y > -8.5 + 0.12 * np.clip(z, 0, 9)) & (y < 10.0)
    return front.astype(np.float32), canonical


def _parts(portrait: Portrait, front: Array, canonical: Array) -> Parts:
    """Skin, hair and cloth by colour, by the distance to what is surely skin and surely hair, and by place."""
    lab = cv2.cvtColor(portrait.rgb.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2LAB)
    lab = cv2.GaussianBlur(lab, (0, 0), 0.8)
    person = np.clip((portrait.person - 0.3) / 0.4, 0, 1).astype(np.float32)
    x, y, z = np.moveaxis(canonical, -1, 0)
    core = (front > 0) & (y > -2.5) & (y < 2.0) & (np.abs(x) < 5) & (z > 4)  # cheeks and nose
    core = core if core.sum() > 20 else front > 0
    skin = _distance(lab, core, (14.0, 5.0, 6.0))
    down, across = _face_frame(portrait.points, len(lab))
    beside = person * (1 - front) > 0.5
    seed = beside & (skin > 2.5) & (down < 0.1)
    bald = seed.sum() < LEAST_HAIR * front.sum()
    hair = np.full_like(skin, 9.0) if bald else _distance(lab, seed, (16.0, 7.0, 9.0))
    logits = np.stack([
        -0.5 * np.minimum(skin, 4.5) ** 2 + np.where(front > 0, np.where(y > 5.0, 2.5, 30.0), 0.5),
        -0.5 * np.minimum(hair, 4.5) ** 2 + np.where(down < 0.1, 2.0, np.where(down < 1.0, 0.5, -3.0 * (down - 0.9))),
        np.where(down > 1.0, -4.0 + 9.0 * np.clip(down - 1.05, 0, 1), -20.0),
    ]).astype(np.float32)  # fmt: skip
    throat = (down > 0.9) & (np.abs(across) < 0.4)  # the chin's shade is no hair, and cloth begins farther down
    logits[1:, throat] -= np.float32(8.0) * np.clip(1.3 - down[throat], 0, 0.3) / np.float32(0.3)
    weights = np.exp(logits - logits.max(0))
    weights /= weights.sum(0)
    skin_share, hair_share, cloth_share = (cv2.GaussianBlur(w, (0, 0), 0.7) * person for w in weights)
    beard, moustache = _facial_hair(lab, core, front, canonical)
    return Parts(skin_share, hair_share, cloth_share, beard, moustache)


def _distance(lab: Array, seed: NDArray[np.bool_], scale: tuple[float, float, float]) -> Array:
    """Distance (S, S) of colours to the median of a region, in spreads of at least ``scale``."""
    some = lab[seed]
    middle = np.median(some, axis=0)
    spread = np.maximum(1.5 * np.median(np.abs(some - middle), axis=0), scale)
    return np.asarray(np.sqrt((((lab - middle) / spread) ** 2).sum(-1)), np.float32)


def _face_frame(points: NDArray[np.float64], size: int) -> tuple[Array, Array]:
    """How far below the brows each pixel lies (the chin at 1), and how far beside the face's middle line, in the same unit."""
    brows, chin = points[17:27].mean(0), points[8]
    down = chin - brows
    length = float(down @ down)
    y, x = np.mgrid[:size, :size]
    offset = np.stack([x, y], -1) - brows
    across = offset @ np.array([-down[1], down[0]]) / length
    return (offset @ down / length).astype(np.float32), across.astype(np.float32)


def _facial_hair(lab: Array, core: NDArray[np.bool_], front: Array, canonical: Array) -> tuple[float, float]:
    """How full beard and moustache are, by how much darker they are than the cheeks."""
    light = float(np.median(lab[core][:, 0]))
    grown = beard_mask(canonical.reshape(-1, 3)).reshape(front.shape) * front > 0.7
    x, y, _ = np.moveaxis(canonical, -1, 0)
    lip = (front > 0) & (np.abs(x) < 1.8) & (y > -2.9) & (y < -2.1)

    def fullness(where: NDArray[np.bool_]) -> float:
        if where.sum() < 10:
            return 0.0
        darker = (light - float(np.median(lab[where][:, 0]))) / max(light, 1.0)
        return float(np.clip((darker - 0.2) / 0.3, 0, 1))

    return fullness(grown), fullness(lip)


def _person(parts: Parts, rng: np.random.Generator) -> Person:
    nothing = np.zeros(0, np.float32)
    return Person(nothing, nothing, 0.0, 0.0, 0.0, hair=0.0, hairline=30.0, beard=parts.beard, moustache=parts.moustache,
                  seed=int(rng.integers(2**31)))  # fmt: skip


def _spread(face: Array, front: Array, warmth: Warmth, rng: np.random.Generator) -> Array:
    """The temperatures of the face's front, and about it of ears and neck as of the face nearby, the neck with its own offset."""
    known = front * np.isfinite(face)
    values = np.where(known > 0, face, 0).astype(np.float32)
    total, weight = np.zeros_like(values), np.zeros_like(values)
    for sigma in (3.0, 9.0, 30.0, 90.0):  # near ones count far more
        share = np.float32(1e-3 ** np.log2(sigma / 3))
        total += share * _blurred(values, sigma)
        weight += share * _blurred(known, sigma)
    around = np.where(weight > 1e-12, total / np.maximum(weight, 1e-12), warmth.skin)
    rows = np.flatnonzero(known.any(axis=1))
    lowest = rows[-1] if len(rows) else len(face)
    below = np.clip((np.arange(len(face))[:, None] - lowest + 12) / BLEND, 0, 1)
    around = around + below * (warmth.regions["neck"] - 0.4 * warmth.regions["chin"] + rng.normal(0, 0.2))
    return np.where(known > 0, face, around).astype(np.float32)


def _blurred(image: Array, sigma: float) -> Array:
    """A wide Gaussian blur, made in a smaller image."""
    size, small = len(image), max(round(len(image) * 3 / sigma), 4)
    reduced = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(reduced, (0, 0), sigma * small / size)
    return np.asarray(cv2.resize(blurred, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)


def _where(points: NDArray[np.float64], fit: FaceFit, size: int) -> Array:
    """A place (S * S, 3) cm for each pixel, as if the person were flat: what patterns of hair and cloth are laid over."""
    y, x = np.mgrid[:size, :size].astype(np.float32)
    middle = points[27:31].mean(0)
    flat = np.stack([x - middle[0], middle[1] - y, np.zeros_like(x)], -1) / np.float32(fit.camera.scale)
    return np.ascontiguousarray(flat.reshape(-1, 3), np.float32)


def _material(name: str, where: Array, warmth: Warmth, rng: np.random.Generator) -> Array:
    side = round(len(where) ** 0.5)
    return material_temperature(name, where, warmth, rng).reshape(side, side)


def _texture(rgb: NDArray[np.uint8]) -> Array:
    """The fine structure of the photograph's brightness (S, S), about -1 to 1."""
    light = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    fine = light - cv2.GaussianBlur(light, (0, 0), 4.0)
    return np.asarray(np.clip(fine / 25, -1.5, 1.5), np.float32)


def _wear(celsius: Array, body: Body, fit: FaceFit, place: Placement, rng: np.random.Generator) -> None:
    """Put glasses on."""
    pair = Glasses(width=rng.uniform(2.0, 3.2), height=rng.uniform(1.2, 2.6), power=rng.uniform(2, 5), drop=rng.uniform(-0.3, 0.8),
                   forward=rng.uniform(1.0, 2.0), wrap=rng.uniform(0, 0.35), rim=rng.uniform(0.06, 0.35))  # fmt: skip
    figure = _figure(body, fit, worn.glasses(body.model, fit.head, pair))
    footprint = _footprint(fit, figure, len(celsius))
    values = temperatures(body.skin, figure, footprint, place)
    for material, mine in footprint.materials():
        if material == "glasses":
            rows, columns = (footprint.pixels[mine] + [footprint.window[0].start, footprint.window[1].start]).T
            celsius[rows, columns] = values[mine]
