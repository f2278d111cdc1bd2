# SPDX-License-Identifier: Apache-2.0
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


def matrix_of(quaternion: np.ndarray) -> np.ndarray:
    x, y, z, w = quaternion
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


@given(
    st.floats(-1.0, 1.0),
    st.floats(-0.6, 0.6),
    st.floats(-3.0, 3.0),
    st.tuples(st.floats(-0.2, 0.2), st.floats(-0.2, 0.2), st.floats(0.4, 2.0)),
)
def test_the_pose_that_was_projected_is_found(yaw, pitch, roll, position) -> None:
    rotation, position = turned(yaw, pitch, roll), np.array(position)
    pose = estimate_pose(project(rotation, position), TRUSTED, CAMERA)
    assert pose is not None
    np.testing.assert_allclose(pose.position, position, atol=1e-3)
    np.testing.assert_allclose(matrix_of(pose.orientation), rotation, atol=1e-3)


def test_distortion_is_taken_out() -> None:

    distortion = np.array([-0.3, 0.1, 0.001, 0.0, 0.0])
    camera = Camera(CAMERA.matrix, distortion)
    rotation, position = turned(0.3, 0.1, 0.0), np.array([0.2, 0.1, 0.6])
    points = cv2.projectPoints(HEAD_POINTS, cv2.Rodrigues(rotation)[0], position, CAMERA.matrix, distortion)[0][:, 0]
    pose = estimate_pose(points, TRUSTED, camera)
    assert pose is not None
    np.testing.assert_allclose(pose.position, position, atol=2e-3)


@pytest.mark.parametrize("points", [np.zeros((68, 2)), np.random.default_rng(0).uniform(0, 300, (68, 2))])
def test_what_is_no_head_has_no_pose(points: np.ndarray) -> None:
    assert estimate_pose(points, TRUSTED, CAMERA) is None


def test_points_without_trust_are_left_out() -> None:
    points = project(turned(0, 0, 0), np.array([0, 0, 1.0]))
    trust = TRUSTED.copy()
    trust[36:42], points[36:42] = 0.0, 0.0
    pose = estimate_pose(points, trust, CAMERA)
    assert pose is not None
    assert pose.position[2] == pytest.approx(1.0, abs=1e-3)
    assert estimate_pose(points, np.zeros(68, np.float32), CAMERA) is None


def test_an_uncalibrated_camera_is_refused() -> None:
    with pytest.raises(ValueError, match="not calibrated"):
        Camera(np.zeros((3, 3)), np.zeros(5))
