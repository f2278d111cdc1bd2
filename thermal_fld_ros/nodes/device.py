# SPDX-License-Identifier: Apache-2.0
"""The node `thermal_fld_camera`: a camera that Linux knows as a video device, such as PureThermal, Boson or P2 Pro.

It publishes what the camera delivers, 16 bit as 16 bit, and opens the device again after it was unplugged.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from thermal_fld_ros.nodes import qos
from thermal_fld_ros.nodes.device_parameters import TABLE
from thermal_fld_ros.nodes.messages import field_from_array
from thermal_fld_ros.nodes.parameters import Parameters
from thermal_fld_ros.nodes.process import run_node
from thermal_fld_ros.perception.camera import Camera
from thermal_fld_ros.recordings.device import Capture, Device, DeviceOptions
from thermal_fld_ros.recordings.source import RawImage, SourceError
from thermal_fld_ros.registration.camera import read_camera


class CameraNode(Node):
    """Publishes every image of a video device; a thread waits for them.

    Parameters
    ----------
    opener : function
        Opens the device's path; OpenCV's V4L2 unless another is given.
    options
        Of rclpy's Node.

    Raises
    ------
    ValueError, OSError
        The calibration cannot be used.
    """

    def __init__(self, opener: Callable[[str], Capture] | None = None, **options: Any) -> None:
        super().__init__("thermal_fld_camera", **options)
        values = Parameters(self, TABLE, lambda values, changed: None).values
        self._path, self._opener = str(values["device"]), opener
        self._wanted = DeviceOptions(values["layout"], (values["width"], values["height"]), values["rate"])
        self._frame_id, self._retry_period = str(values["frame_id"]), float(values["retry_period"])
        self._calibration = read_camera(Path(values["calibration"])) if values["calibration"] else None
        overriding = qos.overrides()
        self._images = self.create_publisher(Image, "image", qos.camera_images(), qos_overriding_options=overriding)
        self._infos = self.create_publisher(
            CameraInfo, "camera_info", qos.camera_images(), qos_overriding_options=overriding
        )
        self.published = 0
        self._complaint = ""
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="thermal_fld_camera", daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        """Open the device, publish what it delivers, and begin again when that ends."""
        while not self._ending.is_set():
            try:
                device = Device(self._path, self._wanted, self._opener)
            except SourceError as error:
                self._complain(str(error))
            else:
                try:
                    self._deliver(device)
                except SourceError as error:
                    self._complain(str(error))
                finally:
                    device.close()
            self._ending.wait(self._retry_period)

    def _deliver(self, device: Device) -> None:
        about = ""
        while not self._ending.is_set():
            image = device.read()
            if device.about != about:
                about, self._complaint = device.about, ""
                self.get_logger().info(
                    f"{self._path}: {about}; published as {image.encoding} on {self._images.topic_name}"
                )
            self._publish(image)

    def _publish(self, image: RawImage) -> None:
        header = Header(stamp=self.get_clock().now().to_msg(), frame_id=self._frame_id)
        message = Image(header=header, height=image.height, width=image.width, encoding=image.encoding, step=image.step)
        message.data = field_from_array(np.frombuffer(image.data, np.uint8), "B")
        self._images.publish(message)
        if self._calibration is not None:
            self._infos.publish(camera_info_message(self._calibration, header))
        self.published += 1

    def _complain(self, text: str) -> None:
        """Say what is wrong, once until it changes."""
        if text != self._complaint and not self._ending.is_set():
            self.get_logger().error(f"{text} The node tries again every {self._retry_period:g} s.")
        self._complaint = text

    def close(self, failure: str = "") -> None:
        """Release the camera and log the number of published images."""
        self._ending.set()
        self._thread.join(5.0)  # a driver may hold an image back for long
        self.get_logger().info(f"published {self.published} images")


def camera_info_message(camera: Camera, header: Header) -> CameraInfo:
    """A calibration as a message."""
    info = CameraInfo(header=header, width=camera.size[0], height=camera.size[1], distortion_model=camera.model)
    info.k, info.d = camera.matrix.reshape(-1).tolist(), camera.distortion.tolist()
    info.r = np.eye(3).reshape(-1).tolist()
    info.p = np.hstack([camera.matrix, np.zeros((3, 1))]).reshape(-1).tolist()
    return info


def main(args: list[str] | None = None) -> None:
    """Run the node until it is interrupted."""
    run_node("thermal_fld_camera", CameraNode, args)


if __name__ == "__main__":
    main()
