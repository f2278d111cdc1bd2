# SPDX-License-Identifier: Apache-2.0
"""Faces as foxglove_msgs/ImageAnnotations, which Foxglove draws over the camera's own image in its own resolution."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

from rclpy.node import Node
from std_msgs.msg import Header

from thermal_fld_ros.nodes import qos
from thermal_fld_ros.perception.face import Face
from thermal_fld_ros.perception.overlay import CONTOURS, confidence_colour

OPAQUE = 1.0


class AnnotationsPublisher:
    """Publishes `~/annotations` while somebody subscribes."""

    def __init__(self, node: Node, messages: ModuleType) -> None:
        self._node, self._messages = node, messages
        self._publisher = node.create_publisher(
            messages.ImageAnnotations, "~/annotations", qos.debug_images(), qos_overriding_options=qos.overrides()
        )

    @classmethod
    def where_installed(cls, node: Node) -> AnnotationsPublisher | None:
        """The publisher; None without foxglove_msgs."""
        try:
            import foxglove_msgs.msg
        except ImportError:
            return None
        return cls(node, foxglove_msgs.msg)

    def publish(self, faces: Sequence[Face], header: Header) -> None:
        """Publish contours, points coloured by confidence, and ids."""
        if self._publisher.get_subscription_count() == 0:
            return
        message = self._messages.ImageAnnotations()
        for face in faces:
            message.points += [*self._contours(face, header), self._points(face, header)]
            message.texts.append(self._title(face, header))
        self._publisher.publish(message)

    def _contours(self, face: Face, header: Header) -> list[Any]:
        kind = self._messages.PointsAnnotation
        return [
            kind(
                timestamp=header.stamp,
                type=kind.LINE_LOOP if closed else kind.LINE_STRIP,
                points=[self._place(*point) for point in face.points[run.start : run.stop].tolist()],
                outline_color=self._colour(90, 190, 255),
                thickness=1.0,
            )
            for run, closed in CONTOURS
        ]

    def _points(self, face: Face, header: Header) -> Any:
        kind = self._messages.PointsAnnotation
        colours = [confidence_colour(value) for value in face.confidence.tolist()]
        return kind(
            timestamp=header.stamp,
            type=kind.POINTS,
            points=[self._place(*point) for point in face.points.tolist()],
            outline_colors=[self._colour(red, green, blue) for blue, green, red in colours],
            thickness=2.0,
        )

    def _title(self, face: Face, header: Header) -> Any:
        left, top = face.roi[:2].tolist()
        return self._messages.TextAnnotation(
            timestamp=header.stamp,
            position=self._place(left, top),
            text=f"{face.id} {face.score:.2f}",
            font_size=max(float(face.roi[2]) / 8.0, 6.0),
            text_color=self._colour(245, 245, 245),
        )

    def _place(self, x: float, y: float) -> Any:
        return self._messages.Point2(x=x + 0.5, y=y + 0.5)  # from the corner of the first pixel

    def _colour(self, red: int, green: int, blue: int) -> Any:
        return self._messages.Color(r=red / 255, g=green / 255, b=blue / 255, a=OPAQUE)

    def close(self) -> None:
        """Take the topic away."""
        self._node.destroy_publisher(self._publisher)
