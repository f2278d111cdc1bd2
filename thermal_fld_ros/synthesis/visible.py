# SPDX-License-Identifier: Apache-2.0
"""The same people in visible light: colours, textures, lighting and a colour camera. All colours are linear RGB in [0, 1]."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import cv2
import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from thermal_fld_ros.perception.geometry import Affine
from thermal_fld_ros.synthesis.body import euler, hairline_height
from thermal_fld_ros.synthesis.figure import Figure, Footprint
from thermal_fld_ros.synthesis.morphable import Array, MorphableModel
from thermal_fld_ros.synthesis.person import Person
from thermal_fld_ros.synthesis.rasteriser import project, rasterise, vertex_normals
from thermal_fld_ros.synthesis.thermal import SkinRegions, waves

# sRGB, 0 to 255: from the least to the most melanin
SKIN_TONES = (
    (247, 215, 196),
    (236, 188, 160),
    (219, 168, 130),
    (192, 134, 96),
    (150, 97, 66),
    (106, 68, 47),
    (62, 40, 30),
)
HAIR = (
    (18, 15, 14),
    (38, 27, 21),
    (66, 45, 32),
    (104, 74, 48),
    (172, 138, 92),
    (128, 62, 34),
    (150, 148, 146),
    (212, 210, 206),
)
IRIS = ((62, 38, 22), (92, 60, 34), (104, 108, 72), (98, 124, 150), (120, 130, 136))


def linear(srgb: ArrayLike) -> Array:
    """Linear RGB float32 of sRGB values 0 to 255."""
    return _LINEAR[np.asarray(srgb).astype(np.uint8)]


def _linear_table() -> Array:
    s = np.arange(256) / 255
    return np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4).astype(np.float32)


_LINEAR = _linear_table()


@dataclass(frozen=True)
class Colouring:
    """One person's colours, (3,) linear RGB each, and textures; everything else is drawn from ``seed``."""

    skin: Array
    lips: Array
    hair: Array
    iris: Array
    materials: dict[str, Array]  # cloth, hat, mask, glasses, object
    freckles: float  # strength
    redness: float  # of cheeks and nose
    make_up: float  # darkness of the lashes' line
    gloss: float  # of the skin
    lens: float  # how much light glasses swallow, 0 to 1
    seed: int


@dataclass(frozen=True)
class Lighting:
    """Light from everywhere and one lamp, (3,) linear RGB each; ``direction`` (3,) points to the lamp (x right, y up, z camera)."""

    ambient: Array
    lamp: Array
    direction: Array


@dataclass(frozen=True)
class ColourCamera:
    """``to_rgb`` maps the thermal image's pixels to the colour image's; ``blur`` in pixels, ``noise`` of full scale."""

    exposure: float  # mean of the linear image
    balance: Array  # (3,)
    saturation: float
    blur: float
    noise: float
    to_rgb: Affine = field(default_factory=Affine.identity)


@dataclass(frozen=True)
class Visible:
    """How a scene looks in visible light; each person's colours are in the ``Placement``."""

    lighting: Lighting
    camera: ColourCamera


def sample_look(rng: np.random.Generator) -> Colouring:
    """Colours over the whole human range; dark hair goes with dark skin most of the time."""
    tone = rng.uniform(0, len(SKIN_TONES) - 1)
    skin = np.array([np.interp(tone, range(len(SKIN_TONES)), c) for c in np.transpose(SKIN_TONES)]) * rng.normal(
        1, 0.03, 3
    )
    dark = rng.random() < 0.3 + 0.12 * tone
    hair = np.array(HAIR[rng.integers(0, 3) if dark else rng.integers(len(HAIR))]) * rng.normal(1, 0.06, 3)
    if rng.random() < 0.03:  # dyed
        hair = rng.uniform(20, 220, 3)
    lips = (
        skin * [0.86, 0.66, 0.66]
        if rng.random() < 0.85
        else [rng.uniform(90, 200), rng.uniform(15, 70), rng.uniform(30, 90)]
    )
    white = rng.random() < 0.5

    def dye(most_grey: float = 0.5) -> Array:
        grey = rng.uniform(8, 235)
        return linear(np.clip(grey + (rng.random() > most_grey) * rng.normal(0, 60, 3), 4, 245))

    materials = {
        "cloth": dye(), "hat": dye(), "object": dye(),
        "mask": linear(np.array([228, 232, 236] if white else [150, 190, 215]) * rng.uniform(0.9, 1)) if rng.random() < 0.8 else dye(),
        "glasses": linear(np.array((25, 22, 20)) * rng.uniform(0.3, 2)) if rng.random() < 0.7 else dye(0.3),
    }  # fmt: skip
    return Colouring(
        linear(np.clip(skin, 5, 252)), linear(np.clip(lips, 5, 250)), linear(np.clip(hair, 4, 245)),
        linear(np.array(IRIS[0 if tone > 2.5 and rng.random() < 0.9 else rng.integers(len(IRIS))]) * rng.uniform(0.7, 1.2)),
        materials, freckles=rng.exponential(0.08), redness=rng.exponential(0.12), make_up=rng.uniform(0.15, 0.85),
        gloss=rng.exponential(0.05), lens=rng.uniform(0.02, 0.2) if rng.random() < 0.75 else rng.uniform(0.6, 0.97),
        seed=int(rng.integers(2**31)),
    )  # fmt: skip


def sample_visible(rng: np.random.Generator, size: tuple[int, int], misregistration: float = 0.0) -> Visible:
    """From even daylight to one harsh lamp in the dark.

    ``misregistration`` scales how far the colour camera is off the thermal one: at 1 a standard deviation of 1.5 degrees, 2 %
    in scale, and 2 % of the image in x and in y.
    """
    warmth = rng.normal(0, 0.25, 2)  # colour of the light: positive is a lamp's yellow, negative a shadow's blue
    colours = np.exp(np.stack([0.35 * warmth, 0 * warmth, -0.55 * warmth], 1))
    azimuth, height = rng.normal(0, 0.9), rng.uniform(-0.25, 1.2)
    direction = np.array([np.sin(azimuth) * np.cos(height), np.sin(height), np.cos(azimuth) * np.cos(height)])
    contrast = np.exp(rng.uniform(np.log(0.25), np.log(8)))  # lamp against the light from everywhere
    dark = rng.random() < 0.12
    lighting = Lighting(
        colours[0].astype(np.float32), (contrast * colours[1]).astype(np.float32), direction.astype(np.float32)
    )
    angle, scale = np.deg2rad(1.5) * misregistration * rng.normal(), 1 + 0.02 * misregistration * rng.normal()
    middle = (np.array(size) - 1) / 2
    to_rgb = Affine.similarity(
        scale, angle, middle, middle + 0.02 * misregistration * np.array(size) * rng.normal(0, 1, 2)
    )
    camera = ColourCamera(
        exposure=float(np.exp(rng.normal(np.log(0.025 if dark else 0.2), 0.6 if dark else 0.4))),
        balance=np.exp(-0.7 * np.log(colours.mean(0)) + rng.normal(0, 0.05, 3)).astype(np.float32),
        saturation=rng.uniform(0.7, 1.25), blur=rng.uniform(0.25, 1.0),
        noise=float(rng.exponential(0.025 if dark else 0.008) + 0.002), to_rgb=to_rgb,
    )  # fmt: skip
    return Visible(lighting, camera)


class Appearance:
    """What colours need of one morphable model, computed once: where lips and brows are, and what shades what.

    Attributes
    ----------
    directions : (D, 3) float32
        Over the sphere, in the head's frame.
    seen : (D, V) float32
        Whether a vertex of the neutral face is lit from a direction.
    open_sky : (V,) float32
        How much of what lies before a vertex is open, 0 to 1: the light from everywhere that reaches it.
    """

    def __init__(self, model: MorphableModel, skin: SkinRegions):
        self.skin = skin
        points = skin.points
        lm = model.neutral[model.landmarks]

        def ridge(chains: list[list[int]], sigma: float) -> Array:
            samples = np.concatenate([np.linspace(lm[i], lm[j], 8) for c in chains for i, j in itertools.pairwise(c)])
            distance = np.min([((points - s) ** 2).sum(1) for s in samples], axis=0)
            return np.exp(-0.5 * distance / sigma**2).astype(np.float32)

        self.brows = ridge([[17, 18, 19, 20, 21], [22, 23, 24, 25, 26]], 0.28)
        self.lashes = ridge([[36, 37, 38, 39], [42, 43, 44, 45]], 0.13)
        self.blush = sum(np.exp(-0.5 * (((points - c) / s) ** 2).sum(1)) for c, s in (
            (np.array([-4.4, -0.6, 8.6]), 1.8), (np.array([4.4, -0.6, 8.6]), 1.8), (lm[30], 1.1)))  # fmt: skip
        outline = lm[48:60, :2].astype(np.float32).reshape(-1, 1, 2)
        inside = np.array(
            [cv2.pointPolygonTest(outline, (float(x), float(y)), True) if z > 6 else -9 for x, y, z in points]
        )
        self.lips = np.clip(inside / 0.15 + 0.5, 0, 1).astype(np.float32)
        self.eyes = np.stack([lm[36:42].mean(0), lm[42:48].mean(0)])
        self.directions = _sphere(64)
        self.seen = np.stack([_lit(model, d) for d in self.directions])
        facing = np.maximum(self.directions @ vertex_normals(model.neutral, model.triangles).T, 0)
        self.open_sky = ((facing * self.seen).sum(0) / np.maximum(facing.sum(0), 1e-3)).astype(np.float32)

    def shadow(self, direction: Array) -> Array:
        """How much of a lamp in a direction of the head's frame (3,) reaches each vertex of the model (V,), 0 to 1."""
        weights = np.maximum(self.directions @ direction - 0.85, 0) ** 2
        return (weights / max(weights.sum(), 1e-6)) @ self.seen

    def skin_colour(self, person: Person, look: Colouring) -> Array:
        """Albedo (S, 3) float32 of the skin's vertices: tone, lips, brows, stubble, freckles, cropped hair."""
        rng = np.random.default_rng(look.seed)
        points = self.skin.points
        mottled = 1 + 0.05 * waves(points, rng, 1.5) + 0.03 * waves(points, rng, 0.4)
        freckles = look.freckles * np.maximum(waves(points, rng, 0.2, 12) - 1.2, 0)
        colour = look.skin * (mottled * np.maximum(1 - freckles, 0.3))[:, None]
        colour *= 1 - look.redness * self.blush[:, None] * np.array([0.0, 0.5, 0.45], np.float32)
        colour += self.lips[:, None] * (look.lips - colour)
        grain = 0.75 + 0.25 * waves(points * np.array([1, 0.4, 1], np.float32), rng, 0.25)
        for cover, strength in (
            (self.brows, rng.uniform(0.5, 1.0)), (self.lashes, look.make_up),
            (np.maximum(person.beard * self.skin.beard, person.moustache * self.skin.moustache), 0.9),
            (self._cropped_hair(person, rng), 0.9),
        ):  # fmt: skip
            colour += np.clip(strength * cover * grain, 0, 1)[:, None] * (look.hair - colour)
        return colour.astype(np.float32)

    def _cropped_hair(self, person: Person, rng: np.random.Generator) -> Array:
        above = self.skin.points[:, 1] - hairline_height(self.skin.points, person)
        density = rng.uniform(0.5, 1) if person.hair > 0 else rng.choice([0.0, rng.uniform(0.2, 0.8)])
        return density * np.clip(above / 0.8 + 0.3, 0, 1)

    def eye_colour(self, where: Array, look: Colouring) -> tuple[Array, Array, float]:
        """Albedo (N, 3) of eyeballs at canonical positions (N, 3), the cornea's gloss (N,) and its sharpness."""
        rng = np.random.default_rng(look.seed)
        gaze = rng.normal(0, 0.12, 2)
        d = np.min([np.hypot(where[:, 0] - e[0] - gaze[0], where[:, 1] - e[1] - gaze[1]) for e in self.eyes], axis=0)
        lid = np.clip(0.75 - 0.7 * (where[:, 1] - self.eyes[0, 1]), 0.3, 1)  # the upper lid's shadow
        white = linear((190, 178, 170)) * (1 - 0.3 * np.clip(d - 0.8, 0, 1))[:, None]
        fading = np.clip(1.15 - 0.9 * (d / 0.62) ** 4, 0.2, 2)[:, None]  # the iris is darkest at its rim
        inner = np.where(d[:, None] < rng.uniform(0.16, 0.32), np.float32(0.004), look.iris * fading)
        iris = np.clip((0.62 - d) / 0.08 + 0.5, 0, 1)[:, None]
        return (
            ((white + iris * (inner - white)) * lid[:, None]).astype(np.float32),
            np.where(d < 0.75, 0.35, 0.05),
            60.0,
        )

    def radiance(self, figure: Figure, footprint: Footprint, person: Person, look: Colouring, light: Lighting) -> Array:
        """Light (N, 3) float32 that a footprint's pixels send to the camera."""
        own = len(self.open_sky)
        skin = self.skin_colour(person, look)
        to_head = euler(person.yaw, person.pitch, person.roll).T
        # canonical position, normal, albedo, and how much of the light from everywhere and of the lamp arrives
        attributes = np.ones((len(figure.vertices), 11), np.float32)
        attributes[:, :3], attributes[:, 3:6] = figure.canonical, figure.normals
        attributes[: len(skin), 6:9] = skin
        attributes[:own, 9] = self.open_sky
        attributes[:own, 10] = self.shadow(to_head @ light.direction)
        values = footprint.interpolate(attributes)
        out = np.empty((len(values), 3), np.float32)
        for material, mine in footprint.materials():
            where = np.ascontiguousarray(values[mine, :3])
            albedo, gloss, sharpness = (
                (values[mine, 6:9], look.gloss, 12.0) if material == "skin" else
                self.eye_colour(where, look) if material == "eye" else material_colour(material, where, look)
            )  # fmt: skip
            out[mine] = shade(albedo, values[mine, 3:6], values[mine, 9], values[mine, 10], gloss, sharpness, light)
        return out

    def draw(self, image: Array, supersample: int, figure: Figure, xy: Array, depth: Array, thermal: Footprint,
             person: Person, look: Colouring, visible: Visible) -> None:  # fmt: skip
        """Draw a person into the colour image (H, W, 3) of radiances: what is opaque, then glass.

        ``xy`` and ``depth`` are the vertices' in the supersampled thermal image, ``thermal`` their footprint there: it serves for
        both where they are the same.
        """
        height, width = image.shape[:2]
        to_rgb = visible.camera.to_rgb
        footprint = thermal
        if figure.clear.any() or not np.array_equal(to_rgb.matrix, Affine.identity().matrix):
            finer = Affine.resize((width // supersample, height // supersample), (width, height))
            xy = (finer @ to_rgb @ finer.inverse())(xy).astype(np.float32)
            footprint = Footprint(figure, xy, depth, (height, width), ~figure.clear)
        footprint.paint(image, self.radiance(figure, footprint, person, look, visible.lighting))
        if figure.clear.any():
            glass = Footprint(figure, xy, depth, (height, width), figure.clear, before=footprint)
            through, reflected = lens_light(glass.interpolate(figure.canonical), look, visible.lighting)
            glass.paint(image, through * glass.read(image) + reflected)


def material_colour(material: str, where: Array, look: Colouring) -> tuple[Array, Array | float, float]:
    """Albedo (N, 3) of what is neither skin nor eye at canonical positions (N, 3) cm, its gloss and the gloss's sharpness."""
    rng = np.random.default_rng([look.seed, len(material), ord(material[0])])
    if material == "body":
        return look.skin * (1 + 0.05 * waves(where, rng, 1.0))[:, None], look.gloss, 12.0
    if material == "mouth":
        return np.broadcast_to(linear((150, 62, 60)) * rng.uniform(0.5, 1), where.shape), 0.1, 30.0
    if material == "teeth":
        return np.broadcast_to(linear((225, 215, 195)) * rng.uniform(0.6, 1), where.shape), 0.15, 40.0
    if material == "hair":
        strand = where * np.array([1, rng.uniform(0.08, 0.4), 1], np.float32)
        shade = 1 + 0.35 * waves(strand, rng, 0.3) + 0.2 * waves(where, rng, 2.0)
        return look.hair * np.maximum(shade, 0.15)[:, None], 0.08, 8.0
    colour = look.materials[material]
    shade = 1 + 0.06 * waves(where, rng, 3.0) + 0.04 * waves(where, rng, 0.5)
    cover = _pattern(where, rng) if material in ("cloth", "hat", "object") else 0.0
    if material == "mask":
        shade = shade * (1 - 0.12 * (np.sin(2 * np.pi * where[:, 1] / 1.6) > 0.75))
    other = linear(rng.uniform(5, 240, 3))
    gloss, sharpness = {"glasses": (0.25, 40.0), "object": (0.08, 20.0)}.get(material, (0.01, 4.0))
    return (colour + np.reshape(cover, (-1, 1)) * (other - colour)) * np.maximum(shade, 0.2)[:, None], gloss, sharpness


def _pattern(where: Array, rng: np.random.Generator) -> Array | float:
    """Where a fabric shows its second colour, 0 to 1 (N,): plain, stripes, checks, patches."""
    kind = rng.choice(["plain", "stripes", "checks", "patches"], p=[0.55, 0.18, 0.12, 0.15])
    if kind == "plain":
        return 0.0
    if kind == "patches":
        return np.clip(3 * waves(where, rng, rng.uniform(1, 5)) - 1, 0, 1)
    period, width = rng.uniform(0.8, 6), rng.uniform(-0.5, 0.8)
    along = np.array([1.0, 0.0, 0.4]) if rng.random() < 0.5 or kind == "checks" else np.array([0.0, 1.0, 0.0])
    lines = np.sin(2 * np.pi / period * (where @ along.astype(np.float32))) > width
    across = np.sin(2 * np.pi / period * where[:, 1]) > width
    return 0.5 * (lines + across.astype(np.float32)) if kind == "checks" else lines.astype(np.float32)


def lens_light(where: Array, look: Colouring, light: Lighting) -> tuple[Array, Array]:
    """What glass at canonical positions (N, 3) lets through (3,), 0 to 1, and the light (N, 3) that it throws back."""
    rng = np.random.default_rng([look.seed, 7])
    bright = np.maximum(waves(where, rng, rng.uniform(1, 4), 3) - rng.uniform(0.3, 1.5), 0) * rng.exponential(0.12)
    return (1 - look.lens) * np.array([0.97, 1.0, 1.0], np.float32), bright[:, None] * (
        light.ambient + 0.3 * light.lamp
    )


def shade(
    albedo: Array, normals: Array, sky: Array, lit: Array, gloss: Array | float, sharpness: float, light: Lighting
) -> Array:
    """Radiance (N, 3) float32 towards a camera on +z.

    Parameters
    ----------
    albedo, normals : (N, 3) float32; normals of any length, either side
    sky, lit : (N,) float32, how much of the light from everywhere and of the lamp arrives, 0 to 1
    gloss : (N,) or float, sharpness : float, of the lamp's reflection (Blinn and Phong)
    light
    """
    gloss = np.broadcast_to(np.asarray(gloss, np.float32), sky.shape)
    albedo = np.asarray(albedo, np.float32)
    return _shade(albedo, normals, sky, lit, gloss, np.float32(sharpness), light.ambient, light.lamp, light.direction)


@njit(cache=True, fastmath=True)
def _shade(albedo, normals, sky, lit, gloss, sharpness, ambient, lamp, direction):  # type: ignore[no-untyped-def]
    half = direction + np.array([0.0, 0.0, 1.0], np.float32)
    half /= np.sqrt((half * half).sum()) + np.float32(1e-6)
    out = np.empty(albedo.shape, np.float32)
    for n in range(albedo.shape[0]):
        x, y, z = normals[n, 0], normals[n, 1], normals[n, 2]
        inverse = np.float32(1) / (np.sqrt(x * x + y * y + z * z) + np.float32(1e-9))
        if z < 0:
            inverse = -inverse
        x, y, z = x * inverse, y * inverse, z * inverse
        diffuse = max(x * direction[0] + y * direction[1] + z * direction[2], np.float32(0)) * lit[n]
        shine = max(x * half[0] + y * half[1] + z * half[2], np.float32(0))
        shine = gloss[n] * lit[n] * shine**sharpness if shine > 0.5 else np.float32(0)
        rim = np.float32(0.5) * gloss[n] * (np.float32(1) - z) ** 3 * sky[n]
        everywhere = sky[n] * (np.float32(0.78) + np.float32(0.22) * y)
        for c in range(3):
            light = ambient[c] * everywhere + lamp[c] * diffuse
            out[n, c] = albedo[n, c] * light + shine * lamp[c] + rim * ambient[c]
    return out


def backdrop(width: int, height: int, lighting: Lighting, rng: np.random.Generator) -> Array:
    """What lies behind people, out of focus: walls, furniture, foliage, sky; radiance (H, W, 3) float32."""
    w, h = width // 2, height // 2  # it is out of focus anyway
    base, tint = rng.uniform(20, 220), rng.normal(0, 18, 3)
    image = np.empty((h, w, 3), np.float32)
    corners = linear(np.clip(base + tint + rng.normal(0, 25, (2, 2, 1)), 3, 250))
    image[:] = cv2.resize(corners, (w, h), interpolation=cv2.INTER_LINEAR)
    for _ in range(rng.integers(0, 9)):
        colour = linear(np.clip(rng.uniform(10, 240) + rng.normal(0, 25, 3), 3, 250)).tolist()
        x, y = int(rng.uniform(-0.1, 1.1) * w), int(rng.uniform(-0.1, 1.1) * h)
        side = np.exp(rng.uniform(np.log(0.05), np.log(0.8))) * w
        kind = rng.integers(4)
        if kind == 0:
            axes = (int(side / 2) + 1, int(side / 2 * rng.uniform(0.5, 1)) + 1)
            cv2.ellipse(image, (x, y), axes, rng.uniform(0, 180), 0, 360, colour, -1, cv2.LINE_AA)
        elif kind == 1:  # shelves, frames, screens
            box = cv2.boxPoints(((float(x), float(y)), (side, side * rng.uniform(0.2, 3)), float(rng.normal(0, 3))))
            cv2.fillPoly(image, [box.astype(np.int32)], colour, cv2.LINE_AA)
        elif kind == 2:  # floor, wall, window
            start = np.array([x, y]) * (rng.random() < 0.5, 1) if rng.random() < 0.5 else np.array([x, 0])
            cv2.rectangle(image, start.astype(int).tolist(), (w, h), colour, -1)
        else:
            end = (int(x + rng.normal(0, w)), int(y + rng.normal(0, h)))
            cv2.line(image, (x, y), end, colour, int(rng.integers(1, max(2, w // 15))), cv2.LINE_AA)
    if rng.random() < 0.4:  # foliage, rubble, wallpaper
        octaves = [
            cv2.resize(rng.standard_normal((2**k + 1, 2**k + 1), np.float32), (w, h)) * 0.75**k for k in range(2, 7)
        ]
        texture = np.sum(octaves, 0)
        image *= np.exp(rng.uniform(0.1, 0.8) * texture / texture.std())[:, :, None]
    blurred = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 4))
    light = lighting.ambient + 0.5 * lighting.lamp
    return np.asarray(cv2.resize(blurred * light, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def photograph(radiance: Array, camera: ColourCamera, noise: np.random.Generator) -> NDArray[np.uint8]:
    """The camera's picture (H, W, 3) uint8 sRGB of what is seen, (H, W, 3) linear."""
    gain = camera.balance * np.float32(camera.exposure / max(float(radiance.mean()), 1e-6))
    image = np.asarray(cv2.GaussianBlur(radiance * gain, (0, 0), camera.blur), np.float32)
    grain = noise.standard_normal(image.shape, np.float32)
    return _develop(image, grain, np.float32(camera.saturation), np.float32(camera.noise), _RESPONSE)


@njit(cache=True, fastmath=True)
def _develop(image, grain, saturation, noise, response):  # type: ignore[no-untyped-def]
    """Saturation, noise that grows with the light, and the response to light from 0 to 4; (H, W, 3) uint8."""
    out = np.empty(image.shape, np.uint8)
    steps = np.float32(len(response) / 4)
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            red, green, blue = image[y, x, 0], image[y, x, 1], image[y, x, 2]
            grey = np.float32(0.2126) * red + np.float32(0.7152) * green + np.float32(0.0722) * blue
            for c in range(3):
                v = grey + saturation * (image[y, x, c] - grey)
                v += noise * np.sqrt(max(v, np.float32(0)) + np.float32(0.02)) * grain[y, x, c]
                out[y, x, c] = response[int(min(max(v * steps, np.float32(0)), np.float32(len(response) - 1)))]
    return out


def _response() -> NDArray[np.uint8]:
    """Grey values of linear light from 0 to 4: highlights roll off as on film, then sRGB's curve."""
    v = 1 - np.exp(-1.3 * np.linspace(0, 4, 1 << 14))
    return (np.where(v <= 0.0031308, 12.92 * v, 1.055 * v ** (1 / 2.4) - 0.055) * 255 + 0.5).astype(np.uint8)


_RESPONSE = _response()


def _sphere(count: int) -> Array:
    """Directions (count, 3) spread evenly over the sphere (Fibonacci's lattice)."""
    k = np.arange(count) + 0.5
    polar, turn = np.arccos(1 - 2 * k / count), np.pi * (1 + 5**0.5) * k
    return np.stack([np.cos(turn) * np.sin(polar), np.cos(polar), np.sin(turn) * np.sin(polar)], 1).astype(np.float32)


def _lit(model: MorphableModel, direction: Array) -> Array:
    """Which vertices (V,) float32 of the neutral face light from a direction reaches: a shadow map."""
    side = np.cross(direction, [0.3, 1.0, 0.1])
    side /= np.linalg.norm(side)
    turned = model.neutral @ np.stack([side, np.cross(direction, side), direction], 1).astype(np.float32)
    far = np.float32(1e4)
    xy, depth = project(turned, np.float32(128), np.float32(128), np.float32(5), far)
    zbuffer, index = np.full((256, 256), np.inf, np.float32), np.full((256, 256), -1, np.int32)
    rasterise(xy, depth, model.triangles, np.zeros(len(model.triangles), np.bool_), zbuffer, index)
    x, y = np.clip(np.round(xy), 0, 255).astype(int).T
    return (depth - zbuffer[y, x] < 0.4).astype(np.float32)
