# SPDX-License-Identifier: Apache-2.0
"""Intrinsics from `camera_info`, or the reason why there are none."""

from __future__ import annotations

from collections.abc import Callable

from sensor_msgs.msg import CameraInfo

from thermal_fld_ros.perception.camera import UNKNOWN_SIZE, Camera, camera_of_info
from thermal_fld_ros.perception.decoding import ThermalFrame


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
        self._calibration: Camera | None = None
        self.status = "no camera_info"

    def update(self, info: CameraInfo) -> None:
        """Take a message; one that repeats the last costs nothing."""
        if self._seen is not None and _same(info, self._seen):
            return
        self._seen = info
        try:
            self._calibration = camera_of_info(info)
            self.status = "calibrated"
        except ValueError as error:
            self._calibration = None
            self._refuse(str(error))

    def of(self, frame: ThermalFrame) -> Camera | None:
        """The camera of the incoming image, if its calibration is for the whole image or for the rows that remain after the row crop.

        Telemetry is no part of what a camera sees: where the calibration is for the rows that are left, it is moved down by those
        that are dropped at the top.
        """
        camera, (width, height) = self._calibration, frame.image_size
        if camera is None:
            return None
        rows = frame.pixels.shape[0]
        if camera.size in (frame.image_size, UNKNOWN_SIZE):
            self.status = "calibrated"
            return camera
        if camera.size == (width, rows):
            self.status = "calibrated"
            return camera.part((0.0, -float(frame.top)), (1, 1), frame.image_size)
        left = f", {rows} of its rows after the row crop" if rows != height else ""
        self._refuse(
            f"the calibration is for {camera.size[0]} x {camera.size[1]} px, but the image has {width} x {height}{left}"
        )
        return None

    def _refuse(self, reason: str) -> None:
        status = f"camera_info was refused: {reason}"
        if status != self.status:
            self._log(status)
        self.status = status


def _same(one: CameraInfo, other: CameraInfo) -> bool:
    return bool(
        (one.k == other.k).all()
        and one.d == other.d
        and one.distortion_model == other.distortion_model
        and (one.width, one.height) == (other.width, other.height)
        and (one.binning_x, one.binning_y, one.roi) == (other.binning_x, other.binning_y, other.roi)
    )
