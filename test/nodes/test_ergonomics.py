# SPDX-License-Identifier: Apache-2.0
"""From landmarks to posture and states, over DDS: heads that are projected in known poses, and what the node says of them."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rclpy.time
from geometry_msgs.msg import TransformStamped
from lifecycle_msgs.msg import Transition
from node_rig import NodeRig
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from std_msgs.msg import Header

from thermal_fld_ros.msg import FaceErgonomics, FaceErgonomicsArray, FaceLandmarks, FaceLandmarksArray
from thermal_fld_ros.nodes.ergonomics import ErgonomicsNode
from thermal_fld_ros.nodes.gravity import mounted_up
from thermal_fld_ros.nodes.messages import field_from_array
from thermal_fld_ros.perception.pose import HEAD_POINTS
from thermal_fld_ros.srv import CalibratePosture

ROOT = Path(__file__).parents[2]
RATE = 10.0
# A head that looks into the camera: its x is the camera's -z, its y the camera's x, its z the camera's -y.
FACING = np.array([[0.0, 1, 0], [0, 0, -1], [-1, 0, 0]])


def about(axis: int, degrees: float) -> np.ndarray:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turn = np.eye(3)
    first, second = [(1, 2), (2, 0), (0, 1)][axis]
    turn[first, first] = turn[second, second] = c
    turn[first, second], turn[second, first] = -s, s
    return turn


def posture(flexion: float = 0.0, bend: float = 0.0, twist: float = 0.0) -> np.ndarray:
    return about(2, twist) @ about(1, flexion) @ about(0, bend)


def quaternion(rotation: np.ndarray) -> list[float]:
    values, vectors = np.linalg.eigh(_davenport(rotation))
    return vectors[:, np.argmax(values)].tolist()


def _davenport(m: np.ndarray) -> np.ndarray:
    """The matrix whose largest eigenvector is the quaternion x, y, z, w of a rotation."""
    k = np.zeros((4, 4))
    k[:3, :3] = m + m.T - np.trace(m) * np.eye(3)
    k[:3, 3] = k[3, :3] = [m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]]
    k[3, 3] = np.trace(m)
    return k


class ErgonomicsRig(NodeRig):
    """The node, and a tester in place of the detector."""

    def __init__(self) -> None:
        super().__init__("thermal_fld_ergonomics", {"calibration_seconds": 0.5})
        self.results: list[FaceErgonomicsArray] = []
        self.frame = 0
        self.landmarks = self.node.create_publisher(FaceLandmarksArray, "face_landmarks", QoSProfile(depth=100))
        self.node.create_subscription(FaceErgonomicsArray, "face_ergonomics", self.results.append, 1000)

    def start(self, **parameters: Any) -> ErgonomicsNode:
        node = self.start_node(ErgonomicsNode, (), parameters)
        self.wait_for(lambda: self.landmarks.get_subscription_count() == 1, "the node's subscription")
        self.wait_for(lambda: self.node.count_publishers("face_ergonomics") == 1, "the node's publisher")
        return node

    def header(self) -> Header:
        self.frame += 1
        stamp = rclpy.time.Time(nanoseconds=round(1e12 + self.frame * 1e9 / RATE))
        return Header(stamp=stamp.to_msg(), frame_id="thermal_optical")

    def send(self, *faces: FaceLandmarks) -> list[FaceErgonomics]:
        """Publish the faces of an image; what is known of them."""
        header = self.header()
        for face in faces:
            face.header = header
        self.landmarks.publish(FaceLandmarksArray(header=header, faces=list(faces)))
        found = self.wait_for(
            lambda: next((result for result in self.results if result.header == header), None), "the result of an image"
        )
        return list(found.faces)


def face(
    name: str = "a", head: np.ndarray | None = None, position=(0.0, 0.0, 1.0), confidence: float = 0.9, **more: Any
):
    rotation = FACING @ (np.eye(3) if head is None else head)
    seen = HEAD_POINTS @ rotation.T + position
    points = seen[:, :2] / seen[:, 2:] * 500 + (160, 120)
    message = FaceLandmarks(id=name, scheme="ibug68", score=0.9, pose_valid=True, pose_error=0.02)
    for eye_gap in (more.pop("eye_gap", None),):
        if eye_gap is not None:
            for up, down in ((37, 41), (38, 40), (43, 47), (44, 46)):
                middle, half = (points[up] + points[down]) / 2, (points[down] - points[up]) / 2
                points[up], points[down] = middle - eye_gap * half, middle + eye_gap * half
    for mouth_gap in (more.pop("mouth_gap", None),):
        if mouth_gap is not None:
            points[[65, 66, 67], 1] += mouth_gap * np.linalg.norm(points[27] - points[33])
    message.points = field_from_array(points)
    message.confidence = field_from_array(np.full(68, confidence))
    message.pose.position.x, message.pose.position.y, message.pose.position.z = map(float, position)
    turn = message.pose.orientation
    turn.x, turn.y, turn.z, turn.w = quaternion(rotation)
    for key, value in more.items():
        setattr(message, key, value)
    return message


@pytest.fixture
def ergonomics(ros: None) -> Iterator[ErgonomicsRig]:
    rig = ErgonomicsRig()
    yield rig
    rig.close()


def test_angles_are_against_the_first_seconds_and_then_against_the_service(ergonomics: ErgonomicsRig) -> None:
    ergonomics.start()
    bowed = posture(flexion=10.0)
    first = ergonomics.send(face(head=bowed))[0]
    assert first.reference == FaceErgonomics.UNKNOWN and first.neck_confidence == 0.0
    assert math.isnan(first.neck_flexion) and first.rula_neck_score == 0 and first.iso_11226 == 0
    for _ in range(8):
        known = ergonomics.send(face(head=bowed))[0]
    assert known.reference == FaceErgonomics.REFERENCE_FIRST_SECONDS and known.neck_confidence > 0.5
    assert known.neck_flexion == pytest.approx(0.0, abs=0.01)
    assert (known.iso_11226, known.rula_neck_score) == (FaceErgonomics.ISO_ACCEPTABLE, 1)
    known = ergonomics.send(face(head=bowed @ posture(flexion=35.0)))[0]
    assert known.neck_flexion == pytest.approx(35.0, abs=0.01)
    assert (known.iso_11226, known.rula_neck_score) == (FaceErgonomics.ISO_TIME_LIMITED, 3)
    assert known.acceptable_time == pytest.approx(480 - 70)

    for _ in range(12):
        ergonomics.send(face(head=posture()), face("b", head=posture(twist=30.0), position=(0.5, 0.0, 1.5)))
    assert ergonomics.call(CalibratePosture, "calibrate", CalibratePosture.Request()).success
    known, other = ergonomics.send(
        face(head=posture(bend=20.0)), face("b", head=posture(twist=30.0), position=(0.5, 0.0, 1.5))
    )
    assert known.reference == other.reference == FaceErgonomics.REFERENCE_SERVICE
    assert known.neck_lateral_bend == pytest.approx(20.0, abs=0.01)
    assert known.iso_11226 == FaceErgonomics.ISO_NOT_RECOMMENDED
    assert other.neck_twist == pytest.approx(0.0, abs=0.01)
    answer = ergonomics.call(CalibratePosture, "calibrate", CalibratePosture.Request(id="nobody"))
    assert not answer.success and "there is no face with the id nobody" in answer.message


def test_the_vertical_of_a_mounted_camera_replaces_the_reference(ergonomics: ErgonomicsRig) -> None:
    """A camera that looks up by 25 degrees at somebody who bows by 25 sees a face from the front."""
    ergonomics.start(gravity="mounting", camera_pitch=25.0)
    for _ in range(8):
        known = ergonomics.send(face(head=posture()))[0]
    assert known.gravity_known and known.neck_flexion == pytest.approx(25.0, abs=0.01)
    assert ergonomics.set_parameters(camera_pitch=0.0, camera_roll=10.0).successful
    known = ergonomics.send(face(head=posture()))[0]
    assert known.neck_flexion == pytest.approx(0.0, abs=0.01)
    assert abs(known.neck_lateral_bend) == pytest.approx(10.0, abs=0.01)
    np.testing.assert_allclose(mounted_up(0.0, 0.0), (0, -1, 0))


def test_the_vertical_comes_from_tf(ergonomics: ErgonomicsRig) -> None:
    """The IMU's level frame: its x axis lies below the line of sight of a camera that looks up by 25 degrees."""
    tf2_ros = pytest.importorskip("tf2_ros", reason="tf2_ros is not installed")
    ergonomics.start(gravity="tf", gravity_frame="imu_odom")
    unknown = [ergonomics.send(face(head=posture()))[0] for _ in range(8)][-1]
    assert not unknown.gravity_known and unknown.neck_flexion == pytest.approx(0.0, abs=0.01)
    transform = TransformStamped(header=Header(frame_id="imu_odom"), child_frame_id="thermal_optical")
    c, s = math.cos(math.radians(25.0)), math.sin(math.radians(25.0))
    turn = transform.transform.rotation
    turn.x, turn.y, turn.z, turn.w = quaternion(np.array([[0.0, s, c], [-1, 0, 0], [0, -c, s]]))
    broadcaster = tf2_ros.StaticTransformBroadcaster(ergonomics.node)
    broadcaster.sendTransform(transform)
    known = ergonomics.wait_for(
        lambda: next((one for one in ergonomics.send(face(head=posture())) if one.gravity_known), None), "the vertical"
    )
    assert known.neck_flexion == pytest.approx(25.0, abs=0.01)


def test_eyes_mouth_and_attention_follow_the_points(ergonomics: ErgonomicsRig) -> None:
    ergonomics.start(perclos_window=10.0)
    for k in range(40):
        blinking = k % 20 in (10, 11)
        known = ergonomics.send(face(eye_gap=0.2 if blinking else 1.0, mouth_gap=0.7 if k >= 20 else 0.0))[0]
        if k == 10:
            assert known.eyes_closed and known.left_eye_opening < 0.2
    assert known.blinks == 2 and known.right_eye_opening > 0.8 and known.eye_confidence == pytest.approx(0.9)
    assert known.perclos == pytest.approx(0.1, abs=0.03)
    assert known.yawning and known.yawns == 1 and known.mouth_opening > 0.6
    assert known.present_time == pytest.approx(3.9, abs=0.01)
    assert known.static_time == pytest.approx(3.9, abs=0.01)
    assert known.attentive and known.attention_angle == pytest.approx(0.0, abs=0.5) and known.attention_share == 1.0
    away = ergonomics.send(face(head=posture(twist=60.0)))[0]
    assert not away.attentive and away.attention_angle == pytest.approx(60.0, abs=0.5)
    assert math.isnan(away.right_eye_opening) and away.eye_confidence == 0.0, "too far from the side"
    unsure = ergonomics.send(face(confidence=0.2))[0]
    assert math.isnan(unsure.mouth_opening) and unsure.mouth_confidence == 0.0


def test_without_a_pose_all_that_needs_one_is_unknown(ergonomics: ErgonomicsRig) -> None:
    ergonomics.start()
    known = ergonomics.send(face(pose_valid=False))[0]
    assert math.isnan(known.neck_flexion) and math.isnan(known.attention_angle) and known.attention_confidence == 0.0
    assert not known.attentive and math.isfinite(known.mouth_opening)
    answer = ergonomics.call(CalibratePosture, "calibrate", CalibratePosture.Request())
    assert not answer.success and "no head pose is known" in answer.message


def test_breathing_comes_from_the_nostrils_where_it_is_asked_for(ergonomics: ErgonomicsRig) -> None:
    ergonomics.start(vital_signs=True)
    names = ["forehead", "nose", "nostrils", "left_cheek", "right_cheek"]
    for k in range(200):
        nostrils = 33.0 + 0.4 * math.sin(2 * math.pi * 0.25 * k / RATE)
        celsius = [34.5, 31.5, nostrils, 34.0, 34.0]
        known = ergonomics.send(face(temperature_names=names, temperatures=field_from_array(celsius)))[0]
    assert known.breathing_rate == pytest.approx(15.0, abs=1.0) and known.breathing_quality > 0.5
    assert known.nose_forehead_difference == pytest.approx(-3.0, abs=0.01)
    assert ergonomics.set_parameters(vital_signs=False).successful
    known = ergonomics.send(face(temperature_names=names, temperatures=field_from_array(celsius)))[0]
    assert math.isnan(known.nose_forehead_difference)


def test_people_are_forgotten_and_time_that_goes_back_forgets_all(ergonomics: ErgonomicsRig) -> None:
    ergonomics.start(forget=1.0)
    ergonomics.send(face())
    for _ in range(15):
        assert ergonomics.send() == []
    assert ergonomics.send(face())[0].present_time == 0.0
    assert ergonomics.send(face())[0].present_time == pytest.approx(0.1)
    ergonomics.frame = -100
    assert ergonomics.send(face())[0].present_time == 0.0
    ergonomics.wait_for_log("time went back")


def test_the_lifecycle_and_what_is_missing_is_said(ergonomics: ErgonomicsRig) -> None:
    ergonomics.start(no_message_timeout=0.5)
    ergonomics.wait_for_status(lambda status, values: "face_landmarks" in status.message)
    assert ergonomics.send(face())
    assert ergonomics.change_state(Transition.TRANSITION_DEACTIVATE)
    assert ergonomics.change_state(Transition.TRANSITION_CLEANUP)
    assert ergonomics.state() == "unconfigured"
    assert ergonomics.node.count_publishers(f"{ergonomics.namespace}/face_ergonomics") == 0
    assert ergonomics.change_state(Transition.TRANSITION_CONFIGURE)
    assert ergonomics.change_state(Transition.TRANSITION_ACTIVATE)
    ergonomics.wait_for(lambda: ergonomics.landmarks.get_subscription_count() == 1, "the subscription")
    assert ergonomics.send(face())[0].present_time == 0.0


def test_an_unknown_point_scheme_is_named(ergonomics: ErgonomicsRig) -> None:
    ergonomics.start()
    assert ergonomics.send(face(scheme="wflw98")) == []
    ergonomics.wait_for_log('"wflw98" and not "ibug68"')


def test_the_consumer_of_the_documentation_works(ergonomics: ErgonomicsRig, capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "docs/ergonomics.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, flags=re.S)
    assert len(code.splitlines()) <= 35
    namespace: dict[str, Any] = {"__name__": "consumer"}
    exec(compile(code, "docs/ergonomics.md", "exec"), namespace)
    ergonomics.start()
    consumer = namespace["NeckWatch"](namespace=ergonomics.namespace)
    executor = SingleThreadedExecutor()
    executor.add_node(consumer)
    thread = threading.Thread(target=executor.spin, daemon=True)
    thread.start()
    try:
        for _ in range(8):
            ergonomics.send(face())
        ergonomics.wait_for(lambda: consumer.count_publishers("face_ergonomics") == 1, "the consumer's discovery")

        def warned() -> bool:
            ergonomics.send(face(head=posture(flexion=40.0)))
            return "a: neck bent by 40 degrees" in capsys.readouterr().out

        ergonomics.wait_for(warned, "the consumer's warning")
    finally:
        executor.shutdown()
        thread.join()
        consumer.destroy_node()
