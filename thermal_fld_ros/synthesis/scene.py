# SPDX-License-Identifier: Apache-2.0
"""A scene: people in front of a background, seen by a thermal camera, with labels."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.synthesis.morphable import Array, MorphableModel
from thermal_fld_ros.synthesis.person import MATERIALS, Mesh, Person, build, sample_person
from thermal_fld_ros.synthesis.rasteriser import interpolate, rasterise, vertex_normals
from thermal_fld_ros.synthesis.sensor import Sensor, expose, sample_sensor
from thermal_fld_ros.synthesis.thermal import SkinRegions, Warmth, sample_warmth, waves


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

    def project(self, vertices: Array, supersample: int = 1) -> tuple[Array, Array]:
        """Image points (V, 2) float32, pixels of the supersampled image, and depths (V,) cm."""
        depth = self.distance - vertices[:, 2]
        ratio = self.scale * self.distance / np.maximum(depth, 1.0)
        x = self.offset[0] + vertices[:, 0] * ratio
        y = self.offset[1] - vertices[:, 1] * ratio
        xy = np.stack([x, y], 1) * supersample + (supersample - 1) / 2
        return xy.astype(np.float32), depth.astype(np.float32)


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
        zbuffer = np.full(canvas.celsius.shape, np.inf, np.float32)
        index = np.full(canvas.celsius.shape, -1, np.int32)
        bary = np.zeros((*canvas.celsius.shape, 2), np.float32)
        first = 0
        spans = []
        for mesh in meshes:
            xy, depth = camera.project(mesh.vertices, canvas.supersample)
            rasterise(xy, depth, mesh.triangles, zbuffer, index, bary, first)
            spans.append((first, first + len(mesh.triangles)))
            first += len(mesh.triangles)
        rows, cols = np.nonzero(index >= 0)
        canvas.owner[rows, cols] = number
        triangle = index[rows, cols]
        for mesh, (a, b) in zip(meshes, spans, strict=True):
            mine = (triangle >= a) & (triangle < b)
            if mine.any():
                r, c = rows[mine], cols[mine]
                canvas.celsius[r, c] = self._shade(mesh, place, index - a, bary, r, c)
                canvas.material[r, c] = 1 + MATERIALS.index(mesh.material)
        return self._label(place.person, shape, camera, zbuffer, canvas)

    def _shade(self, mesh: Mesh, place: Placement, index: NDArray[np.int32], bary: Array,
               rows: NDArray[np.intp], cols: NDArray[np.intp]) -> Array:  # fmt: skip
        """Temperatures of one mesh's pixels."""
        warmth, person = place.warmth, place.person
        rng = np.random.default_rng(warmth.seed + MATERIALS.index(mesh.material))
        if mesh.material == "skin":
            normal = vertex_normals(mesh.vertices, mesh.triangles)
            per_vertex = np.column_stack([self.skin.temperature(person, warmth), normal[:, 2]]).astype(np.float32)
            t, facing = interpolate(rows, cols, index, bary, mesh.triangles, per_vertex).T
            return t - warmth.grazing * (1 - np.clip(facing, 0, 1)) ** 2
        where = interpolate(rows, cols, index, bary, mesh.triangles, np.ascontiguousarray(mesh.canonical))
        t = np.full(len(rows), warmth.materials[mesh.material], np.float32)
        gap = abs(warmth.skin - warmth.ambient)
        if mesh.material == "hair":  # strands, warmer near the skin
            strand = where * np.array([1, 0.25, 1], np.float32)
            t += gap * (0.05 * waves(strand, rng, 0.25) + 0.10 * waves(where, rng, 2.5))
        elif mesh.material in ("cloth", "hat", "mask"):
            t += gap * (0.06 * waves(where, rng, 4.0) + 0.03 * waves(where, rng, 1.2) + 0.015 * waves(where, rng, 0.3))
        elif mesh.material in ("glasses", "object"):
            t += gap * 0.06 * waves(where, rng, 3.0)
        return t

    def _label(self, person: Person, shape: Array, camera: Camera, zbuffer: Array, canvas: _Canvas) -> FaceLabel:
        xy, depth = camera.project(shape)
        chosen = contour_landmarks(self.model, xy, person)
        points = xy[chosen]
        x, y, inside = canvas.pixels(points)
        visible = inside & (zbuffer[y, x] > depth[chosen] - 0.7)
        yaw = (person.yaw + np.pi) % (2 * np.pi) - np.pi
        return FaceLabel(points, visible, float(yaw), person.pitch, person.roll, abs(yaw) < np.deg2rad(100))


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


def background(width: int, height: int, ambient: float, clutter: int, rng: np.random.Generator) -> Array:
    """Walls, windows, lamps, machines, sky and sun-lit ground: temperatures (H, W) float32 degC."""
    grid = rng.normal(0, rng.exponential(0.8), (rng.integers(2, 6), rng.integers(2, 6))).astype(np.float32)
    image = ambient + cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.15:
        fine = rng.normal(0, rng.exponential(0.5), (height // 8 + 1, width // 8 + 1)).astype(np.float32)
        image += cv2.resize(fine, (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(clutter):
        skin = rng.normal(33, 1.5) - ambient  # hands, cups, animals: as warm as a face
        t = float(ambient + rng.choice([rng.normal(0, 2), rng.normal(3, 5), rng.uniform(5, 25), skin], p=[0.45, 0.25, 0.12, 0.18]))
        _clutter_shape(image, t, rng)
    return image


def _clutter_shape(image: Array, t: float, rng: np.random.Generator) -> None:
    height, width = image.shape
    x, y = int(rng.uniform(-0.1, 1.1) * width), int(rng.uniform(-0.1, 1.1) * height)
    size = np.exp(rng.uniform(np.log(0.03), np.log(0.7))) * width
    kind = rng.integers(7)
    if kind == 0:  # lamps, cups, plates, a second black body
        axes = (int(size / 2 * rng.uniform(0.5, 1)) + 1, int(size / 2) + 1)
        cv2.ellipse(image, (x, y), axes, rng.uniform(0, 180), 0, 360, t, -1)
        if rng.random() < 0.4:
            inner = (max(axes[0] // 3, 1), max(axes[1] // 3, 1))
            cv2.ellipse(image, (x, y), inner, 0, 0, 360, t + float(rng.normal(0, 4)), -1)
    elif kind == 1:  # windows, screens, boxes
        corners = cv2.boxPoints(((float(x), float(y)), (size, size * rng.uniform(0.2, 2)), float(rng.normal(0, 6))))
        cv2.fillPoly(image, [corners.astype(np.int32)], t)
    elif kind == 2:  # tubes, cables, edges
        a = rng.uniform(0, 2 * np.pi)
        end = (int(x + size * 1.5 * np.cos(a)), int(y + size * 1.5 * np.sin(a)))
        cv2.line(image, (x, y), end, t, int(rng.integers(1, max(2, width // 25))))
    elif kind == 3:  # a wall or floor to the border
        angle = rng.normal(0, 0.3) + rng.choice([0, np.pi / 2])
        yy, xx = np.mgrid[:height, :width]
        side = (xx - x) * np.cos(angle) + (yy - y) * np.sin(angle) > 0
        image[side] += t - image.mean()
    elif kind == 4:  # a black body, a loudspeaker, a machine: discs in a frame, which have a face's layout
        _device(image, (x, y), size, t, rng)
    elif kind == 5:  # foliage, rubble: fractal texture up to an irregular edge
        texture = _fractal(width, height, rng)
        region = _fractal(width, height, rng, octaves=3) > rng.normal(0.3, 0.7)
        image[region] += (t - image.mean()) + rng.exponential(1.5) * texture[region]
    else:  # leaves, crumpled things: a patch of blobs
        for _ in range(12):
            at = (int(x + rng.normal(0, size / 3)), int(y + rng.normal(0, size / 3)))
            axes = (int(rng.uniform(0.02, 0.15) * size) + 1, int(rng.uniform(0.02, 0.15) * size) + 1)
            cv2.ellipse(image, at, axes, rng.uniform(0, 180), 0, 360, t + float(rng.normal(0, 1)), -1)


def _device(image: Array, centre: tuple[int, int], size: float, t: float, rng: np.random.Generator) -> None:
    """A box with one to four discs or slots of other temperatures."""
    half = np.array([size / 2, size / 2 * rng.uniform(0.7, 1.8)])
    low, high = (np.array(centre) - half).astype(int), (np.array(centre) + half).astype(int)
    cv2.rectangle(image, tuple(low.tolist()), tuple(high.tolist()), t, -1)
    for _ in range(rng.integers(1, 5)):
        at = tuple(rng.integers(low, high + 1).tolist())
        axes = (int(size * rng.uniform(0.03, 0.25)) + 1, int(size * rng.uniform(0.03, 0.25)) + 1)
        if rng.random() < 0.6:
            axes = (axes[0], axes[0])
        cv2.ellipse(image, at, axes, 0, 0, 360, t + float(rng.normal(0, 8)), -1)


def _fractal(width: int, height: int, rng: np.random.Generator, octaves: int = 6) -> Array:
    """Noise (H, W) float32 of about unit variance with structure at every scale."""
    image = np.zeros((height, width), np.float32)
    for k in range(1, octaves + 1):
        grid = rng.standard_normal((2**k + 1, 2**k + 1)).astype(np.float32)
        image += 0.75**k * cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR)
    return image / image.std()


def _sample_ambient(rng: np.random.Generator) -> float:
    return float(rng.choice([rng.uniform(19, 27), rng.uniform(-5, 20), rng.uniform(26, 36)], p=[0.6, 0.2, 0.2]))
