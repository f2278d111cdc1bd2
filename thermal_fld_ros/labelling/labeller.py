# SPDX-License-Identifier: Apache-2.0
"""From a pair of images to labelled faces: the teacher's points, brought from the RGB to the thermal image, if both images agree."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermal_fld_ros.datasets.colour import Rgb, sampled_colour
from thermal_fld_ros.labelling.teachers import RgbTeacher
from thermal_fld_ros.perception.cropping import crop_from_box
from thermal_fld_ros.perception.decoding import ThermalFrame
from thermal_fld_ros.perception.face import Face
from thermal_fld_ros.perception.geometry import Affine, box_around
from thermal_fld_ros.perception.pipeline import Pipeline
from thermal_fld_ros.perception.pose import Camera, estimate_pose
from thermal_fld_ros.registration.registration import Registration

INNER = np.arange(17, 68)
"""All but the jaw line, which teachers and annotators draw differently."""

SHARPNESS_SIDE = 96  # pixels of the crop in which sharpness is measured

NO_THERMAL = "no face in the thermal image"
NO_TEACHER = "no face by the teacher"
OUTSIDE = "outside of the RGB image"
DISAGREE = "thermal and RGB image disagree"
BLURRED = "RGB image blurred"
TURNED = "head turned too far"


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
    """

    disagreement: float = 0.15
    sharpness: float = 0.1
    turn: float = 60.0


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
    """

    points: NDArray[np.float64]
    confidence: NDArray[np.float64]
    to_rgb: Affine

    @property
    def box(self) -> NDArray[np.float64]:
        """x, y, width, height of the box around the points."""
        return box_around(self.points)


class Labeller:
    """Labels the faces of pairs, each for itself.

    A face that the thermal network finds is looked for by the teacher where the registration says that it is. The teacher's points go
    back through the registration. What each is worth is the teacher's confidence, lessened where the thermal network is
    sure that the point lies elsewhere: with d the distance of the two in units of sqrt(w h), L the limit of disagreement, k the thermal
    network's confidence and t the teacher's, it is t (1 - k (1 - exp(-(d / L)^2 / 2))).

    Parameters
    ----------
    pipeline : Pipeline
        Of the thermal camera; without smoothing or a shutter.
    registration : Registration
    teacher : RgbTeacher
    rgb_rotation : int
        Clockwise turn in degrees that brings the RGB image upright.
    limits : Limits
    """

    def __init__(
        self,
        pipeline: Pipeline,
        registration: Registration,
        teacher: RgbTeacher,
        rgb_rotation: int = 0,
        limits: Limits = Limits(),
    ) -> None:
        self._pipeline, self._registration, self._teacher = pipeline, registration, teacher
        self._rotation, self._limits = rgb_rotation, limits

    def __call__(self, frame: ThermalFrame, rgb: Rgb) -> list[TaughtFace | str]:
        """For each face that the thermal network finds its labels, or the reason for which it has none.

        Parameters
        ----------
        frame : ThermalFrame
        rgb : (H, W, 3) uint8
            The RGB image, upright.
        """
        self._pipeline.reset()
        seen = self._pipeline(frame, 0.0)
        height, width = rgb.shape[:2]
        incoming = (height, width) if self._rotation in (90, 270) else (width, height)
        upright = Affine.quarter_turns(self._rotation, incoming)
        return [self._label(face, frame, rgb, upright) for face in seen] or [NO_THERMAL]

    def _label(self, face: Face, frame: ThermalFrame, rgb: Rgb, upright: Affine) -> TaughtFace | str:
        own = face.points.astype(np.float64)
        distance = self._registration.distance_of(own, face.confidence)
        expected = upright(self._registration.to_rgb(own, distance))
        if not _within(expected, rgb):
            return OUTSIDE
        taught = self._teacher(rgb, [box_around(expected)])[0]
        if taught is None:
            return NO_TEACHER
        points = self._registration.to_thermal(upright.inverse()(taught.points), distance)
        if not (np.isfinite(points).all() and _within(taught.points, rgb)):
            return OUTSIDE
        if disagreement_of(points, own) > self._limits.disagreement:
            return DISAGREE
        if sharpness_of(rgb, box_around(taught.points)) < self._limits.sharpness:
            return BLURRED
        in_upright = frame.upright_to_image.inverse()(points)
        if turn_of(in_upright) > self._limits.turn:
            return TURNED
        try:
            local = self._registration.affine_at(box_around(points), distance)
        except ValueError:
            return OUTSIDE
        apart = np.linalg.norm(points - own, axis=1) / size_of(points) / self._limits.disagreement
        confidence = taught.confidence * (1 - face.confidence * (1 - np.exp(-0.5 * apart**2)))
        return TaughtFace(in_upright, confidence, upright @ local @ frame.upright_to_image)


def size_of(points: NDArray[np.float64]) -> float:
    """sqrt(w h) of the box around points (N, 2)."""
    return math.sqrt(float(np.prod(np.ptp(points, axis=0))))


def disagreement_of(points: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """Median distance of the 51 inner points of two faces (68, 2), in units of sqrt(w h) of the first.

    Of single points that are off, an open mouth, half a face in shadow, the median knows nothing; a wrong face, registration or
    moment moves them all.
    """
    return float(np.median(np.linalg.norm(points[INNER] - others[INNER], axis=1))) / size_of(points)


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
    x, y, z, w = pose.orientation
    forward = np.array([1 - 2 * (y * y + z * z), 2 * (x * y + z * w), 2 * (x * z - y * w)])  # the head's x axis
    return math.degrees(math.acos(float(np.clip(-forward[2], -1.0, 1.0))))


def _within(points: NDArray[np.float64], image: Rgb) -> bool:
    """Whether the middle of all points lies in an image, and most of their box."""
    if not np.isfinite(points).all():
        return False
    box, bottom_right = box_around(points), np.array([image.shape[1], image.shape[0]]) - 0.5
    inside = np.clip(box[:2] + box[2:], -0.5, bottom_right) - np.clip(box[:2], -0.5, bottom_right)
    return bool(np.prod(inside) > 0.5 * np.prod(box[2:]))
