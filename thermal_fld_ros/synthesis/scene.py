# SPDX-License-Identifier: Apache-2.0
"""A scene: people in front of a background, seen by a thermal camera, with labels."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.geometry import Affine
from thermal_fld_ros.synthesis.background import background
from thermal_fld_ros.synthesis.body import build
from thermal_fld_ros.synthesis.contour import JawContour
from thermal_fld_ros.synthesis.decimation import decimated
from thermal_fld_ros.synthesis.figure import Figure, Footprint, Viewpoint
from thermal_fld_ros.synthesis.mesh import MATERIALS
from thermal_fld_ros.synthesis.morphable import Array, MorphableModel
from thermal_fld_ros.synthesis.person import Person, sample_person
from thermal_fld_ros.synthesis.sensor import Sensor, expose, sample_sensor
from thermal_fld_ros.synthesis.thermal import SkinRegions, Warmth, material_temperature, sample_warmth
from thermal_fld_ros.synthesis.visible import (
    Appearance,
    Colouring,
    Visible,
    backdrop,
    photograph,
    sample_look,
    sample_visible,
)

COARSER_BELOW = (9.0, 3.0)
"""Samples per cm of skin below which a person's mesh is thinned out once, and again: a triangle stays a few samples wide."""


@dataclass
class Placement:
    """Where a person stands: the middle of the face's box in image pixels, pixels per cm, distance in cm."""

    person: Person
    warmth: Warmth
    centre: tuple[float, float]
    scale: float
    distance: float
    look: Colouring | None = None  # colours, for a scene that is seen in visible light too


@dataclass
class Scene:
    """Everything that determines an image, or a pair of images; the same scene gives the same pair."""

    size: tuple[int, int]  # width, height
    ambient: float
    people: list[Placement]
    sensor: Sensor
    seed: int
    clutter: int = 4
    frame: int = 0  # of a clip: the background and the fixed pattern stay, the noise changes
    visible: Visible | None = None  # None: thermal only


@dataclass
class FaceLabel:
    """One face of a rendering, image pixels (origin at the centre of the top-left pixel)."""

    points: Array  # (68, 2)
    visible: NDArray[np.bool_]  # (68,) nothing lies in front of it
    yaw: float
    pitch: float
    roll: float
    facing: bool  # turned by less than a profile, and not bowed until only the crown is seen
    glasses: bool
    mask: bool

    @property
    def box(self) -> Array:
        """x0, y0, x1, y1 of the 68 points."""
        return np.concatenate([self.points.min(0), self.points.max(0)])


@dataclass
class Rendering:
    """What two cameras see, and the labels.

    Attributes
    ----------
    celsius : (H, W) float32, the thermal image; `sensor.centikelvin` or `gain.gain_control` make of it what a camera delivers
    material : (H, W) uint8, segmentation of the thermal image: 0 background, else 1 + index into MATERIALS
    faces : one label a person, the farthest first, in pixels of the thermal image
    rgb : (H, W, 3) uint8, sRGB, the colour image, or None
    to_rgb : from the thermal image's pixels to the colour image's
    """

    celsius: Array
    material: NDArray[np.uint8]
    faces: list[FaceLabel] = field(default_factory=list)
    rgb: NDArray[np.uint8] | None = None
    to_rgb: Affine = field(default_factory=Affine.identity)


@dataclass
class _Canvas:
    """The supersampled images while people are drawn into them."""

    celsius: Array
    material: NDArray[np.uint8]
    owner: NDArray[np.int16]  # number of the person that a pixel shows, -1: none
    radiance: Array | None  # (H, W, 3) of the colour image
    supersample: int

    def pixels(self, points: Array) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """Column and row of image points (N, 2), moved to the border where they lie outside, and whether they lie inside."""
        pixel = np.round(points * self.supersample + (self.supersample - 1) / 2).astype(np.int64)
        last = np.array(self.owner.shape[::-1]) - 1
        x, y = np.clip(pixel, 0, last).T
        return x, y, np.all((pixel >= 0) & (pixel <= last), axis=1)


class Body:
    """A morphable model at one fineness, with what is computed once for it."""

    def __init__(self, model: MorphableModel):
        self.model = model
        self.skin = SkinRegions(model)
        self.jaw = JawContour(model)

    @cached_property
    def appearance(self) -> Appearance:
        """What only the colour image needs."""
        return Appearance(self.model, self.skin)

    @cached_property
    def coarser(self) -> Body:
        """The same on fewer vertices; its labels are the same."""
        return Body(decimated(self.model, self.jaw.vertices))


class Renderer:
    """Renders scenes of one morphable model. Holds what is computed once per model."""

    def __init__(self, model: MorphableModel, supersample: int = 2):
        self.model = model
        self.supersample = supersample
        self._body = Body(model)

    def body_for(self, scale: float) -> Body:
        """The body whose triangles are a few samples wide at ``scale`` pixels per cm."""
        samples = scale * self.supersample
        body = self._body
        for least in COARSER_BELOW:
            if samples < least:
                body = body.coarser
        return body

    def sample_face(self, rng: np.random.Generator, size: int = 160) -> Scene:
        """A scene with one face in the middle, whose box is about half as wide as the image: for the landmark network."""
        person = sample_person(self.model, rng)
        ambient = sample_ambient(rng)
        # the box of 68 points is about 14.5 cm high and wide on the frontal neutral face
        scale = 0.47 * size / 14.5 * rng.uniform(0.95, 1.05)
        middle = ((size - 1) / 2, (size - 1) / 2)
        people = [Placement(person, sample_warmth(rng, ambient), middle, scale, rng.uniform(40, 250))]
        if rng.random() < 0.08:  # somebody behind
            other = sample_person(self.model, rng)
            smaller = scale * rng.uniform(0.4, 0.8)
            people.append(Placement(other, sample_warmth(rng, ambient),
                                    (rng.uniform(-0.2, 1.2) * size, rng.uniform(0.2, 0.8) * size), smaller, 300))  # fmt: skip
        return Scene(
            (size, size), ambient, people, sample_sensor(rng), int(rng.integers(2**31)), int(rng.integers(0, 7))
        )

    def sample_frame(self, rng: np.random.Generator, size: tuple[int, int] = (320, 256)) -> Scene:
        """A camera frame with none to six people, near or far, some with their backs to the camera: for the face detector."""
        width, height = size
        ambient = sample_ambient(rng)
        count = int(rng.choice([0, 1, 1, 2, 3, 4, 6]))
        nearest = 0.75 * height if rng.random() < 0.65 else 30.0  # the rest sit or stand at the far end of the room
        base = np.exp(rng.uniform(np.log(9), np.log(nearest)))  # box size of the nearest
        people = []
        for k in range(count):
            person = sample_person(self.model, rng, backwards=rng.random() < 0.15)
            box = base * (1 if k == 0 else np.exp(rng.uniform(-1.2, 0.3)))
            place = Placement(person, sample_warmth(rng, ambient),
                              (rng.uniform(0, width), rng.uniform(0.05, 0.9) * height), box / 14.5, rng.uniform(60, 400))  # fmt: skip
            people.append(place)
        return Scene(size, ambient, people, sample_sensor(rng), int(rng.integers(2**31)), int(rng.integers(0, 14)))

    def sample_pair(self, rng: np.random.Generator, size: int = 128, misregistration: float = 0.0) -> Scene:
        """The scene that `sample_face` draws, seen by a colour camera too; for ``misregistration`` see `sample_visible`."""
        scene = self.sample_face(rng, size)
        people = [replace(place, look=sample_look(rng)) for place in scene.people]
        return replace(scene, people=people, visible=sample_visible(rng, scene.size, misregistration))

    def render(self, scene: Scene) -> Rendering:
        """Images and labels of a scene."""
        ss = self.supersample
        width, height = scene.size[0] * ss, scene.size[1] * ss
        rng = np.random.default_rng(scene.seed)
        visible = scene.visible
        canvas = _Canvas(
            background(width, height, scene.ambient, scene.clutter, rng),
            np.zeros((height, width), np.uint8),
            np.full((height, width), -1, np.int16),
            backdrop(width, height, visible.lighting, np.random.default_rng([scene.seed, 1])) if visible else None,
            ss,
        )
        people = sorted(scene.people, key=lambda place: place.scale)  # the nearest person is drawn last
        faces = [self._draw(place, number, canvas, visible) for number, place in enumerate(people)]
        for number, face in enumerate(faces):
            x, y, _ = canvas.pixels(face.points)
            face.visible &= canvas.owner[y, x] <= number
        celsius, material = canvas.celsius, canvas.material
        if ss > 1:
            celsius = np.asarray(cv2.resize(celsius, scene.size, interpolation=cv2.INTER_AREA), np.float32)
            material = np.ascontiguousarray(material[ss // 2 :: ss, ss // 2 :: ss])
        noise = np.random.default_rng([scene.seed, scene.frame])
        rendering = Rendering(expose(celsius, scene.sensor, rng, noise), material, faces)
        if visible and canvas.radiance is not None:
            radiance = np.asarray(cv2.resize(canvas.radiance, scene.size, interpolation=cv2.INTER_AREA), np.float32)
            rendering.rgb = photograph(radiance, visible.camera, noise)
            rendering.to_rgb = visible.camera.to_rgb
        return rendering

    def _draw(self, place: Placement, number: int, canvas: _Canvas, visible: Visible | None) -> FaceLabel:
        """Draw one person over the images; returns the label."""
        body = self.body_for(place.scale)
        meshes, shape = build(body.model, place.person)
        camera = Viewpoint.looking_at(shape[body.model.landmarks], place.centre, place.scale, place.distance)
        figure = Figure.of(meshes)
        xy, depth = camera.enlarged(canvas.supersample).project(figure.vertices)
        footprint = Footprint(figure, xy, depth, canvas.owner.shape)
        footprint.paint(canvas.celsius, temperatures(body.skin, figure, footprint, place))
        numbers = np.arange(1, len(MATERIALS) + 1, dtype=np.uint8)
        footprint.paint(canvas.material, np.repeat(numbers, np.diff(footprint.starts)))
        footprint.paint(canvas.owner, np.full(len(footprint.pixels), number, np.int16))
        if visible and canvas.radiance is not None:
            if place.look is None:
                raise ValueError("a scene with a colour camera needs the look of each person: see Renderer.sample_pair")
            body.appearance.draw(
                canvas.radiance, canvas.supersample, figure, xy, depth, footprint, place.person, place.look, visible
            )
        return _label(body, place.person, shape, camera, footprint, canvas)


def temperatures(regions: SkinRegions, figure: Figure, footprint: Footprint, place: Placement) -> Array:
    """Temperatures (N,) float32 degC of a footprint's pixels."""
    warmth = place.warmth
    skin = regions.temperature(place.person, warmth)
    # canonical position, the normal's z, the skin's temperature
    attributes = np.zeros((len(figure.vertices), 5), np.float32)
    attributes[:, :3] = figure.canonical
    attributes[:, 3] = figure.normals[:, 2]
    attributes[: len(skin), 4] = skin
    values = footprint.interpolate(attributes)
    out = np.empty(len(values), np.float32)
    for material, mine in footprint.materials():
        if material == "skin":
            out[mine] = values[mine, 4] - warmth.grazing * (1 - np.clip(values[mine, 3], 0, 1)) ** 2
        else:
            rng = np.random.default_rng(warmth.seed + MATERIALS.index(material))
            out[mine] = material_temperature(material, np.ascontiguousarray(values[mine, :3]), warmth, rng)
    return out


def _label(
    body: Body, person: Person, shape: Array, camera: Viewpoint, footprint: Footprint, canvas: _Canvas
) -> FaceLabel:
    xy, depth = camera.project(shape)
    points, near = xy[body.model.landmarks], depth[body.model.landmarks]
    points[:17], near[:17] = body.jaw(xy, depth, person.yaw, person.roll, camera.scale)
    x, y, inside = canvas.pixels(points)
    visible = inside & (footprint.depth_at(x, y) > near - 0.7)
    yaw = (person.yaw + np.pi) % (2 * np.pi) - np.pi
    facing = abs(yaw) < np.deg2rad(100) and person.pitch < np.deg2rad(75)
    return FaceLabel(
        points, visible, float(yaw), person.pitch, person.roll, facing, person.glasses is not None, person.mask
    )


def sample_ambient(rng: np.random.Generator) -> float:
    """Temperature of a room or of a street, degC: mostly a comfortable one."""
    return float(rng.choice([rng.uniform(19, 27), rng.uniform(-10, 20), rng.uniform(26, 39)], p=[0.6, 0.21, 0.19]))
