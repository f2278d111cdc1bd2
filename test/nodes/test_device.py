# SPDX-License-Identifier: Apache-2.0
"""From a video device's buffers to landmarks, over DDS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_device import FakeCapture
from node_rig import FACE, SIZE, Rig, centre_of
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, Image

from thermal_fld_ros.nodes.device import CameraNode
from thermal_fld_ros.nodes.messages import array_from_image

CALIBRATION = """
image_width: 320
image_height: 240
camera_matrix: {rows: 3, cols: 3, data: [400.0, 0, 159.5, 0, 400.0, 119.5, 0, 0, 1]}
distortion_model: equidistant
distortion_coefficients: {rows: 1, cols: 4, data: [0.01, 0, 0, 0]}
"""


def start(rig: Rig, captures: list[FakeCapture], **parameters: Any) -> CameraNode:
    """The camera node in the rig's namespace; each opening of the device takes the next capture, and the last one stays."""

    def opener(path: str) -> FakeCapture:
        assert path == "/dev/fake"
        return captures.pop(0) if len(captures) > 1 else captures[0]

    values = {"device": "/dev/fake", "retry_period": 0.05, **parameters}
    return CameraNode(
        opener,
        namespace=rig.namespace,
        parameter_overrides=[Parameter(name, value=value) for name, value in values.items()],
    )


def test_faces_before_a_camera_without_a_driver_are_found(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "camera.yaml").write_text(CALIBRATION)
    rig.start()
    capture = FakeCapture([rig.scene() for _ in range(200)], "Y16 ", SIZE, period=0.03)
    infos: list[CameraInfo] = []
    rig.node.create_subscription(CameraInfo, "camera_info", infos.append, 10)
    camera = start(rig, [capture], calibration=str(tmp_path / "camera.yaml"))
    try:
        result = rig.wait_for(lambda: rig.results[-1] if rig.results and rig.results[-1].faces else None, "a face")
        assert centre_of(result) == pytest.approx(FACE[:2], abs=2.0)
        assert result.header.frame_id == "thermal_camera_optical_frame"
        rig.wait_for(lambda: rig.results[-1].faces and rig.results[-1].faces[0].pose_valid, "a pose")
        assert infos[-1].distortion_model == "equidistant"
    finally:
        camera.close()
        camera.destroy_node()
    assert capture.released


def test_a_camera_that_was_unplugged_is_opened_again(rig: Rig) -> None:
    """First it is not there, then it is pulled out after three images, then it stays. A P2 Pro, whose image has two parts."""

    def buffer(value: int) -> np.ndarray:
        parts = np.zeros((384, 256), "<u2")
        parts[192:] = value
        return parts.view(np.uint8).reshape(384, 256, 2)

    absent = FakeCapture([], "YUYV", (256, 384), opened=False)
    pulled = FakeCapture([buffer(1)] * 3, "YUYV", (256, 384), period=0.02)
    back = FakeCapture([buffer(2)] * 500, "YUYV", (256, 384), period=0.02)
    images: list[Image] = []
    rig.node.create_subscription(Image, "image", images.append, 100)
    camera = start(rig, [absent, absent, pulled, back])
    try:
        last = rig.wait_for(
            lambda: images[-1] if images and array_from_image(images[-1])[0, 0] == 2 else None,
            "an image of the last capture",
        )
        assert (last.width, last.height, last.encoding) == (256, 192, "mono16")
        assert pulled.released
    finally:
        camera.close()
        camera.destroy_node()


def test_a_calibration_that_cannot_be_used_is_named(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "camera.yaml").write_text("image_width: 320\n")
    with pytest.raises(ValueError, match=r"camera\.yaml"):
        start(rig, [FakeCapture([], "Y16 ", SIZE)], calibration=str(tmp_path / "camera.yaml"))
