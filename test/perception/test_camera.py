# SPDX-License-Identifier: Apache-2.0
"""camera_info as sensor_msgs and REP-104 define it: models, binning, regions of interest."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermal_fld_ros.perception.camera import Camera, camera_of_info
from thermal_fld_ros.perception.pose import HEAD_POINTS, estimate_pose

K = np.array([[400.0, 0, 320], [0, 410, 250], [0, 0, 1]])
FISHEYE = np.array([-0.05, 0.01, -0.002, 0.0003])


def info(**changes: Any) -> SimpleNamespace:
    """The fields of a camera_info of 640 x 512 px."""
    roi = SimpleNamespace(**{"x_offset": 0, "y_offset": 0, "width": 0, "height": 0, **changes.pop("roi", {})})
    fields = {"width": 640, "height": 512, "k": K.reshape(-1), "d": [], "distortion_model": "plumb_bob"}
    return SimpleNamespace(**{**fields, "binning_x": 0, "binning_y": 0, **changes}, roi=roi)


@pytest.mark.parametrize("name", ["equidistant", "fisheye"])
def test_a_fisheye_lens_is_that_of_opencv(name: str) -> None:
    camera = camera_of_info(info(distortion_model=name, d=FISHEYE))
    rays = np.random.default_rng(0).uniform(-1.5, 1.5, (50, 2))  # up to 65 degrees off the axis
    expected = cv2.fisheye.distortPoints(rays[:, None], K, FISHEYE)[:, 0]
    pixels = camera.project(np.column_stack([rays, np.ones(50)]))
    np.testing.assert_allclose(pixels, expected, atol=1e-6)
    np.testing.assert_allclose(camera.rays(pixels), rays, atol=1e-4)


@given(
    st.sampled_from([("plumb_bob", [-0.2, 0.05, 0.001, 0.001, 0.0]), ("equidistant", FISHEYE), ("", [])]),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.tuples(st.integers(0, 200), st.integers(0, 150)),
)
def test_a_part_of_the_sensor_sees_what_the_sensor_sees_there(
    lens: tuple[str, Any], binning: tuple[int, int], offset: tuple[int, int]
) -> None:
    whole = camera_of_info(info(distortion_model=lens[0], d=lens[1]))
    roi = {"x_offset": offset[0], "y_offset": offset[1], "width": 400, "height": 320}
    part = camera_of_info(
        info(distortion_model=lens[0], d=lens[1], binning_x=binning[0], binning_y=binning[1], roi=roi)
    )
    assert part.size == (400 // binning[0], 320 // binning[1])
    corner, last = np.array([-0.5, -0.5]), np.array(part.size) - 0.5  # edges of the image, in its pixels
    for edge in (corner, last):
        on_sensor = (edge + 0.5) * binning + offset - 0.5
        np.testing.assert_allclose(part.rays(edge), whole.rays(on_sensor), atol=1e-6)


def test_a_region_outside_of_the_sensor_is_refused() -> None:
    with pytest.raises(ValueError, match="does not lie in 640 x 512 px"):
        camera_of_info(info(roi={"x_offset": 500, "y_offset": 0, "width": 320, "height": 256}))


def test_without_distortion_the_name_of_the_model_is_of_no_matter() -> None:
    camera = camera_of_info(info(distortion_model="pinhole", d=[0.0] * 5))
    assert (camera.model, len(camera.distortion)) == ("plumb_bob", 0)
    with pytest.raises(ValueError, match='"pinhole" is not one of'):
        camera_of_info(info(distortion_model="pinhole", d=[0.1] * 5))


def test_a_head_is_where_it_is_before_a_fisheye_lens_too() -> None:
    camera = Camera(K, FISHEYE, (640, 512), "equidistant")
    turn = np.array([[0.0, -1, 0], [0, 0, -1], [-1, 0, 0]])  # the head looks into the camera
    turn = cv2.Rodrigues(np.array([0.1, 0.25, 0.05]))[0] @ turn
    shift = np.array([0.5, -0.2, 0.7])  # 36 degrees off the axis
    pose = estimate_pose(camera.project(HEAD_POINTS @ turn.T + shift), np.ones(68), camera)
    assert pose is not None
    np.testing.assert_allclose(pose.position, shift, rtol=0.04)
    pinhole = estimate_pose(camera.project(HEAD_POINTS @ turn.T + shift), np.ones(68), Camera(K, np.empty(0)))
    assert pinhole is None or np.linalg.norm(pinhole.position - shift) > 0.05
