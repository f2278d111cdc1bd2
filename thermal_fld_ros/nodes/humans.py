# SPDX-License-Identifier: Apache-2.0
"""Faces as ROS4HRI expects them (REP-155): global topics under /humans/faces, and tf frames.

The names are absolute because the REP has them so: one robot, one set of humans. The messages are those of the package hri_msgs, which
is optional.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np
from geometry_msgs.msg import Quaternion, TransformStamped
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from thermal_fld_ros.nodes import qos
from thermal_fld_ros.nodes.messages import image_from_picture
from thermal_fld_ros.perception import portrait
from thermal_fld_ros.perception.decoding import ThermalFrame
from thermal_fld_ros.perception.face import Face
from thermal_fld_ros.perception.geometry import Size
from thermal_fld_ros.perception.pose import Pose

try:
    from rclpy.event_handler import PublisherEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import PublisherEventCallbacks

TOPIC = "/humans/faces"
HRI_POINTS = 70
"""Of hri_msgs/FacialLandmarks: iBUG's 68, then the right and the left pupil, which a thermal image does not show (c = 0)."""

FRAMES_BEFORE = 4
"""The frame of a face with which it is announced: what is seen for a moment only is no person."""

LINGER = 1.0
"""Seconds (of the images' stamps) for which the topics of a face outlive it."""

GAZE = Quaternion(x=-0.5, y=0.5, z=-0.5, w=0.5)
"""From the face's axes (x forward) to an optical frame's (z forward)."""


class HumansError(ValueError):
    """The topics cannot be offered."""


def unique_prefix() -> str:
    """Four letters and digits, a letter first: with them the ids of all detectors and of all their starts differ.

    REP-155 asks for ids of letters and digits that are unique over all of a robot's detectors.
    """
    letters, others = string.ascii_lowercase, string.ascii_lowercase + string.digits
    return secrets.choice(letters) + "".join(secrets.choice(others) for _ in range(3))


class HumansPublisher:
    """Publishes the faces of each image under /humans/faces and as tf frames `face_<id>` and `gaze_<id>`.

    Raises HumansError where hri_msgs is not installed.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._hri = _hri_msgs()
        self._tracked = node.create_publisher(
            self._hri.IdsList, f"{TOPIC}/tracked", QoSProfile(depth=1), qos_overriding_options=qos.overrides()
        )
        self._transform = _transform_sender(node)
        self._people: dict[str, _Topics] = {}
        self._header = Header()

    def publish(self, header: Header, frame: ThermalFrame, faces: Sequence[Face]) -> None:
        """Publish the faces of one image, whose `header` all messages carry; an empty list where there is none."""
        self._header = header
        now = header.stamp.sec + 1e-9 * header.stamp.nanosec
        announced = []
        for face in faces:
            topics = self._people.setdefault(face.id, _Topics(self._node, self._hri, face.id))
            if topics.seen(now):
                announced.append(face)
        self._tracked.publish(self._hri.IdsList(header=header, ids=[face.id for face in announced]))
        for face in announced:
            self._people[face.id].publish(header, frame, face)
        poses = [(face.id, face.pose) for face in announced if face.pose is not None]
        if poses:
            self._transform([each for name, pose in poses for each in _transforms(header, name, pose)])
        self._forget(now)

    def clear(self) -> None:
        """Say that there is nobody, and take the topics of all faces away."""
        if self._node.context.ok():
            self._tracked.publish(self._hri.IdsList(header=self._header))
        for topics in self._people.values():
            topics.close()
        self._people.clear()

    def close(self) -> None:
        """Take all topics away."""
        self.clear()
        self._node.destroy_publisher(self._tracked)

    def _forget(self, now: float) -> None:
        for name, topics in list(self._people.items()):
            if not 0.0 <= now - topics.last_seen <= LINGER:  # a clock that went back ends it too
                topics.close()
                del self._people[name]


class _Topics:
    """The topics of one face, which exist from its fourth frame on."""

    def __init__(self, node: Node, hri: ModuleType, name: str) -> None:
        self._node, self._hri = node, hri
        self._namespace = f"{TOPIC}/{name}"
        self._frames = 0
        self._publishers: dict[str, Any] = {}
        self._points = [hri.NormalizedPointOfInterest2D() for _ in range(HRI_POINTS)]
        self.last_seen = 0.0

    def seen(self, now: float) -> bool:
        """Count a frame. Returns whether the face is announced."""
        self.last_seen = now
        self._frames += 1
        if self._frames >= FRAMES_BEFORE and not self._publishers:
            hri = self._hri
            types = {
                "roi": hri.NormalizedRegionOfInterest2D,
                "landmarks": hri.FacialLandmarks,
                "cropped": Image,
                "aligned": Image,
            }
            self._publishers = {name: self._create(kind, name) for name, kind in types.items()}
        return bool(self._publishers)

    def _create(self, kind: Any, name: str) -> Any:
        # Without event callbacks: the executor's thread must not wait on what the worker's thread takes away.
        silent = PublisherEventCallbacks(use_default_callbacks=False)
        return self._node.create_publisher(
            kind, f"{self._namespace}/{name}", QoSProfile(depth=1), event_callbacks=silent
        )

    def publish(self, header: Header, frame: ThermalFrame, face: Face) -> None:
        """Publish box and points, and the pictures that somebody looks at."""
        width, height = frame.image_size
        (left, top), (right, bottom) = _normalised(
            np.array([face.roi[:2], face.roi[:2] + face.roi[2:]]), frame.image_size
        )
        roi = self._hri.NormalizedRegionOfInterest2D(header=header, xmin=left, ymin=top, xmax=right, ymax=bottom)
        roi.c = float(face.score)
        self._publishers["roi"].publish(roi)
        landmarks = self._hri.FacialLandmarks(header=header, width=width, height=height)
        landmarks.landmarks = self._filled(face, frame.image_size)
        self._publishers["landmarks"].publish(landmarks)
        for name, picture in (("cropped", portrait.cropped), ("aligned", portrait.aligned)):
            if self._publishers[name].get_subscription_count() > 0:
                self._publishers[name].publish(image_from_picture(picture(frame, face), header))

    def _filled(self, face: Face, size: Size) -> list[Any]:
        inside = np.all((face.points >= -0.5) & (face.points <= np.array(size) - 0.5), axis=1)
        confidence = np.where(inside, face.confidence, 0.0).tolist()
        for point, (x, y), c in zip(self._points, _normalised(face.points, size), confidence, strict=False):
            point.x, point.y, point.c = x, y, c
        return self._points

    def close(self) -> None:
        """Take the topics away."""
        for publisher in self._publishers.values():
            self._node.destroy_publisher(publisher)
        self._publishers.clear()


def _normalised(points: Any, size: Size) -> list[list[float]]:
    """Pixels (N, 2), whose origin is the centre of the first pixel, as shares of the image in [0, 1]."""
    shares: list[list[float]] = np.clip((np.asarray(points, np.float64) + 0.5) / size, 0.0, 1.0).tolist()
    return shares


def _transforms(header: Header, name: str, pose: Pose) -> list[TransformStamped]:
    """`face_<id>` in the camera's optical frame, `gaze_<id>` in that."""
    face = TransformStamped(header=header, child_frame_id=f"face_{name}")
    shift, turn = face.transform.translation, face.transform.rotation
    shift.x, shift.y, shift.z = pose.position.tolist()
    turn.x, turn.y, turn.z, turn.w = pose.orientation.tolist()
    gaze = TransformStamped(
        header=Header(stamp=header.stamp, frame_id=face.child_frame_id), child_frame_id=f"gaze_{name}"
    )
    gaze.transform.rotation = GAZE
    return [face, gaze]


def _hri_msgs() -> ModuleType:
    try:
        import hri_msgs.msg
    except ImportError as error:
        raise HumansError(
            "humans: true needs the package hri_msgs, which is not installed: "
            "apt install ros-$ROS_DISTRO-hri-msgs (Humble, Jazzy), or build github.com/ros4hri/hri_msgs in the workspace"
        ) from error
    messages: ModuleType = hri_msgs.msg
    return messages


def _transform_sender(node: Node) -> Callable[[list[TransformStamped]], None]:
    """tf2_ros' broadcaster; where only tf2_msgs is installed, what it does; else nothing, with a warning."""
    try:
        from tf2_ros import TransformBroadcaster
    except ImportError:
        pass
    else:
        send: Callable[[list[TransformStamped]], None] = TransformBroadcaster(node).sendTransform
        return send
    try:
        from tf2_msgs.msg import TFMessage
    except ImportError:
        node.get_logger().warning(
            "humans: the frames face_<id> and gaze_<id> are not published, because neither tf2_ros nor tf2_msgs is installed"
        )
        return lambda transforms: None
    publisher = node.create_publisher(TFMessage, "/tf", QoSProfile(depth=100))
    return lambda transforms: publisher.publish(TFMessage(transforms=transforms))
