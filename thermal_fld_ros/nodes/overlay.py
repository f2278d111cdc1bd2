# SPDX-License-Identifier: Apache-2.0
"""The overlay topics: drawn only while somebody looks."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from thermal_fld_ros.nodes import qos
from thermal_fld_ros.nodes.annotations import AnnotationsPublisher
from thermal_fld_ros.nodes.messages import field_from_array, image_from_picture
from thermal_fld_ros.nodes.parameters import Values
from thermal_fld_ros.perception.camera import Camera
from thermal_fld_ros.perception.decoding import ThermalFrame
from thermal_fld_ros.perception.overlay import draw
from thermal_fld_ros.perception.pipeline import Face


class OverlayPublisher:
    """Publishes `~/overlay`, `~/overlay/compressed`, and with foxglove_msgs `~/annotations`."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._raw = node.create_publisher(
            Image, "~/overlay", qos.debug_images(), qos_overriding_options=qos.overrides()
        )
        self._annotations = AnnotationsPublisher.where_installed(node)
        self._jpeg = node.create_publisher(
            CompressedImage, "~/overlay/compressed", qos.debug_images(), qos_overriding_options=qos.overrides()
        )

    def publish(
        self,
        frame: ThermalFrame,
        faces: Sequence[Face],
        header: Header,
        values: Values,
        camera: Camera | None,
        notes: Sequence[str],
    ) -> None:
        """Draw and publish where there is a subscriber, by the parameters `overlay_...`; for the rest see `overlay.draw`."""
        if self._annotations is not None:
            self._annotations.publish(faces, header)
        raw, jpeg = self._raw.get_subscription_count() > 0, self._jpeg.get_subscription_count() > 0
        if not (raw or jpeg):
            return
        palette = values["overlay_palette"]
        picture = draw(frame, faces, values["overlay_scale"], palette=palette, camera=camera, notes=notes)
        if raw:
            self._raw.publish(image_from_picture(picture, header))
        if jpeg:
            _, encoded = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, values["overlay_quality"]))
            message = CompressedImage(header=header, format="bgr8; jpeg compressed bgr8")
            message.data = field_from_array(encoded, "B")
            self._jpeg.publish(message)

    def close(self) -> None:
        """Take the topics away."""
        if self._annotations is not None:
            self._annotations.close()
        self._node.destroy_publisher(self._raw)
        self._node.destroy_publisher(self._jpeg)
