# SPDX-License-Identifier: Apache-2.0
"""The parameters of `thermal_fld_camera`."""

from __future__ import annotations

from thermal_fld_ros.nodes.parameters import Parameter
from thermal_fld_ros.recordings.device import LAYOUTS

TABLE = (
    Parameter("device", "/dev/video0", "Video device of the camera.", read_only=True),
    Parameter(
        "layout",
        "auto",
        "Which part of the camera's buffer is the image: all of it (plain), or the lower half, the temperatures (two_part: P2 Pro, TC001); "
        "auto decides by the buffer's size.",
        choices=LAYOUTS,
        read_only=True,
    ),
    Parameter("width", 0, "Width of the buffer to request from the camera; 0: its default.", 0, 10_000, read_only=True),
    Parameter(
        "height", 0, "Height of the buffer to request from the camera; 0: its default.", 0, 10_000, read_only=True
    ),
    Parameter(
        "rate", 0.0, "Images per second to request from the camera; 0: its default.", 0.0, 1000.0, read_only=True
    ),
    Parameter("frame_id", "thermal_camera_optical_frame", "frame_id of the images.", read_only=True),
    Parameter("calibration", "", "File of the camera's calibration, published on camera_info.", read_only=True),
    Parameter("retry_period", 2.0, "Seconds between two attempts to open the device.", 0.05, 3600.0, read_only=True),
)
