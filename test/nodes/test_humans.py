# SPDX-License-Identifier: Apache-2.0
"""Faces under /humans/faces (REP-155), seen by a subscriber that does what libhri's listener does."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

import numpy as np
import pytest
from lifecycle_msgs.msg import Transition
from node_rig import FACE, Rig
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from thermal_fld_ros.nodes.humans import FRAMES_BEFORE, HumansError, HumansPublisher, unique_prefix
from thermal_fld_ros.nodes.messages import array_from_image, points_from_field
from thermal_fld_ros.perception.geometry import Affine

WIDTH, HEIGHT = 320, 240


class Listener:
    """Subscribes as libhri does: to /humans/faces/tracked, then to the topics of every face that is listed, with the default QoS."""

    def __init__(self, rig: Rig) -> None:
        import hri_msgs.msg
        import tf2_msgs.msg

        self._rig, self._hri = rig, hri_msgs.msg
        self.tracked: list[Any] = []
        self.received: dict[str, dict[str, list[Any]]] = {}
        self.transforms: list[Any] = []
        # SystemDefaultsQoS is DDS' default for a reader: best effort, volatile
        self._qos = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
        rig.node.create_subscription(self._hri.IdsList, "/humans/faces/tracked", self._on_tracked, self._qos)
        rig.node.create_subscription(
            tf2_msgs.msg.TFMessage, "/tf", lambda message: self.transforms.extend(message.transforms), 100
        )

    def _on_tracked(self, message: Any) -> None:
        self.tracked.append(message)
        types = {"roi": self._hri.NormalizedRegionOfInterest2D, "landmarks": self._hri.FacialLandmarks}
        types |= {"cropped": Image, "aligned": Image}
        for name in message.ids:
            if name not in self.received:
                topics: dict[str, list[Any]] = {topic: [] for topic in types}
                self.received[name] = topics
                for topic, kind in types.items():
                    self._rig.node.create_subscription(
                        kind, f"/humans/faces/{name}/{topic}", topics[topic].append, self._qos
                    )

    def of(self, header: Header) -> Any:
        """The list of the image with this header."""
        return next((message for message in self.tracked if message.header == header), None)


@pytest.fixture
def listener(rig: Rig, interfaces: None) -> Listener:
    return Listener(rig)


def calibrate(rig: Rig) -> None:
    publisher = rig.node.create_publisher(CameraInfo, "camera_info", 1)
    info = CameraInfo(width=WIDTH, height=HEIGHT, k=[300.0, 0.0, 160.0, 0.0, 300.0, 120.0, 0.0, 0.0, 1.0])

    def posed() -> bool:
        publisher.publish(info)
        face = rig.detect(rig.scene()).faces[0]
        return bool(face.pose_valid)

    rig.wait_for(posed, "a pose")


def test_a_face_is_announced_with_its_fourth_frame_and_every_image_has_a_list(rig: Rig, listener: Listener) -> None:
    rig.start_connected(humans=True)
    rig.wait_for(lambda: listener.tracked, "an empty list")
    lists = []
    for _ in range(FRAMES_BEFORE + 1):
        result = rig.detect(rig.scene())
        lists.append(rig.wait_for(lambda: listener.of(result.header), "the list of the image").ids)  # noqa: B023
    assert lists == [[]] * (FRAMES_BEFORE - 1) + [[result.faces[0].id]] * 2
    empty = rig.detect(rig.scene(face=None))
    assert rig.wait_for(lambda: listener.of(empty.header), "the list of an image without faces").ids == []


def test_box_points_and_pictures_are_those_of_the_face(rig: Rig, listener: Listener) -> None:
    rig.start_connected(humans=True, smoothing=False)
    topics = rig.send_until(rig.scene, lambda: next(iter(listener.received.values()), None), "a face")
    rig.send_until(rig.scene, lambda: all(topics.values()), "all topics of the face")
    result = rig.detect(rig.scene())
    face = result.faces[0]

    def of_image(topic: str) -> Any:
        return rig.wait_for(lambda: next((m for m in topics[topic] if m.header == result.header), None), topic)

    roi, landmarks = of_image("roi"), of_image("landmarks")
    points = points_from_field(face.points)
    expected = (np.array([*face.roi[:2], *(face.roi[:2] + face.roi[2:])]).reshape(2, 2) + 0.5) / (WIDTH, HEIGHT)
    np.testing.assert_allclose([[roi.xmin, roi.ymin], [roi.xmax, roi.ymax]], expected, atol=1e-6)
    assert roi.c == pytest.approx(face.score)
    assert (landmarks.width, landmarks.height, len(landmarks.landmarks)) == (WIDTH, HEIGHT, 70)
    shown = np.array([[point.x, point.y, point.c] for point in landmarks.landmarks])
    np.testing.assert_allclose(shown[:68, :2], (points + 0.5) / (WIDTH, HEIGHT), atol=1e-6)
    np.testing.assert_allclose(shown[:68, 2], face.confidence, atol=1e-6)
    assert not shown[68:].any(), "no pupils in a thermal image"
    menton = landmarks.landmarks[landmarks.MENTON]
    assert menton.y == shown[:68, 1].max()
    assert shown[landmarks.RIGHT_EYE_BOTTOM_1, 0] < shown[landmarks.RIGHT_EYE_BOTTOM_2, 0]
    for topic in ("cropped", "aligned"):
        picture = of_image(topic)
        pixels = array_from_image(picture)
        assert (picture.encoding, pixels.shape, pixels.dtype) == ("mono8", (128, 128), np.uint8)
        assert pixels[64, 64] > 150 > pixels[3, 3], "a warm face in the middle, its corner cool or empty"


def test_points_outside_of_the_image_are_clamped_and_not_trusted(rig: Rig, listener: Listener) -> None:
    rig.start_connected(humans=True, smoothing=False)
    at_the_border = lambda: rig.scene((20.0, 110.0, 60.0))  # noqa: E731
    topics = rig.send_until(at_the_border, lambda: next(iter(listener.received.values()), None), "a face")
    rig.send_until(at_the_border, lambda: topics["landmarks"] and topics["cropped"], "its points")
    points = topics["landmarks"][-1].landmarks
    outside = [point for point in points[:68] if point.x == 0.0]
    assert outside and all(point.c == 0.0 for point in outside)
    assert all(point.c > 0.0 for point in points[:68] if point.x > 0.0)
    cropped = array_from_image(topics["cropped"][-1])
    assert not cropped[:, :10].any(), "what is not in the image is zero"
    assert cropped[44:84, 44:84].mean() > 60, "what is in it is shown"


def test_frames_are_the_face_in_the_camera_and_the_gaze_in_the_face(rig: Rig, listener: Listener) -> None:
    rig.start_connected(humans=True)
    calibrate(rig)
    result = rig.detect(rig.scene())
    face = result.faces[0]

    def frame(name: str) -> Any:
        wanted = (name, result.header.stamp)
        return rig.wait_for(
            lambda: next((t for t in listener.transforms if (t.child_frame_id, t.header.stamp) == wanted), None), name
        )

    for _ in range(FRAMES_BEFORE):
        result = rig.detect(rig.scene())
        face = result.faces[0]
    head = frame(f"face_{face.id}")
    assert head.header.frame_id == result.header.frame_id
    shift, turn = head.transform.translation, head.transform.rotation
    assert (shift.x, shift.y, shift.z) == (face.pose.position.x, face.pose.position.y, face.pose.position.z)
    assert turn == face.pose.orientation
    gaze = frame(f"gaze_{face.id}")
    assert gaze.header.frame_id == head.child_frame_id
    turn = gaze.transform.rotation
    assert (turn.x, turn.y, turn.z, turn.w) == (-0.5, 0.5, -0.5, 0.5)


def test_topics_go_with_their_face_and_deactivation_leaves_an_empty_list(rig: Rig, listener: Listener) -> None:
    rig.start_connected(humans=True, keep_lost=0.2)
    rig.send_until(rig.scene, lambda: listener.received, "a face")
    (name,) = listener.received
    topic = f"/humans/faces/{name}/roi"
    assert rig.node.count_publishers(topic) == 1
    rig.send_until(lambda: rig.scene(face=None), lambda: rig.node.count_publishers(topic) == 0, "the end of the topics")
    rig.send_until(rig.scene, lambda: len(listener.received) == 2, "another face")
    assert listener.tracked[-1].ids, "somebody is there"
    known = len(listener.tracked)
    assert rig.change_state(Transition.TRANSITION_DEACTIVATE)
    rig.wait_for(lambda: len(listener.tracked) > known and not listener.tracked[-1].ids, "an empty list")


def test_a_face_of_a_camera_that_lies_on_its_side_is_aligned_upright(rig: Rig, listener: Listener) -> None:
    rig.start_connected(humans=True, rotate=90, smoothing=False)
    lying = lambda: np.ascontiguousarray(np.rot90(rig.scene()))  # noqa: E731
    topics = rig.send_until(lying, lambda: next(iter(listener.received.values()), None), "a face")
    rig.send_until(lying, lambda: topics["aligned"] and topics["roi"], "its picture")
    roi = topics["roi"][-1]
    centre = ((roi.xmin + roi.xmax) / 2 * HEIGHT - 0.5, (roi.ymin + roi.ymax) / 2 * WIDTH - 0.5)
    assert centre == pytest.approx(Affine.quarter_turns(90, (HEIGHT, WIDTH)).inverse()(FACE[:2]), abs=3.0)
    warm = array_from_image(topics["aligned"][-1]) > 128
    across, down = (np.ptp(np.flatnonzero(warm.any(axis=axis))) for axis in (0, 1))
    assert across > down, "brows to chin is less than ear to ear"


def test_ids_are_letters_and_digits_and_differ_between_detectors(rig: Rig) -> None:
    prefixes = {unique_prefix() for _ in range(200)}
    assert len(prefixes) > 190  # of 1.2 million: two may be equal in one run of sixty, ten never are
    assert all(prefix.isalnum() and prefix[0].isalpha() for prefix in prefixes)
    rig.start_connected()
    first = rig.detect(rig.scene()).faces[0].id
    for transition in (
        Transition.TRANSITION_DEACTIVATE,
        Transition.TRANSITION_CLEANUP,
        Transition.TRANSITION_CONFIGURE,
        Transition.TRANSITION_ACTIVATE,
    ):
        assert rig.change_state(transition)
    rig.connect()
    second = rig.detect(rig.scene()).faces[0].id
    assert first.isalnum() and first[0].isalpha() and first[:4] != second[:4]


@pytest.mark.skipif(importlib.util.find_spec("hri_msgs") is not None, reason="hri_msgs is installed")
def test_without_hri_msgs_the_node_says_what_to_install(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hri_msgs", None)
    monkeypatch.setitem(sys.modules, "hri_msgs.msg", None)
    with pytest.raises(HumansError, match="ros-\\$ROS_DISTRO-hri-msgs"):
        HumansPublisher(rig.node)
    rig.start(humans=True)
    assert "hri_msgs, which is not installed" in rig.wait_for_log("configure failed")
    assert rig.state() == "unconfigured"
