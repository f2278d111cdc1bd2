# SPDX-License-Identifier: Apache-2.0
"""A scene: people in front of a background, seen by a thermal camera, with labels."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.synthesis.background import background
from thermal_fld_ros.synthesis.morphable import Array, MorphableModel
from thermal_fld_ros.synthesis.person import MATERIALS, Mesh, Person, build, sample_person
from thermal_fld_ros.synthesis.rasteriser import bounds, covered, interpolate, paint, project, rasterise, vertex_normals
from thermal_fld_ros.synthesis.sensor import Sensor, expose, sample_sensor
from thermal_fld_ros.synthesis.thermal import SkinRegions, Warmth, material_temperature, sample_warmth


@dataclass
class Placement:
    """Where a person stands: the middle of the face's box in image pixels, pixels per cm, distance in cm."""

    person: Person
    warmth: Warmth
    centre: tuple[float, float]
    scale: float
    distance: float


@dataclass
class Scene:
    """Everything that determines an image; the same scene gives the same image."""

    size: tuple[int, int]  # width, height
    ambient: float
    people: list[Placement]
    sensor: Sensor
    seed: int
    clutter: int = 4
    frame: int = 0  # of a clip: the background and the fixed pattern stay, the noise changes


@dataclass(frozen=True)
class Camera:
    """A pinhole that looks along -z of the people's frame (cm); image pixels, y down."""

    offset: tuple[float, float]  # pixels
    scale: float  # pixels per cm at the head's origin
    distance: float  # cm

    @classmethod
    def looking_at(cls, points: Array, place: Placement) -> Camera:
        """The camera that sees the box of ``points`` (68, 3) in the middle of the person's place."""
        xy, _ = cls((0.0, 0.0), place.scale, place.distance).project(points)
        middle = (xy.min(0) + xy.max(0)) / 2
        return cls((place.centre[0] - float(middle[0]), place.centre[1] - float(middle[1])), place.scale, place.distance)

    def enlarged(self, factor: int) -> Camera:
        """The camera of the image with ``factor`` times as many pixels in each direction."""
        x, y = (factor * o + (factor - 1) / 2 for o in self.offset)
        return Camera((x, y), factor * self.scale, self.distance)

    def project(self, vertices: Array) -> tuple[Array, Array]:
        """Image points (V, 2) float32 pixels and depths (V,) float32 cm."""
        return project(vertices, *map(np.float32, (*self.offset, self.scale, self.distance)))


@dataclass
class FaceLabel:
    """One face of a rendering, image pixels (origin at the centre of the top-left pixel)."""

    points: Array  # (68, 2)
    visible: NDArray[np.bool_]  # (68,) nothing lies in front of it
    yaw: float
    pitch: float
    roll: float
    facing: bool  # turned by less than a profile

    @property
    def box(self) -> Array:
        """x0, y0, x1, y1 of the 68 points."""
        return np.concatenate([self.points.min(0), self.points.max(0)])


@dataclass
class Rendering:
    """celsius (H, W) float32 · material (H, W) uint8: 0 background, else 1 + index into MATERIALS · faces."""

    celsius: Array
    material: NDArray[np.uint8]
    faces: list[FaceLabel] = field(default_factory=list)


@dataclass(frozen=True)
class _Figure:
    """A person's meshes as one."""

    vertices: Array  # (V, 3) cm, turned
    canonical: Array  # (V, 3) cm, on the neutral, unturned person
    triangles: NDArray[np.int32]  # (T, 3)
    material: NDArray[np.uint8]  # (T,) index into MATERIALS
    closed: NDArray[np.bool_]  # (T,) seen from outside only

    @classmethod
    def of(cls, meshes: list[Mesh]) -> _Figure:
        """Join meshes; those that share their vertices go on sharing them."""
        first: dict[int, int] = {}
        parts: list[Mesh] = []
        count = 0
        for mesh in meshes:
            if id(mesh.vertices) not in first:
                first[id(mesh.vertices)] = count
                parts.append(mesh)
                count += len(mesh.vertices)
        canonical = np.concatenate([m.canonical for m in parts])
        triangles = np.concatenate([m.triangles + np.int32(first[id(m.vertices)]) for m in meshes])
        material = np.repeat([np.uint8(MATERIALS.index(m.material)) for m in meshes], [len(m.triangles) for m in meshes])
        closed = np.array([m in ("skin", "teeth", "eye") for m in MATERIALS])[material]
        closed &= canonical[triangles[:, 0], 1] > -9  # the bust's lower rim is open
        return cls(np.concatenate([m.vertices for m in parts]), canonical, triangles, material, closed)


@dataclass
class _Canvas:
    """The supersampled image while people are drawn into it."""

    celsius: Array
    material: NDArray[np.uint8]
    owner: NDArray[np.int16]  # number of the person that a pixel shows, -1: none
    supersample: int

    def pixels(self, points: Array) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """Column and row of image points (N, 2), moved to the border where they lie outside, and whether they lie inside."""
        pixel = np.round(points * self.supersample + (self.supersample - 1) / 2).astype(np.int64)
        last = np.array(self.owner.shape[::-1]) - 1
        x, y = np.clip(pixel, 0, last).T
        return x, y, np.all((pixel >= 0) & (pixel <= last), axis=1)


class Renderer:
    """Renders scenes of one morphable model. Holds what is computed once per model."""

    def __init__(self, model: MorphableModel, supersample: int = 2):
        self.model = model
        self.skin = SkinRegions(model)
        self.supersample = supersample

    def sample_face(self, rng: np.random.Generator, size: int = 160, box: float = 75.0) -> Scene:
        """A scene with one face whose box is about ``box`` pixels, in the middle: for the landmark network."""
        person = sample_person(self.model, rng)
        ambient = _sample_ambient(rng)
        # the box of 68 points is about 14.5 cm high and wide on the frontal neutral face
        scale = box / 14.5 * rng.uniform(0.95, 1.05)
        middle = ((size - 1) / 2, (size - 1) / 2)
        people = [Placement(person, sample_warmth(rng, ambient), middle, scale, rng.uniform(40, 250))]
        if rng.random() < 0.08:  # somebody behind
            other = sample_person(self.model, rng)
            smaller = scale * rng.uniform(0.4, 0.8)
            people.append(Placement(other, sample_warmth(rng, ambient),
                                    (rng.uniform(-0.2, 1.2) * size, rng.uniform(0.2, 0.8) * size), smaller, 300))  # fmt: skip
        return Scene((size, size), ambient, people, sample_sensor(rng), int(rng.integers(2**31)), int(rng.integers(0, 7)))

    def sample_frame(self, rng: np.random.Generator, size: tuple[int, int] = (320, 256)) -> Scene:
        """A camera frame with none to six people, some with their backs to the camera: for the face detector."""
        width, height = size
        ambient = _sample_ambient(rng)
        count = int(rng.choice([0, 1, 1, 2, 3, 4, 6]))
        base = np.exp(rng.uniform(np.log(9), np.log(0.75 * height)))  # box size of the nearest
        people = []
        for k in range(count):
            person = sample_person(self.model, rng, backwards=rng.random() < 0.15)
            box = base * (1 if k == 0 else np.exp(rng.uniform(-1.2, 0.3)))
            place = Placement(person, sample_warmth(rng, ambient),
                              (rng.uniform(0, width), rng.uniform(0.05, 0.9) * height), box / 14.5, rng.uniform(60, 400))  # fmt: skip
            people.append(place)
        return Scene(size, ambient, people, sample_sensor(rng), int(rng.integers(2**31)), int(rng.integers(0, 14)))

    def render(self, scene: Scene) -> Rendering:
        """Image and labels of a scene."""
        ss = self.supersample
        width, height = scene.size[0] * ss, scene.size[1] * ss
        rng = np.random.default_rng(scene.seed)
        canvas = _Canvas(
            background(width, height, scene.ambient, scene.clutter, rng),
            np.zeros((height, width), np.uint8),
            np.full((height, width), -1, np.int16),
            ss,
        )
        people = sorted(scene.people, key=lambda place: place.scale)  # the nearest person is drawn last
        faces = [self._draw(place, number, canvas) for number, place in enumerate(people)]
        for number, face in enumerate(faces):
            x, y, _ = canvas.pixels(face.points)
            face.visible &= canvas.owner[y, x] <= number
        celsius, material = canvas.celsius, canvas.material
        if ss > 1:
            celsius = np.asarray(cv2.resize(celsius, scene.size, interpolation=cv2.INTER_AREA), np.float32)
            material = np.ascontiguousarray(material[ss // 2 :: ss, ss // 2 :: ss])
        noise = np.random.default_rng([scene.seed, scene.frame])
        return Rendering(expose(celsius, scene.sensor, rng, noise), material, faces)

    def _draw(self, place: Placement, number: int, canvas: _Canvas) -> FaceLabel:
        """Draw one person over the image; returns the label."""
        meshes, shape = build(self.model, place.person)
        camera = Camera.looking_at(shape[self.model.landmarks], place)
        figure = _Figure.of(meshes)
        xy, depth = camera.enlarged(canvas.supersample).project(figure.vertices)
        window = _window(xy, canvas.owner.shape)
        origin = np.array([window[1].start, window[0].start])
        index = np.full(canvas.owner[window].shape, -1, np.int32)
        zbuffer = np.full(index.shape, np.inf, np.float32)
        xy -= origin.astype(np.float32)
        rasterise(xy, depth, figure.triangles, figure.closed, zbuffer, index)
        pixels, starts = covered(index, figure.material, len(MATERIALS))
        attributes = self._attributes(figure, place)
        values = interpolate(pixels, index, xy, figure.triangles, attributes)
        temperature = np.empty(len(pixels), np.float32)
        for m, material in enumerate(MATERIALS):
            mine = slice(starts[m], starts[m + 1])
            if mine.start < mine.stop:
                temperature[mine] = self._temperature(material, values[mine], place.warmth)
        paint(canvas.celsius[window], pixels, temperature)
        paint(canvas.material[window], pixels, np.repeat(np.arange(1, len(MATERIALS) + 1, dtype=np.uint8), np.diff(starts)))
        paint(canvas.owner[window], pixels, np.full(len(pixels), number, np.int16))
        return self._label(place.person, shape, camera, zbuffer, origin, canvas)

    def _attributes(self, figure: _Figure, place: Placement) -> Array:
        """What is interpolated between vertices (V, 5): canonical position, the normal's z, the skin's temperature."""
        attributes = np.zeros((len(figure.vertices), 5), np.float32)
        attributes[:, :3] = figure.canonical
        skin = self.skin.temperature(place.person, place.warmth)
        surface = figure.triangles[figure.material == MATERIALS.index("skin")]
        attributes[: len(skin), 3] = vertex_normals(figure.vertices[: len(skin)], surface)[:, 2]
        attributes[: len(skin), 4] = skin
        return attributes

    def _temperature(self, material: str, values: Array, warmth: Warmth) -> Array:
        """Temperatures (N,) degC of one material's pixels from their interpolated attributes."""
        if material == "skin":
            return values[:, 4] - warmth.grazing * (1 - np.clip(values[:, 3], 0, 1)) ** 2
        rng = np.random.default_rng(warmth.seed + MATERIALS.index(material))
        return material_temperature(material, np.ascontiguousarray(values[:, :3]), warmth, rng)

    def _label(self, person: Person, shape: Array, camera: Camera, zbuffer: Array,
               origin: NDArray[np.int64], canvas: _Canvas) -> FaceLabel:  # fmt: skip
        xy, depth = camera.project(shape)
        chosen = contour_landmarks(self.model, xy, person)
        points = xy[chosen]
        x, y, inside = canvas.pixels(points)
        nearest = np.full(len(points), np.inf, np.float32)
        inside &= (x >= origin[0]) & (x < origin[0] + zbuffer.shape[1]) & (y >= origin[1]) & (y < origin[1] + zbuffer.shape[0])
        nearest[inside] = zbuffer[y[inside] - origin[1], x[inside] - origin[0]]
        visible = inside & (nearest > depth[chosen] - 0.7)
        yaw = (person.yaw + np.pi) % (2 * np.pi) - np.pi
        return FaceLabel(points, visible, float(yaw), person.pitch, person.roll, abs(yaw) < np.deg2rad(100))


def _window(xy: Array, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of an image (H, W) that hold points (V, 2); empty when none does."""
    x0, y0, x1, y1 = (int(np.clip(edge, -1e6, 1e6)) for edge in bounds(xy))
    x0, y0, x1, y1 = x0 - 1, y0 - 1, x1 + 2, y1 + 2
    top, left = min(max(y0, 0), shape[0]), min(max(x0, 0), shape[1])
    return slice(top, max(min(y1, shape[0]), top)), slice(left, max(min(x1, shape[1]), left))


def contour_landmarks(model: MorphableModel, xy: Array, person: Person) -> NDArray[np.int64]:
    """Vertices of the 68 points, the jaw line moved to the visible contour on the side that is turned away.

    As in hand-annotated sets: where the jaw's edge is hidden by the cheek, the point lies on the cheek's outline.
    """
    chosen = model.landmarks.copy()
    across = np.array([np.cos(person.roll), -np.sin(person.roll)], np.float32)  # the face's x axis in the image
    away = -1 if person.yaw > 0 else 1  # the side (image x) that turns away
    for i in [*range(8), *range(9, 17)]:
        side = -1 if i < 8 else 1
        if side == -away:  # near side: model x < 0 is the image's left
            candidates = model.jaw_candidates[i]
            reach = (xy[candidates] @ across) * side
            chosen[i] = candidates[int(reach.argmax())]
    return chosen


def _sample_ambient(rng: np.random.Generator) -> float:
    return float(rng.choice([rng.uniform(19, 27), rng.uniform(-5, 20), rng.uniform(26, 36)], p=[0.6, 0.2, 0.2]))
