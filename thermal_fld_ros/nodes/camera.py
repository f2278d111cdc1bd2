# SPDX-License-Identifier: Apache-2.0
"""Intrinsics from `camera_info`, or the reason why there are none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sensor_msgs.msg import CameraInfo

from thermal_fld_ros.perception.geometry import Size
from thermal_fld_ros.perception.pose import Camera


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
        self._camera: Camera | None = None
        self._size: Size = (0, 0)
        self.status = "no camera_info"

    def update(self, info: CameraInfo) -> None:
        """Take a message; one that repeats the last costs nothing."""
        if self._seen is not None and self._same(info, self._seen):
            return
        self._seen = info
        try:
            self._camera = Camera(np.array(info.k, dtype=np.float64).reshape(3, 3), np.array(info.d, dtype=np.float64))
            self._size = (info.width, info.height)
            self._say("calibrated")
        except ValueError as error:
            self._camera = None
            self._say(f"camera_info is refused, faces have no pose: {error}")

    def of(self, image_size: Size) -> Camera | None:
        """The camera of an image of this (width, height), if it is calibrated for it."""
        if self._camera is None or self._size in (image_size, (0, 0)):
            return self._camera
        self._say(
            "camera_info is refused, faces have no pose: "
            f"it is for {self._size[0]} x {self._size[1]} px, the image has {image_size[0]} x {image_size[1]}"
        )
        return None

    def _say(self, status: str) -> None:
        if status != self.status and status != "calibrated":
            self._log(status)
        self.status = status

    @staticmethod
    def _same(one: CameraInfo, other: CameraInfo) -> bool:
        return bool(
            (one.k == other.k).all() and one.d == other.d and (one.width, one.height) == (other.width, other.height)
        )
