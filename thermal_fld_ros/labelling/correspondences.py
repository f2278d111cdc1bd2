# SPDX-License-Identifier: Apache-2.0
"""Corresponding points from recorded pairs: faces, or a board."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermal_fld_ros.datasets.colour import Rgb, rgb_pixels, turned_upright
from thermal_fld_ros.labelling.labeller import NO_THERMAL, OUTSIDE
from thermal_fld_ros.labelling.recordings import UNREADABLE, RecordedPair
from thermal_fld_ros.labelling.teachers import RgbTeacher
from thermal_fld_ros.perception.decoding import Decoding, ImageError, ThermalFrame
from thermal_fld_ros.perception.geometry import Affine, Size, box_around
from thermal_fld_ros.perception.pipeline import Pipeline
from thermal_fld_ros.recordings.source import SourceError
from thermal_fld_ros.registration.board import board_view, find_board
from thermal_fld_ros.registration.drawing import Example
from thermal_fld_ros.registration.registration import Registration
from thermal_fld_ros.registration.views import View, face_view

NO_RGB_FACE = "no face in the RGB image"
SEVERAL = "several faces"
NO_THERMAL_BOARD, NO_RGB_BOARD = "no board in the thermal image", "no board in the RGB image"
OTHER_SIZE = "images of another size"

EXAMPLES = 4

Seen = View | str
"""What a pair gives, or why it gives nothing."""

Look = Callable[[str, ThermalFrame, Rgb], Seen]


@dataclass(eq=False)
class Collection:
    """What was found in pairs.

    Attributes
    ----------
    views : list of View
    left_out : Counter
        Pairs without a view, by reason.
    complaint : str
        Of the first that could not be decoded.
    thermal_size, rgb_size : width and height of the images, (0, 0) before the first pair
    examples : list of Example
        A few pairs from all over.
    """

    views: list[View] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    complaint: str = ""
    thermal_size: Size = (0, 0)
    rgb_size: Size = (0, 0)
    examples: list[Example] = field(default_factory=list)

    def add(self, pair: RecordedPair, look: Look, decoding: Decoding, place: float) -> None:
        """Look at a pair; `place` in 0 to 1 is how far on it is among all."""
        try:
            frame, rgb = pair.thermal.decode(decoding), rgb_pixels(pair.rgb)
        except (ImageError, SourceError) as error:
            self.left_out[UNREADABLE] += 1
            self.complaint = self.complaint or f"{pair.name}: {error}"
            return
        sizes = frame.image_size, (rgb.shape[1], rgb.shape[0])
        if self.thermal_size == (0, 0):
            self.thermal_size, self.rgb_size = sizes
        if sizes != (self.thermal_size, self.rgb_size):
            self.left_out[OTHER_SIZE] += 1
            return
        seen = look(pair.name, frame, rgb)
        if isinstance(seen, str):
            self.left_out[seen] += 1
            return
        self.views.append(seen)
        number = min(int(EXAMPLES * place), EXAMPLES - 1)
        del self.examples[number:]  # the last one of each quarter; fewer where a quarter has none
        self.examples.append(Example(seen, frame, rgb))


class FaceLook:
    """Finds the one face in both images.

    Pairs with several are left out: who is who is not known before the registration is.

    Parameters
    ----------
    pipeline : Pipeline
        Of thermal images, each for itself.
    teacher : RgbTeacher
    rgb_rotation : int
        Clockwise turn in degrees that brings the RGB image upright.
    rigid : bool
        As `face_view` takes it.
    rough : Registration or None
        About where faces are in the RGB image, for a teacher that finds none by itself; None: at the same share of the image.
    """

    def __init__(
        self, pipeline: Pipeline, teacher: RgbTeacher, rgb_rotation: int, rigid: bool, rough: Registration | None = None
    ) -> None:
        self._pipeline, self._teacher = pipeline, teacher
        self._rotation, self._rigid, self._rough = rgb_rotation, rigid, rough

    def __call__(self, name: str, frame: ThermalFrame, rgb: Rgb) -> Seen:
        """The view of a pair, or why there is none."""
        self._pipeline.reset()
        faces = self._pipeline(frame, 0.0)
        if len(faces) != 1:
            return SEVERAL if faces else NO_THERMAL
        (face,) = faces
        turned, upright = turned_upright(rgb, self._rotation)
        boxes: Sequence[ArrayLike] | None = None
        if not self._teacher.finds:
            expected = upright(self._expected(face.points, frame.image_size, (rgb.shape[1], rgb.shape[0])))
            if not np.isfinite(expected).all():
                return OUTSIDE
            boxes = [box_around(expected)]
        found = [one for one in self._teacher(turned, boxes) if one is not None]
        if len(found) != 1:
            return SEVERAL if found else NO_RGB_FACE
        confidence = np.minimum(face.confidence, found[0].confidence)
        return face_view(name, face.points, upright.inverse()(found[0].points), confidence, self._rigid)

    def _expected(self, points: NDArray[np.float32], thermal: Size, rgb: Size) -> NDArray[np.float64]:
        return self._rough.to_rgb(points) if self._rough else Affine.resize(thermal, rgb)(points)


class BoardLook:
    """Finds a checkerboard in both images; parameters as of `find_board` and `board_view`."""

    def __init__(self, pattern: tuple[int, int], square: float) -> None:
        self._pattern, self._square = pattern, square

    def __call__(self, name: str, frame: ThermalFrame, rgb: Rgb) -> Seen:
        """The view of a pair, or why there is none."""
        thermal = find_board(frame.pixels, self._pattern)
        if thermal is None:
            return NO_THERMAL_BOARD
        colour = find_board(rgb, self._pattern)
        if colour is None:
            return NO_RGB_BOARD
        return board_view(name, thermal + np.array([0.0, frame.top]), colour, self._pattern, self._square)
