# SPDX-License-Identifier: Apache-2.0
"""A picture of a frame and its faces, for people."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.decoding import ThermalFrame
from thermal_fld_ros.perception.face import Face
from thermal_fld_ros.perception.geometry import Affine, Size
from thermal_fld_ros.perception.normalisation import Normalisation, normalise
from thermal_fld_ros.perception.pictures import Colour, Picture

Corners = tuple[float, float, float, float]  # left, top, right, bottom

CONTRAST = Normalisation(low=0.5, high=99.7)
DIMMED = 215.0  # the brightest grey: lines and points stand out against it
LINE: Colour = (255, 190, 90)
FRAME: Colour = (255, 255, 255)
INK: Colour = (245, 245, 245)
PAPER: Colour = (30, 24, 20)
FONT = cv2.FONT_HERSHEY_SIMPLEX
SHIFT = 4  # OpenCV draws at sixteenths of a pixel

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


def draw(frame: ThermalFrame, faces: Sequence[Face], scale: int = 1) -> Picture:
    """Draw faces over their frame.

    Parameters
    ----------
    frame : ThermalFrame
    faces : sequence of Face
    scale : int
        Whole factor by which the picture is enlarged; see `legible_scale`.

    Returns
    -------
    (height * scale, width * scale, 3) uint8 BGR
        As the incoming image lies. Warm is bright. A point is green where the network trusts it and red where it does not.
    """
    picture = _background(frame, scale)
    width, height = frame.image_size
    to_picture = Affine.resize((width, height), (width * scale, height * scale))
    for face in faces:
        _draw_face(picture, face, to_picture)
    texts = _Texts(picture)
    boxes = [_corners(to_picture(face.points)) for face in faces]
    for box in boxes:
        texts.keep_free(box)
    for face, box in zip(faces, boxes, strict=True):  # above all lines
        _write_title(texts, face, box)
    for face, box in zip(faces, boxes, strict=True):
        _write_temperatures(texts, face, box)
    return picture


def legible_scale(size: Size, least_side: int = 640) -> int:
    """The least whole factor that makes the longer side of an image of `size` (width, height) `least_side` pixels long."""
    return max(1, math.ceil(least_side / max(size)))


def _background(frame: ThermalFrame, scale: int) -> Picture:
    width, height = frame.image_size
    pixels = frame.pixels.astype(frame.pixels.dtype.newbyteorder("="), copy=False)
    grey = np.zeros((height, width), dtype=np.uint8)  # rows that were dropped stay black
    shown = normalise(pixels, CONTRAST, frame.inverted) * np.float32(DIMMED)
    grey[frame.top : frame.top + pixels.shape[0]] = shown
    if scale > 1:
        grey = cv2.resize(grey, (width * scale, height * scale), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    return cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR).astype(np.uint8, copy=False)


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
    """Id and score above the face."""
    title = [f"{face.id}  {face.score:.2f}"]
    texts.put(title, box[0], box[1] - 6.0 - texts.size(title)[1], anyhow=True)


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

    HEIGHT, LEADING, MARGIN = 0.4, 15, 4

    def __init__(self, picture: Picture) -> None:
        self._picture = picture
        self._taken: list[Corners] = []

    def keep_free(self, place: Corners) -> None:
        """Put no text here, unless `anyhow`."""
        self._taken.append(place)

    def size(self, lines: Sequence[str]) -> Size:
        """Width and height of a block."""
        width = max((cv2.getTextSize(line, FONT, self.HEIGHT, 1)[0][0] for line in lines), default=0)
        return width + 2 * self.MARGIN, len(lines) * self.LEADING + self.MARGIN

    def put(self, lines: Sequence[str], x: float, y: float, anyhow: bool = False) -> bool:
        """Write with the top left corner at x, y if there is room; with `anyhow` wherever is nearest in the picture."""
        width, height = self.size(lines)
        rows, columns = self._picture.shape[:2]
        left, top = (round(min(max(v, 0), max(limit, 0))) for v, limit in ((x, columns - width), (y, rows - height)))
        place = (left, top, left + width, top + height)
        if not anyhow and (abs(left - x) > 1 or any(_overlap(place, other) for other in self._taken)):
            return False
        self._taken.append(place)
        ground = self._picture[top : top + height, left : left + width]
        ground[:] = (0.35 * ground + 0.65 * np.array(PAPER)).astype(np.uint8)
        for index, line in enumerate(lines):
            start = (left + self.MARGIN, top + (index + 1) * self.LEADING - 3)
            cv2.putText(self._picture, line, start, FONT, self.HEIGHT, INK, 1, cv2.LINE_AA)
        return True


def _overlap(one: Corners, other: Corners) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
