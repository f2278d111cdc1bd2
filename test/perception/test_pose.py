# SPDX-License-Identifier: Apache-2.0
import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermal_fld_ros.perception.camera import Camera
from thermal_fld_ros.perception.pose import HEAD_POINTS, estimate_pose

CAMERA = Camera(np.array([[500.0, 0, 320], [0, 500, 256], [0, 0, 1]]), np.zeros(5))
TRUSTED = np.ones(68, np.float32)
# A head that looks into the camera: its x is the camera's -z, its y the camera's x, its z the camera's -y.
FACING = np.array([[0.0, 1, 0], [0, 0, -1], [-1, 0, 0]])


def turned(yaw: float, pitch: float, roll: float) -> np.ndarray:
    def turn(angle: float, first: int, second: int) -> np.ndarray:
        matrix = np.eye(3)
        matrix[first, first] = matrix[second, second] = np.cos(angle)
        matrix[first, second], matrix[second, first] = -np.sin(angle), np.sin(angle)
        return matrix

    return FACING @ turn(yaw, 0, 1) @ turn(pitch, 0, 2) @ turn(roll, 1, 2)


def project(rotation: np.ndarray, position: np.ndarray) -> np.ndarray:
    in_camera = HEAD_POINTS @ rotation.T + position
    seen = in_camera @ CAMERA.matrix.T
    return seen[:, :2] / seen[:, 2:]


def angle_between(one: np.ndarray, other: np.ndarray) -> float:
    """Degrees between two rotations."""
    return math.degrees(math.acos(np.clip((np.trace(one.T @ other) - 1) / 2, -1.0, 1.0)))


# The jaw's points are those of a contour, not of places on the head.
WITHOUT_JAW = np.where(np.arange(68) < 17, 0.0, 1.0)


@given(
    st.floats(-1.0, 1.0),
    st.floats(-0.6, 0.6),
    st.floats(-3.0, 3.0),
    st.tuples(st.floats(-0.2, 0.2), st.floats(-0.2, 0.2), st.floats(0.4, 2.0)),
)
def test_the_pose_that_was_projected_is_found(yaw, pitch, roll, position) -> None:
    rotation, position = turned(yaw, pitch, roll), np.array(position)
    pose = estimate_pose(project(rotation, position), WITHOUT_JAW, CAMERA)
    assert pose is not None
    assert np.linalg.norm(pose.position - position) < 0.04 * np.linalg.norm(position)
    assert angle_between(pose.rotation, rotation) < 4.0
    assert np.linalg.norm(pose.orientation) == pytest.approx(1.0) and pose.orientation[3] >= 0.0
    assert pose.error < 0.03 and not pose.approximate


@given(st.floats(-0.8, 0.8), st.floats(-0.5, 0.5), st.floats(-3.0, 3.0))
def test_a_fit_that_begins_with_the_frame_before_comes_to_the_same_pose(yaw, pitch, roll) -> None:
    points = project(turned(yaw, pitch, roll), np.array([0.1, 0.0, 0.9]))
    before = estimate_pose(points + 0.5, WITHOUT_JAW, CAMERA)
    for _ in range(3):
        before = estimate_pose(points, WITHOUT_JAW, CAMERA, before)
    fresh = estimate_pose(points, WITHOUT_JAW, CAMERA)
    assert before is not None and fresh is not None
    assert angle_between(before.rotation, fresh.rotation) < 0.5
    np.testing.assert_allclose(before.position, fresh.position, atol=5e-3)


def test_noise_never_flips_the_head() -> None:
    rng, pose = np.random.default_rng(3), None
    for frame in range(200):
        rotation = turned(0.5 * math.sin(0.05 * frame), 0.2 * math.sin(0.03 * frame), 0.1)
        points = project(rotation, np.array([0.0, 0.1, 1.5])) + rng.normal(0.0, 1.0, (68, 2))
        pose = estimate_pose(points, WITHOUT_JAW, CAMERA, pose)
        assert pose is not None
        assert angle_between(pose.rotation, rotation) < 15.0


def test_a_face_that_jumps_is_fitted_from_scratch() -> None:
    near = estimate_pose(project(turned(0.6, 0, 0), np.array([-0.3, 0, 0.6])), WITHOUT_JAW, CAMERA)
    rotation = turned(-0.6, 0.2, 2.8)
    far = estimate_pose(project(rotation, np.array([0.5, 0.2, 1.8])), WITHOUT_JAW, CAMERA, near)
    assert far is not None
    assert angle_between(far.rotation, rotation) < 4.0


def test_distortion_is_taken_out() -> None:
    distortion = np.array([-0.3, 0.1, 0.001, 0.0, 0.0])
    camera = Camera(CAMERA.matrix, distortion)
    rotation, position = turned(0.3, 0.1, 0.0), np.array([0.2, 0.1, 0.6])
    points = cv2.projectPoints(HEAD_POINTS, cv2.Rodrigues(rotation)[0], position, CAMERA.matrix, distortion)[0][:, 0]
    distorted, straight = (
        estimate_pose(seen, WITHOUT_JAW, used)
        for seen, used in ((points, camera), (project(rotation, position), CAMERA))
    )
    assert distorted is not None and straight is not None
    np.testing.assert_allclose(distorted.position, straight.position, atol=2e-3)
    assert angle_between(distorted.rotation, straight.rotation) < 0.5


@pytest.mark.parametrize("points", [np.zeros((68, 2)), np.random.default_rng(0).uniform(0, 300, (68, 2))])
def test_what_is_no_head_has_no_pose(points: np.ndarray) -> None:
    assert estimate_pose(points, TRUSTED, CAMERA) is None


def test_points_count_by_their_confidence() -> None:
    points = project(turned(0, 0, 0), np.array([0, 0, 1.0]))
    wrong = points.copy()
    wrong[36:42] += (0.0, -4.0)
    right_pose = estimate_pose(points, WITHOUT_JAW, CAMERA)
    assert right_pose is not None
    off = []
    for confidence in (1.0, 0.5, 0.0):
        trust = WITHOUT_JAW.copy()
        trust[36:42] = confidence
        pose = estimate_pose(wrong, trust, CAMERA)
        assert pose is not None
        off.append(angle_between(pose.rotation, right_pose.rotation))
    assert off[0] > off[1] > off[2] and off[2] < 1.0
    assert estimate_pose(points, np.zeros(68, np.float32), CAMERA) is None


def test_an_assumed_field_of_view_gives_about_the_same_angles_and_says_so() -> None:
    camera = Camera.from_field_of_view((640, 512), 50.0)
    assert camera.approximate
    assert math.degrees(2 * math.atan(320 / camera.matrix[0, 0])) == pytest.approx(50.0)
    rotation = turned(0.4, 0.1, 0.0)
    pose = estimate_pose(project(rotation, np.array([0.0, 0.0, 1.2])), WITHOUT_JAW, camera)
    assert pose is not None and pose.approximate
    assert angle_between(pose.rotation, rotation) < 8.0


def test_an_uncalibrated_camera_is_refused() -> None:
    with pytest.raises(ValueError, match="not calibrated"):
        Camera(np.zeros((3, 3)), np.zeros(5))
