# SPDX-License-Identifier: Apache-2.0
"""From a pair of images to labelled faces: the teacher's points, brought from the RGB to the thermal image, if both images agree."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermal_fld_ros.datasets.colour import Rgb, sampled_colour
from thermal_fld_ros.labelling.teachers import SAME_FACE, RgbFace, RgbTeacher
from thermal_fld_ros.perception.camera import Camera
from thermal_fld_ros.perception.cropping import crop_from_box, crop_from_points
from thermal_fld_ros.perception.decoding import ThermalFrame
from thermal_fld_ros.perception.face import Face
from thermal_fld_ros.perception.geometry import Affine, Size, box_around, extent, iou
from thermal_fld_ros.perception.pipeline import Pipeline
from thermal_fld_ros.perception.pose import estimate_pose
from thermal_fld_ros.registration.registration import Registration
from thermal_fld_ros.registration.transforms import rotation_of

INNER_FACE = np.arange(17, 68)
"""All but the jaw line, which teachers and annotators draw differently."""

SHARPNESS_SIDE = 96  # pixels of the crop in which sharpness is measured
UNCONFIRMED_WORTH = 0.5  # of a point that only the teacher sees

NO_THERMAL = "no face in the thermal image"
NO_FACE_IN_EITHER = "no face in either image"
NO_TEACHER = "no face by the teacher"
OUTSIDE = "outside of the RGB image"
OUTSIDE_THERMAL = "outside of the thermal image"
UNCONFIRMED_FACE = "face by the teacher only, not confirmed by the thermal image"
DISAGREE = "thermal and RGB image disagree"
BLURRED = "RGB image blurred"
TURNED = "head turned too far"

DETECTED, CONFIRMED, UNCONFIRMED = EVIDENCE = ("detected", "confirmed", "unconfirmed")
"""What the thermal image says of a labelled face: found there, found when looked for where the teacher sees it, or nothing."""


@dataclass(frozen=True)
class Limits:
    """What a face must keep to.

    Attributes
    ----------
    disagreement : float
        Between the transferred points and the thermal network's, at most; see `disagreement_of`.
    sharpness : float
        Of the face in the RGB image, at least; see `sharpness_of`.
    turn : float
        Degrees between the face's direction and the camera's, at most.
    unconfirmed : bool
        Whether a face is taken of which the thermal image says nothing.
    """

    disagreement: float = 0.15
    sharpness: float = 0.1
    turn: float = 60.0
    unconfirmed: bool = False

    def __post_init__(self) -> None:
        if not self.disagreement > 0.0:
            raise ValueError(
                f"a disagreement of at most {self.disagreement} would reject every face: expected a share above 0"
            )


@dataclass(frozen=True, eq=False)
class TaughtFace:
    """A labelled face.

    Attributes
    ----------
    points : (68, 2) float64
        Upright pixels of the thermal image.
    confidence : (68,) float64 in [0, 1]
    to_rgb : Affine
        From upright pixels of the thermal image to upright pixels of the RGB image, about this face.
    evidence : str
        Of EVIDENCE.
    """

    points: NDArray[np.float64]
    confidence: NDArray[np.float64]
    to_rgb: Affine
    evidence: str

    @property
    def box(self) -> NDArray[np.float64]:
        """x, y, width, height of the box around the points."""
        return box_around(self.points)


@dataclass(frozen=True, eq=False)
class _Pair:
    """Two images, the RGB one upright, and the map from its incoming pixels to the upright ones."""

    frame: ThermalFrame
    rgb: Rgb
    upright: Affine

    @property
    def rgb_size(self) -> Size:
        return self.rgb.shape[1], self.rgb.shape[0]


class _Seen(NamedTuple):
    """What the thermal network makes of a face: points (68, 2) in pixels of the incoming image, and confidence (68,)."""

    points: NDArray[np.float64]
    confidence: NDArray[np.float32]


class Labeller:
    """Labels the faces of pairs, one pair at a time.

    A face that the thermal network finds is looked for by the teacher where the registration says that it is. The teacher's points go
    back through the registration. What each is worth is the teacher's confidence, lessened where the thermal network is
    sure that the point lies elsewhere: with d the distance of the two in units of sqrt(w h), L the limit of disagreement, k the thermal
    network's confidence and t the teacher's, it is t (1 - k (1 - exp(-(d / L)^2 / 2))).

    A teacher who finds faces by itself also tells of those that the thermal detector misses. They are confirmed where the landmark
    network, made to look there, agrees (`_look`). Of others t / 2 is what their points are worth, if they are wanted at all.

    Parameters
    ----------
    pipeline : Pipeline
        Of the thermal camera; without smoothing or a shutter.
    registration : Registration
    teacher : RgbTeacher
    limits : Limits
    """

    def __init__(
        self,
        pipeline: Pipeline,
        registration: Registration,
        teacher: RgbTeacher,
        limits: Limits = Limits(),
    ) -> None:
        self._pipeline, self._registration, self._teacher = pipeline, registration, teacher
        self._limits = limits

    def __call__(self, frame: ThermalFrame, rgb: Rgb, upright: Affine) -> list[TaughtFace | str]:
        """For each face that the thermal network or the teacher finds its labels, or the reason for which it has none.

        Parameters
        ----------
        frame : ThermalFrame
        rgb : (H, W, 3) uint8
            The RGB image, upright.
        upright : Affine
            From pixels of the incoming RGB image to those of the upright one.
        """
        pair = _Pair(frame, rgb, upright)
        self._pipeline.reset()
        labelled, known = [], []
        for face in self._pipeline(frame, 0.0):
            label, boxes = self._detected(face, pair)
            labelled.append(label)
            known += boxes
        if self._teacher.finds:
            for taught in self._teacher(rgb):
                if taught and not (known and iou(box_around(taught.points), known).max() > SAME_FACE):
                    labelled.append(self._undetected(taught, pair))
        return labelled or [NO_FACE_IN_EITHER if self._teacher.finds else NO_THERMAL]

    def _detected(self, face: Face, pair: _Pair) -> tuple[TaughtFace | str, list[NDArray[np.float64]]]:
        """Labels of a face that the thermal network finds, or why not; and the boxes in the RGB image at which it was looked for."""
        seen = _Seen(face.points.astype(np.float64), face.confidence)
        distance = self._registration.distance_of(*seen)
        expected = pair.upright(self._registration.to_rgb(seen.points, distance))
        if not _within(expected, pair.rgb_size):
            return OUTSIDE, []
        box = box_around(expected)
        taught = self._teacher(pair.rgb, [box])[0]
        if taught is None:
            return NO_TEACHER, [box]
        points = self._registration.to_thermal(pair.upright.inverse()(taught.points), distance)
        boxes = [box, box_around(taught.points)]
        if not (np.isfinite(points).all() and _within(taught.points, pair.rgb_size)):
            return OUTSIDE, boxes
        if disagreement_of(points, seen.points) > self._limits.disagreement:
            return DISAGREE, boxes
        return self._labels(taught, points, pair, distance, DETECTED, self._worth(taught, points, seen)), boxes

    def _undetected(self, taught: RgbFace, pair: _Pair) -> TaughtFace | str:
        """Labels of a face that the teacher finds and the thermal network does not, or why not."""
        if not _within(taught.points, pair.rgb_size):
            return OUTSIDE
        points, distance = self._transferred(pair.upright.inverse()(taught.points), taught.confidence)
        upright = pair.frame.upright_to_image.inverse()(points)
        if not _within(upright, pair.frame.upright_size):
            return OUTSIDE_THERMAL
        seen = self._look(pair.frame, upright)
        if seen is not None:
            return self._labels(taught, points, pair, distance, CONFIRMED, self._worth(taught, points, seen))
        if not self._limits.unconfirmed:
            return UNCONFIRMED_FACE
        return self._labels(taught, points, pair, distance, UNCONFIRMED, UNCONFIRMED_WORTH * taught.confidence)

    def _transferred(
        self, points: NDArray[np.float64], confidence: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], float | None]:
        """Points (68, 2) of the incoming RGB image in the thermal one, and the distance by the size that the face has there.

        The first guess is the registration's own distance; a face's angular size hardly depends on it.
        """
        distance = self._registration.distance_of(self._registration.to_thermal(points), confidence)
        return self._registration.to_thermal(points, distance), distance

    def _look(self, frame: ThermalFrame, points: NDArray[np.float64]) -> _Seen | None:
        """What the landmark network sees at points (68, 2) in upright pixels; None where it sees no face that agrees with them.

        In a crop about the points, a network that sees nothing and answers with an average face in the middle would agree. So
        it looks from four crops around, each off by twice the limit of disagreement, and half of them must lead back to the points.
        """
        landmarker, away = self._pipeline.landmarker, 2 * self._limits.disagreement * extent(points)
        directions = np.array([(0, 0), (-1, -1), (1, -1), (-1, 1), (1, 1)]) / math.sqrt(2)
        crops = [crop_from_points(points + away * one, landmarker.size, landmarker.crop_scale) for one in directions]
        straight, *around = landmarker(frame, crops)
        if not np.median([disagreement_of(points, one.points) for one in around]) <= self._limits.disagreement:
            return None
        return _Seen(frame.upright_to_image(straight.points), straight.confidence)

    def _worth(self, taught: RgbFace, points: NDArray[np.float64], seen: _Seen) -> NDArray[np.float64]:
        """Confidence (68,) of labels on which the thermal network has an opinion."""
        apart = np.linalg.norm(points - seen.points, axis=1) / extent(points) / self._limits.disagreement
        worth: NDArray[np.float64] = taught.confidence * (1 - seen.confidence * (1 - np.exp(-0.5 * apart**2)))
        return worth

    def _labels(
        self,
        taught: RgbFace,
        points: NDArray[np.float64],
        pair: _Pair,
        distance: float | None,
        evidence: str,
        confidence: NDArray[np.float64],
    ) -> TaughtFace | str:
        """The labels of a face with points (68, 2) in the incoming thermal image, unless it is of no use."""
        if sharpness_of(pair.rgb, box_around(taught.points)) < self._limits.sharpness:
            return BLURRED
        upright = pair.frame.upright_to_image.inverse()(points)
        if turn_of(upright) > self._limits.turn:
            return TURNED
        try:
            local = self._registration.affine_at(box_around(points), distance)
        except ValueError:
            return OUTSIDE
        return TaughtFace(upright, confidence, pair.upright @ local @ pair.frame.upright_to_image, evidence)


def disagreement_of(points: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """Median distance of the 51 inner points of two faces (68, 2), in units of sqrt(w h) of the first.

    Of single points that are off, an open mouth, half a face in shadow, the median knows nothing; a wrong face, registration or
    moment moves them all.
    """
    return float(np.median(np.linalg.norm(points[INNER_FACE] - others[INNER_FACE], axis=1))) / extent(points)


def sharpness_of(rgb: Rgb, box: ArrayLike) -> float:
    """Standard deviation of the Laplacian over that of the grey values, of a face (x, y, width, height) brought to 96 pixels.

    So it does not depend on the light, and a large face may be blurred by more pixels than a small one.
    """
    side = SHARPNESS_SIDE
    grey = cv2.cvtColor(sampled_colour(rgb, crop_from_box(box, side, 1.0), (side, side)), cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_32F).std() / max(float(grey.std()), 1.0))


def turn_of(points: NDArray[np.float64]) -> float:
    """Angle in degrees between a face's direction and that to the camera, from 68 points (68, 2); 180 where they fit no head.

    From the generic head of `perception/pose.py` before a long lens; roll is no turn.
    """
    centre, size = points.mean(axis=0), float(np.ptp(points, axis=0).max())
    matrix = np.array([[10 * size, 0, centre[0]], [0, 10 * size, centre[1]], [0, 0, 1]])
    pose = estimate_pose(points, np.ones(len(points)), Camera(matrix, np.empty(0)))
    if pose is None:
        return 180.0
    forward = rotation_of(pose.orientation.tolist())[:, 0]  # the head's x axis
    return math.degrees(math.acos(float(np.clip(-forward[2], -1.0, 1.0))))


def _within(points: NDArray[np.float64], size: Size) -> bool:
    """Whether the points are finite and most of their box lies in an image of this size."""
    if not np.isfinite(points).all():
        return False
    box, bottom_right = box_around(points), np.array(size) - 0.5
    inside = np.clip(box[:2] + box[2:], -0.5, bottom_right) - np.clip(box[:2], -0.5, bottom_right)
    return bool(np.prod(inside) > 0.5 * np.prod(box[2:]))
