# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from thermal_fld_ros.perception.camera import Camera
from thermal_fld_ros.perception.pose import HEAD_POINTS
from thermal_fld_ros.registration.camera import read_camera
from thermal_fld_ros.registration.registration import (
    CameraPair,
    Homography,
    Registration,
    read_registration,
    write_registration,
)

THERMAL, RGB = (320, 256), (1280, 720)
DISTORTIONS = {
    "plumb_bob": (-0.25, 0.08, 1e-3, -5e-4, 0.0),
    "rational_polynomial": (0.3, -0.1, 1e-3, 1e-3, 0.02, 0.55, -0.05, 0.01),
    "equidistant": (0.02, -0.01, 0.004, -0.001),
}


def camera(size: tuple[int, int], model: str, share: float, focal: float = 1.0) -> Camera:
    """A camera with a share of its model's distortion."""
    matrix = np.array(
        [[focal * size[0], 0, size[0] / 2 - 0.3], [0, focal * size[0], size[1] / 2 + 0.7], [0, 0, 1]], float
    )
    return Camera(matrix, share * np.array(DISTORTIONS[model]), size, model)


unit = st.floats(-1.0, 1.0)
cameras = st.tuples(st.sampled_from(sorted(DISTORTIONS)), st.floats(0.0, 1.0), st.floats(0.8, 2.0))


@st.composite
def camera_pairs(draw: Any) -> CameraPair:
    thermal, rgb = (camera(size, *draw(cameras)) for size in (THERMAL, RGB))
    turn = 0.1 * np.array([draw(unit) for _ in range(3)])
    shift = np.array([0.1, 0.1, 0.03]) * [draw(unit) for _ in range(3)]
    return CameraPair(thermal, rgb, np.asarray(cv2.Rodrigues(turn)[0], np.float64), shift, draw(st.floats(0.4, 5.0)))


@st.composite
def homographies(draw: Any) -> Homography:
    near = np.eye(3) + np.array([[0.2, 0.2, 30], [0.2, 0.2, 30], [2e-4, 2e-4, 0]]) * [
        [draw(unit) for _ in range(3)] for _ in range(3)
    ]
    return Homography(np.diag([3.5, 2.9, 1.0]) @ near)


registrations = st.one_of(camera_pairs(), homographies())


def grid(width: float, height: float, count: int = 7) -> NDArray[np.float64]:
    x, y = np.meshgrid(np.linspace(0, width - 1, count), np.linspace(0, height - 1, count))
    return np.stack([x, y], axis=-1)


@given(registrations, st.one_of(st.none(), st.floats(0.3, 10.0)))
def test_there_and_back(registration: Registration, distance: float | None) -> None:
    points = grid(*THERMAL)
    there = registration.to_rgb(points, distance)
    assert there.shape == points.shape and np.isfinite(there[2:-2, 2:-2]).all()
    seen = np.isfinite(there).all(axis=-1)
    assert np.allclose(registration.to_thermal(there, distance)[seen], points[seen], atol=0.02)
    assert np.isnan(registration.to_thermal(there, distance)[~seen]).all()


@given(registrations, st.tuples(st.floats(60, 200), st.floats(60, 150), st.floats(1, 40), st.floats(1, 40)))
def test_the_affine_map_is_the_map_about_a_box(registration: Registration, box: tuple[float, ...]) -> None:
    x, y, width, height = box
    inside = np.array([x, y]) + grid(width + 1, height + 1, 5) * (1, 1)
    exact = registration.to_rgb(inside)
    error = np.linalg.norm(registration.affine_at(box)(inside) - exact, axis=-1).max()
    assert error < 0.04 * np.linalg.norm(exact[-1, -1] - exact[0, 0]) + 1e-6
    tiny = (x, y, 0.01, 0.01)
    assert np.allclose(registration.affine_at(tiny)((x, y)), registration.to_rgb((x, y)), atol=1e-3)


def test_an_affine_homography_is_its_own_linearisation() -> None:
    matrix = np.array([[3.0, 0.2, 11.0], [-0.1, 2.8, -7.0], [0, 0, 1]])
    assert np.allclose(Homography(matrix).affine_at((10, 20, 60, 70)).matrix, matrix[:2])


@given(camera_pairs(), st.floats(0.4, 5.0))
def test_points_in_space_are_met(pair: CameraPair, distance: float) -> None:
    """A point in space is seen at two pixels, and the registration leads from one to the other."""
    space = np.array([(x, y, 1.0) for x in (-0.1, 0.0, 0.2) for y in (-0.15, 0.1)]) * distance
    there = pair.rgb.project(space @ pair.rotation.T + pair.translation)
    assert np.allclose(pair.to_rgb(pair.thermal.project(space), distance), there, atol=1e-3, equal_nan=True)


@given(cameras)
def test_projection_is_that_of_opencv(parameters: tuple[str, float, float]) -> None:
    model = camera(RGB, *parameters)
    points = np.array([(0.1, -0.2, 1.5), (0.0, 0.0, 1.0), (-0.3, 0.2, 2.0)])
    zero = np.zeros(3)
    if model.model == "equidistant":
        expected = cv2.fisheye.projectPoints(points[:, None], zero, zero, model.matrix, model.distortion)[0]
    else:
        expected = cv2.projectPoints(points, zero, zero, model.matrix, model.distortion)[0]
    assert np.allclose(model.project(points), expected.reshape(-1, 2))


def test_what_cannot_be_seen_is_not_a_number() -> None:
    model = camera(RGB, "plumb_bob", 1.0)
    assert np.isnan(model.project((0.0, 0.0, -1.0))).all(), "behind"
    barrel = Camera(model.matrix, np.array([-0.3, 0, 0, 0]), RGB)
    assert np.isnan(barrel.project((1.5, 0.0, 1.0))).all(), "the polynomial folds back into the image"
    assert np.isnan(model.rays((np.nan, 4.0))).all()
    turned = CameraPair(model, model, np.diag([-1.0, 1.0, -1.0]), np.zeros(3), 1.0)
    assert np.isnan(turned.to_rgb((600.0, 300.0))).all() and np.isnan(turned.to_thermal((600.0, 300.0))).all()
    with pytest.raises(ValueError, match="cannot see"):
        turned.affine_at((600, 300, 50, 50))
    assert np.isnan(Homography(np.array([[1, 0, 0], [0, 1, 0], [-0.01, 0, 1.0]])).to_rgb((200.0, 0.0))).all()
    assert Homography(np.eye(3)).to_rgb(np.empty((0, 2))).shape == model.rays(np.empty((0, 2))).shape == (0, 2)


@given(camera_pairs(), st.floats(0.5, 3.0))
def test_the_distance_of_a_face(pair: CameraPair, distance: float) -> None:
    # the head's frame (x forward, y left, z up) before the camera, looking at it
    space = HEAD_POINTS @ np.array([[0, 0, -1.0], [1, 0, 0], [0, -1, 0]]) + (0.0, 0.0, distance)
    found = pair.distance_of(pair.thermal.project(space), np.ones(68))
    assert found == pytest.approx(distance, rel=0.04)
    assert Homography(np.eye(3)).distance_of(pair.thermal.project(space), np.ones(68)) is None


def test_distances_are_positive() -> None:
    model = camera(RGB, "plumb_bob", 0.0)
    for distance in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="above 0"):
            CameraPair(model, model, np.eye(3), np.zeros(3), distance)
        with pytest.raises(ValueError, match="above 0"):
            CameraPair(model, model, np.eye(3), np.zeros(3), 1.0).to_rgb((1.0, 1.0), distance)


@given(registrations)
def test_file_round_trip(tmp_path_factory: Any, registration: Registration) -> None:
    path = tmp_path_factory.mktemp("file") / "registration.json"
    write_registration(registration, path, made_by="a test", residual={"median": 1.5})
    points = grid(*THERMAL)
    assert np.array_equal(read_registration(path).to_rgb(points), registration.to_rgb(points), equal_nan=True)
    assert json.loads(path.read_text())["about"]["residual"] == {"median": 1.5}


CAMERA = '{"matrix": [[100, 0, 50], [0, 100, 40], [0, 0, 1]], "size": [100, 80]}'
WHOLE = (
    f'{{"thermal": {CAMERA}, "rgb": {CAMERA}, "rotation": [[1,0,0],[0,1,0],[0,0,1]], '
    '"translation": [0.1,0,0], "distance": 1.0}'
)


def test_fields_that_may_be_missing(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(WHOLE)
    assert np.allclose(read_registration(tmp_path / "r.json").to_rgb((10.0, 20.0)), (20.0, 20.0))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("no json", "Expecting value"),
        ("{}", 'expected an object with "homography"'),
        ("[]", 'expected an object with "homography"'),
        ('{"homography": [[1, 0], [0, 1]]}', "3 x 3"),
        ('{"homography": [[1, 0, 0], [0, 1], [0, 0, 1]]}', "inhomogeneous"),
        ('{"homography": [[1, 0, 0], [0, 1, 0], [0, 0, NaN]]}', "finite"),
        ('{"homography": [[1, 0, 0], [1, 0, 0], [0, 0, 1]]}', "no inverse"),
        ('{"homography": "a"}', "float"),
        (WHOLE.replace('"rgb"', '"blue"'), "lack 'rgb'"),
        (WHOLE.replace('"size"', '"siz"', 1), "\"thermal\": a camera lacks 'size'"),
        (WHOLE.replace("[[100, 0, 50]", "[[0, 0, 0]"), "focal lengths above 0"),
        (WHOLE.replace('"size"', '"model": "pinhole", "size"', 1), '"pinhole" is not one of plumb_bob'),
        (WHOLE.replace('"size"', '"distortion": [1, 2], "size"', 1), "plumb_bob has 0 or 4 or 5"),
        (WHOLE.replace("[100, 80]", "[100]", 1), "unpack"),
        (WHOLE.replace("[100, 80]", "[100, 0]", 1), "width and height"),
        (WHOLE.replace("[[1,0,0]", "[[2,0,0]"), "rotation matrix"),
        (WHOLE.replace("[[1,0,0]", "[[-1,0,0]"), "rotation matrix"),
        (WHOLE.replace("[0.1,0,0]", "[0.1,0]"), "x, y, z in metres"),
        (WHOLE.replace("1.0}", "-1.0}"), "above 0"),
        (WHOLE.replace("1.0}", "null}"), "not 'NoneType'"),
    ],
)
def test_malformed_files_are_named(tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"r\.json: ") as caught:
        read_registration(path)
    assert complaint in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"r\.json"):
        read_registration(tmp_path / "r.json")


CALIBRATION = """\
image_width: 160
image_height: 120
camera_name: lepton
camera_matrix:
  rows: 3
  cols: 3
  data: [150.5, 0., 79.25, 0., 151., 60.5, 0., 0., 1.]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: [-0.3, 0.1, 0.001, -0.002, 0.]
rectification_matrix:
  rows: 3
  cols: 3
  data: [1., 0., 0., 0., 1., 0., 0., 0., 1.]
projection_matrix:
  rows: 3
  cols: 4
  data: [140., 0., 79., 0., 0., 141., 60., 0., 0., 0., 1., 0.]
"""


def test_calibration_files_of_ros(tmp_path: Path) -> None:
    path = tmp_path / "lepton.yaml"
    path.write_text(CALIBRATION)
    found = read_camera(path)
    assert (found.size, found.model) == ((160, 120), "plumb_bob")
    assert found.matrix.tolist() == [[150.5, 0, 79.25], [0, 151, 60.5], [0, 0, 1]]
    assert found.distortion.tolist() == [-0.3, 0.1, 0.001, -0.002, 0]
    (tmp_path / "own.json").write_text(CAMERA)
    assert read_camera(tmp_path / "own.json").size == (100, 80)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (CALIBRATION.replace("image_width", "width"), "lacks 'image_width'"),
        (CALIBRATION.replace("data: [150.5, 0.,", "data: [150.5,"), "reshape"),
        (CALIBRATION.replace("plumb_bob", "thin_prism"), "thin_prism"),
        ("camera_matrix: [", "not YAML"),
        ("just text", "found str"),
    ],
)
def test_malformed_calibrations_are_named(tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "lepton.yaml"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"lepton\.yaml: ") as caught:
        read_camera(path)
    assert complaint in str(caught.value)
