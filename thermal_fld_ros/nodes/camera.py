# SPDX-License-Identifier: Apache-2.0
"""Intrinsics from `camera_info`, or the reason why there are none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sensor_msgs.msg import CameraInfo

from thermal_fld_ros.perception.geometry import Size
from thermal_fld_ros.perception.pose import Camera

DISTORTION_MODELS = ("plumb_bob", "rational_polynomial")
COEFFICIENTS = (4, 5, 8, 12, 14)
"""Lengths of D that OpenCV knows."""


class CameraIntrinsics:
    """Keeps the last usable calibration; heads have a pose only with one.

    Parameters
    ----------
    log
        Takes the reason when a calibration is refused, once until another one is accepted.
    """

    def __init__(self, log: Callable[[str], object]) -> None:
        self._log = log
        self._seen: CameraInfo | None = None
        self._calibration: tuple[Camera, Size] | None = None
        self.status = "no camera_info"

    def update(self, info: CameraInfo) -> None:
        """Take a message; one that repeats the last costs nothing."""
        if self._seen is not None and _same(info, self._seen):
            return
        self._seen = info
        try:
            self._calibration = _camera(info), (info.width, info.height)
            self.status = "calibrated"
        except ValueError as error:
            self._calibration = None
            self._refuse(str(error))

    def of(self, image_size: Size) -> Camera | None:
        """The camera of an image of this (width, height), if it is calibrated for it."""
        if self._calibration is None:
            return None
        camera, size = self._calibration
        if size in (image_size, (0, 0)):
            self.status = "calibrated"
            return camera
        self._refuse(f"it is for {size[0]} x {size[1]} px, the image has {image_size[0]} x {image_size[1]}")
        return None

    def _refuse(self, reason: str) -> None:
        status = f"camera_info is refused, faces have no pose: {reason}"
        if status != self.status:
            self._log(status)
        self.status = status


def _camera(info: CameraInfo) -> Camera:
    """OpenCV's camera, or ValueError with what is wrong with the message."""
    matrix, distortion = np.array(info.k, dtype=np.float64).reshape(3, 3), np.array(info.d, dtype=np.float64)
    if not (np.isfinite(matrix).all() and np.isfinite(distortion).all()):
        raise ValueError("K or D is not finite")
    if distortion.any():
        if info.distortion_model not in DISTORTION_MODELS:
            raise ValueError(f'distortion model "{info.distortion_model}" is not one of {", ".join(DISTORTION_MODELS)}')
        if len(distortion) not in COEFFICIENTS:
            raise ValueError(f"D has {len(distortion)} coefficients, expected one of {COEFFICIENTS}")
    return Camera(matrix, distortion)


def _same(one: CameraInfo, other: CameraInfo) -> bool:
    return bool(
        (one.k == other.k).all()
        and one.d == other.d
        and one.distortion_model == other.distortion_model
        and (one.width, one.height) == (other.width, other.height)
    )
