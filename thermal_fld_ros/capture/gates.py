# SPDX-License-Identifier: Apache-2.0
"""Which pairs are worth recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.capture.pair import CapturedPair
from thermal_fld_ros.options import check_ranges, limited
from thermal_fld_ros.perception.shutter import ShutterDetector
from thermal_fld_ros.recordings.bag import image_of_message
from thermal_fld_ros.recordings.messages import LANDMARKS, THERMAL, types

SHUTTER, NO_FACE, UNCHANGED, OVER_RATE = "shutter", "no face", "unchanged", "rate"
"""Why a pair is left out."""


@dataclass(frozen=True)
class GateOptions:
    """What a pair must be like; by default the shutter must be open.

    Attributes
    ----------
    skip_shutter
        Leave out what a closed shutter shows.
    require_face
        At least one face in face_landmarks.
    min_pose_change, min_expression_change
        Turn of a head in degrees, where its pose is known, and change of a face's shape, of which one must reach its value since
        the last pair that was taken; 0: does not count. Both 0: no such gate.
    max_rate
        Pairs a second by the thermal images' stamps; 0: no limit.
    """

    skip_shutter: bool = True
    require_face: bool = False
    min_pose_change: float = limited(0.0, 0.0, 180.0)
    min_expression_change: float = limited(0.0, 0.0, 10.0)
    max_rate: float = limited(0.0, 0.0, 1000.0)

    def __post_init__(self) -> None:
        check_ranges(self)

    @property
    def need_landmarks(self) -> bool:
        """Whether some gate looks at face_landmarks."""
        return self.require_face or self.min_pose_change > 0.0 or self.min_expression_change > 0.0


class Gates:
    """Judges one pair after the other.

    Parameters
    ----------
    thermal_type
        Message type of the thermal images.

    Attributes
    ----------
    unreadable : str
        Why the shutter could not be told of the last image, which lets it pass; or empty.
    """

    def __init__(self, options: GateOptions, thermal_type: str) -> None:
        self._options = options
        self._thermal_type = thermal_type
        self._shutter = ShutterDetector()
        self._last: dict[str, Any] | None = None
        self._last_stamp: int | None = None
        self.unreadable = ""

    def __call__(self, pair: CapturedPair) -> str:
        """The gate that keeps the pair out, empty where it is to be recorded."""
        options = self._options
        if options.skip_shutter and self._shutter_is_closed(pair):
            return SHUTTER
        faces: dict[str, Any] = {}
        if options.need_landmarks:
            faces = {face.id: face for face in faces_of(pair)}
        if options.require_face and not faces:
            return NO_FACE
        if (options.min_pose_change or options.min_expression_change) and not self._has_changed(faces):
            return UNCHANGED
        if options.max_rate and self._comes_too_soon(pair.stamp):
            return OVER_RATE
        self._last, self._last_stamp = faces, pair.stamp
        return ""

    def _shutter_is_closed(self, pair: CapturedPair) -> bool:
        try:
            message = types().deserialize_cdr(pair.messages[THERMAL], self._thermal_type)
            frame = image_of_message(message, THERMAL, pair.stamp).decode()
        except Exception as error:  # rosbags and OpenCV raise many kinds; the image is recorded whatever it is
            self.unreadable = f"{type(error).__name__}: {error}"
            return False
        self.unreadable = ""
        return self._shutter.update(frame, 1e-9 * pair.stamp).closed

    def _has_changed(self, faces: dict[str, Any]) -> bool:
        """Whether a face came or went, turned or changed its shape."""
        last, options = self._last, self._options
        if last is None or faces.keys() != last.keys():
            return True
        return any(
            (options.min_pose_change and _turn(last[name], face) >= options.min_pose_change)
            or (options.min_expression_change and shape_change(last[name], face) >= options.min_expression_change)
            for name, face in faces.items()
        )

    def _comes_too_soon(self, stamp: int) -> bool:
        since = stamp - self._last_stamp if self._last_stamp is not None else -1
        return 0 <= since < 1e9 / self._options.max_rate  # time that went back begins anew


def faces_of(pair: CapturedPair) -> list[Any]:
    """The faces of a pair's landmarks, as rosbags' `thermal_fld_ros/msg/FaceLandmarks`."""
    faces: list[Any] = types().deserialize_cdr(pair.messages[LANDMARKS], "thermal_fld_ros/msg/FaceLandmarksArray").faces
    return faces


def _turn(one: Any, other: Any) -> float:
    """Angle between two poses of a head in degrees; 0 where one is unknown."""
    if not (one.pose_valid and other.pose_valid):
        return 0.0
    first, second = (_unit_quaternion(face.pose.orientation) for face in (one, other))
    return float(np.degrees(2.0 * np.arccos(np.clip(abs(first @ second), 0.0, 1.0))))


def _unit_quaternion(value: Any) -> NDArray[np.float64]:
    quaternion = np.array([value.x, value.y, value.z, value.w])
    length = float(np.linalg.norm(quaternion))
    return quaternion / length if length else np.array([0.0, 0.0, 0.0, 1.0])


def shape_change(one: Any, other: Any) -> float:
    """Mean distance of the points after the best shift, turn and scale of the other onto the one, in sizes of the face.

    The size is sqrt(width * height) of its box. A turn out of the image's plane changes the shape too.
    """
    first, second = (_centred(face.points) for face in (one, other))
    spread = float((second * second.conj()).real.sum())
    if first.shape != second.shape or spread == 0.0:
        return float("inf")
    fit = (second.conj() @ first) / spread
    size = float(np.sqrt(one.roi[2] * one.roi[3]))
    return float(np.abs(first - fit * second).mean()) / size if size else float("inf")


def _centred(points: Any) -> NDArray[np.complex128]:
    """Points x0, y0, x1, ... as complex numbers around their mean."""
    pairs = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    numbers: NDArray[np.complex128] = pairs[:, 0] + 1j * pairs[:, 1]
    return numbers - numbers.mean() if len(numbers) else numbers
