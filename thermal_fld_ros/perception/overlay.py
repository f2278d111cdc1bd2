# SPDX-License-Identifier: Apache-2.0
"""A picture of a frame and its faces, for people."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.camera import Camera
from thermal_fld_ros.perception.decoding import ThermalFrame
from thermal_fld_ros.perception.face import Face
from thermal_fld_ros.perception.geometry import Affine, Size
from thermal_fld_ros.perception.normalisation import Normalisation, normalise
from thermal_fld_ros.perception.pictures import SHIFT, Colour, Picture, fixed_point
from thermal_fld_ros.perception.pose import Pose

PALETTES = ("grey", "inferno", "iron")
# Ironbow, as thermal cameras have it: BGR at equal distances, from cold to warm.
_IRON = np.array(
    [
        (10, 0, 0),
        (110, 0, 40),
        (150, 10, 130),
        (90, 30, 200),
        (20, 90, 235),
        (0, 160, 250),
        (90, 220, 255),
        (245, 255, 255),
    ]
)
_RAMP = np.linspace(0.0, len(_IRON) - 1.0, 256)
_IRON_TABLE = np.stack([np.interp(_RAMP, np.arange(len(_IRON)), _IRON[:, c]) for c in range(3)], axis=-1).astype(
    np.uint8
)

AXIS_LENGTH = 0.06  # m
AXES: tuple[Colour, ...] = ((60, 60, 255), (60, 220, 60), (255, 120, 60))  # x red, y green, z blue, as RViz has them

Corners = tuple[float, float, float, float]  # left, top, right, bottom

BACKDROP_CONTRAST = Normalisation(low=0.5, high=99.7)
DIMMED = 215.0  # the brightest grey: lines and points stand out against it
LINE: Colour = (255, 190, 90)
FRAME: Colour = (255, 255, 255)
LABEL_INK: Colour = (245, 245, 245)
LABEL_PAPER: Colour = (30, 24, 20)
FONT = cv2.FONT_HERSHEY_SIMPLEX

TEMPERATURES = {
    "forehead": ("forehead",),
    "eyes": ("right_inner_canthus", "left_inner_canthus"),
    "nose": ("nose",),
    "cheeks": ("right_cheek", "left_cheek"),
    "mouth": ("mouth",),
    "chin": ("chin",),
}

# Runs of iBUG points that form a line, and whether it closes.
CONTOURS: tuple[tuple[range, bool], ...] = (
    (range(17), False),  # jaw
    (range(17, 22), False),  # brows
    (range(22, 27), False),
    (range(27, 31), False),  # nose
    (range(31, 36), False),
    (range(36, 42), True),  # eyes
    (range(42, 48), True),
    (range(48, 60), True),  # lips
    (range(60, 68), True),
)


def draw(
    frame: ThermalFrame,
    faces: Sequence[Face],
    scale: int = 1,
    *,
    palette: str = "grey",
    camera: Camera | None = None,
    notes: Sequence[str] = (),
) -> Picture:
    """Draw faces over their frame.

    Parameters
    ----------
    frame : ThermalFrame
    faces : sequence of Face
    scale : int
        Whole factor by which the picture is enlarged; 0: as `legible_scale` says.
    palette : str
        Of `PALETTES`.
    camera : Camera, optional
        With it the axes of heads whose pose is known are drawn: x out of the face red, y to the person's left green, z up blue.
    notes : sequence of str
        Lines of text for a corner where they hide no face, if there is one.

    Returns
    -------
    (height * scale, width * scale, 3) uint8 BGR
        As the incoming image lies. Warm is bright. A point is green where the network trusts it and red where it does not.
    """
    scale = scale or legible_scale(frame.image_size)
    picture = _background(frame, scale, palette)
    width, height = frame.image_size
    to_picture = Affine.resize((width, height), (width * scale, height * scale))
    for face in faces:
        _draw_face(picture, face, to_picture)
        if camera is not None and face.pose is not None:
            _draw_axes(picture, face.pose, camera, to_picture)
    texts = _Texts(picture)
    boxes = [_corners(to_picture(face.points)) for face in faces]
    for box in boxes:
        texts.keep_free(box)
    for face, box in zip(faces, boxes, strict=True):  # above all lines
        _write_title(texts, face, box)
    for face, box in zip(faces, boxes, strict=True):
        _write_temperatures(texts, face, box)
    if notes:
        width, height = texts.size(notes)
        corners = [
            (x, y) for y in (0.0, picture.shape[0] - float(height)) for x in (0.0, picture.shape[1] - float(width))
        ]
        any(texts.put(notes, x, y) for x, y in corners)
    return picture


def legible_scale(size: Size, least_side: int = 640) -> int:
    """The least whole factor that makes the longer side of an image of `size` (width, height) `least_side` pixels long."""
    return max(1, math.ceil(least_side / max(size)))


def _background(frame: ThermalFrame, scale: int, palette: str) -> Picture:
    width, height = frame.image_size
    pixels = frame.pixels.astype(frame.pixels.dtype.newbyteorder("="), copy=False)
    grey = np.zeros((height, width), dtype=np.uint8)  # rows that were dropped stay black
    shown = normalise(pixels, BACKDROP_CONTRAST, frame.inverted) * np.float32(DIMMED)
    grey[frame.top : frame.top + pixels.shape[0]] = shown
    if scale > 1:
        grey = cv2.resize(grey, (width * scale, height * scale), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    if palette == "iron":
        return _IRON_TABLE[grey]
    if palette == "inferno":
        return cv2.applyColorMap(grey, cv2.COLORMAP_INFERNO).astype(np.uint8, copy=False)
    return cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR).astype(np.uint8, copy=False)


def _draw_axes(picture: Picture, pose: Pose, camera: Camera, to_picture: Affine) -> None:
    """The head's axes from the root of the nose; what lies behind the camera is left out."""
    ends = pose.position + AXIS_LENGTH * np.vstack([np.zeros(3), pose.rotation.T])
    pixels = to_picture(camera.project(ends))
    if not np.isfinite(pixels).all():
        return
    thickness = 1 if max(picture.shape) < 800 else 2
    for end, colour in zip(pixels[1:], AXES, strict=True):
        cv2.line(picture, fixed_point(pixels[0]), fixed_point(end), colour, thickness, cv2.LINE_AA, SHIFT)


def _draw_face(picture: Picture, face: Face, to_picture: Affine) -> None:
    points = to_picture(face.points)
    size = math.sqrt(max(float(np.prod(np.ptp(points, axis=0))), 1.0))
    _draw_corners(picture, points, size)
    exact = np.rint(points * (1 << SHIFT)).astype(np.int32)
    for run, closed in CONTOURS:
        cv2.polylines(picture, [exact[run.start : run.stop]], closed, LINE, 1, cv2.LINE_AA, SHIFT)
    radius = round(min(max(size / 90.0, 1.5), 4.0) * (1 << SHIFT))
    for centre, confidence in zip(exact.tolist(), face.confidence.tolist(), strict=True):
        cv2.circle(picture, centre, radius, confidence_colour(confidence), cv2.FILLED, cv2.LINE_AA, SHIFT)


def confidence_colour(confidence: float) -> Colour:
    """BGR from red (0) over yellow (0.5) to green (1)."""
    share = min(max(confidence, 0.0), 1.0)
    return 60, round(255 * min(1.0, 2 * share)), round(255 * min(1.0, 2 * (1 - share)))


def _draw_corners(picture: Picture, points: NDArray[np.float64], size: float) -> None:
    """The corners of the face's roi: a full rectangle would hide as much as it shows."""
    low, high = points.min(axis=0), points.max(axis=0)
    arm = 0.15 * size
    for x, inward_x in ((low[0], arm), (high[0], -arm)):
        for y, inward_y in ((low[1], arm), (high[1], -arm)):
            corner = np.array([(x + inward_x, y), (x, y), (x, y + inward_y)]) * (1 << SHIFT)
            cv2.polylines(picture, [np.rint(corner).astype(np.int32)], False, FRAME, 1, cv2.LINE_AA, SHIFT)


def _corners(points: NDArray[np.float64]) -> Corners:
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return left, top, right, bottom


def _write_title(texts: _Texts, face: Face, box: Corners) -> None:
    """Id and score above the face, else below or beside it where there is room."""
    title = [f"{face.id} {face.score:.2f}"]
    width, height = texts.size(title)
    left, top, right, bottom = box
    places = [(left, top - 6.0 - height), (left, bottom + 6.0), (right + 6.0, top), (left - 6.0 - width, top)]
    if not any(texts.put(title, x, y) for x, y in places):
        texts.put(title, *places[0], anyhow=True)


def _write_temperatures(texts: _Texts, face: Face, box: Corners) -> None:
    """To the right or left of the face, where they hide no face and no other text."""
    left, top, right, bottom = box
    lines = _temperature_lines(face)
    width, height = texts.size(lines)
    if lines and height <= 1.5 * (bottom - top) + 20.0:
        any(texts.put(lines, x, top) for x in (right + 8.0, left - 8.0 - width))


def _temperature_lines(face: Face) -> list[str]:
    """Known temperatures in degC, a person's right (left on the screen) before the left."""
    lines = []
    for label, regions in TEMPERATURES.items():
        values = [face.temperatures.get(region, math.nan) for region in regions]
        if not all(map(math.isnan, values)):
            lines.append(f"{label} {'  '.join(f'{value:.1f}' for value in values)}")
    return lines


class _Texts:
    """Lines of text on a dark, slightly transparent ground, each block in a place of its own."""

    def __init__(self, picture: Picture) -> None:
        self._picture = picture
        self._taken: list[Corners] = []
        size = min(max(max(picture.shape) / 640.0, 1.0), 2.0)  # as large on a screen, whatever the camera
        self._height, self._leading, self._margin = 0.4 * size, round(15 * size), round(4 * size)

    def keep_free(self, place: Corners) -> None:
        """Put no text here, unless `anyhow`."""
        self._taken.append(place)

    def size(self, lines: Sequence[str]) -> Size:
        """Width and height of a block."""
        width = max((cv2.getTextSize(line, FONT, self._height, 1)[0][0] for line in lines), default=0)
        return width + 2 * self._margin, len(lines) * self._leading + self._margin

    def put(self, lines: Sequence[str], x: float, y: float, anyhow: bool = False) -> bool:
        """Write with the top left corner at x, y if there is room; with `anyhow` wherever is nearest in the picture."""
        width, height = self.size(lines)
        rows, columns = self._picture.shape[:2]
        left, top = (round(min(max(v, 0), max(limit, 0))) for v, limit in ((x, columns - width), (y, rows - height)))
        place = (left, top, left + width, top + height)
        if not anyhow and (
            max(abs(left - x), abs(top - y)) > 1 or any(_overlap(place, other) for other in self._taken)
        ):
            return False
        self._taken.append(place)
        ground = self._picture[top : top + height, left : left + width]
        ground[:] = (0.35 * ground + 0.65 * np.array(LABEL_PAPER)).astype(np.uint8)
        for index, line in enumerate(lines):
            start = (left + self._margin, top + (index + 1) * self._leading - 3)
            cv2.putText(self._picture, line, start, FONT, self._height, LABEL_INK, 1, cv2.LINE_AA)
        return True


def _overlap(one: Corners, other: Corners) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
