# SPDX-License-Identifier: Apache-2.0
"""The overlay topics: drawn only while somebody looks."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from thermal_fld_ros.nodes import qos
from thermal_fld_ros.nodes.messages import field_from_array, image_from_array
from thermal_fld_ros.perception.decoding import ThermalFrame
from thermal_fld_ros.perception.overlay import draw
from thermal_fld_ros.perception.pipeline import Face


class OverlayPublisher:
    """Publishes `~/overlay` and `~/overlay/compressed`."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._raw = node.create_publisher(
            Image, "~/overlay", qos.debug_images(), qos_overriding_options=qos.overrides()
        )
        self._jpeg = node.create_publisher(
            CompressedImage, "~/overlay/compressed", qos.debug_images(), qos_overriding_options=qos.overrides()
        )

    def publish(self, frame: ThermalFrame, faces: Sequence[Face], header: Header, scale: int, quality: int) -> None:
        """Draw and publish where there is a subscriber.

        Parameters
        ----------
        scale
            Whole factor by which the picture is enlarged.
        quality
            Of the JPEG, 1 to 100.
        """
        raw, jpeg = self._raw.get_subscription_count() > 0, self._jpeg.get_subscription_count() > 0
        if not (raw or jpeg):
            return
        picture = draw(frame, faces, scale)
        if raw:
            self._raw.publish(image_from_array(picture, header))
        if jpeg:
            _, encoded = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, quality))
            message = CompressedImage(header=header, format="bgr8; jpeg compressed bgr8")
            message.data = field_from_array(encoded, "B")
            self._jpeg.publish(message)

    def close(self) -> None:
        """Take both topics away."""
        self._node.destroy_publisher(self._raw)
        self._node.destroy_publisher(self._jpeg)
