# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from thermal_fld_ros.perception.camera import Camera
from thermal_fld_ros.perception.pose import HEAD_POINTS
from thermal_fld_ros.registration.estimation import (
    PLANE_MODELS,
    coverage,
    estimate_cameras,
    estimate_of,
    estimate_plane,
)
from thermal_fld_ros.registration.registration import CameraPair, Homography
from thermal_fld_ros.registration.views import RIGID, View, face_view, read_points

Array = NDArray[np.float64]
SIZE = (320, 256)
OUTWARDS = np.array([[0, 0, -1.0], [1, 0, 0], [0, -1, 0]])
"""Rows: x forward, y left, z up of a head that looks into the camera, in the optical frame."""

PAIR = CameraPair(
    Camera(np.array([[380.0, 0, 161], [0, 381, 127], [0, 0, 1]]), np.array([-0.3, 0.1, 1e-3, 0, 0]), SIZE),
    Camera(np.array([[1000.0, 0, 640], [0, 1002, 355], [0, 0, 1]]), np.array([0.05, -0.02, 0, 0]), (1280, 720)),
    np.asarray(cv2.Rodrigues(np.array([0.03, -0.05, 0.02]))[0], np.float64),
    np.array([0.07, -0.02, 0.01]),
    1.2,
)


def head(rng: np.random.Generator, distance: float, variation: float = 0.0) -> Array:
    """(68, 3) of a turned head somewhere in the picture; a share of its shape is its own."""
    turn = np.asarray(cv2.Rodrigues(rng.normal(0.0, 0.25, 3))[0], np.float64)
    shape = (1.0 + variation * rng.normal()) * HEAD_POINTS + variation * rng.normal(0.0, 0.02, (68, 3))
    place = np.array([rng.uniform(-0.25, 0.25), rng.uniform(-0.2, 0.2), 1.0]) * distance
    return shape @ OUTWARDS @ turn.T + place


def faces(
    count: int,
    near: float,
    far: float,
    *,
    seed: int = 0,
    noise: float = 0.0,
    variation: float = 0.0,
    rigid: bool = True,
) -> list[View]:
    """Views of heads with errors of the points as a share of the face."""
    rng = np.random.default_rng(seed)
    views = []
    for number in range(count):
        space = head(rng, rng.uniform(near, far), variation)
        thermal = PAIR.thermal.project(space)
        rgb = PAIR.rgb.project(space @ PAIR.rotation.T + PAIR.translation)
        thermal += rng.normal(0.0, noise * np.ptp(thermal, axis=0).mean(), (68, 2))
        rgb += rng.normal(0.0, noise * np.ptp(rgb, axis=0).mean(), (68, 2))
        views.append(face_view(f"{number}", thermal, rgb, np.ones(68), rigid))
    return views


def scattered(matrix: Array, rng: np.random.Generator, noise: float, outliers: float, views: int = 10) -> list[View]:
    """Views of 40 points each under a homography."""
    result = []
    for number in range(views):
        thermal = rng.uniform((60, 60), (260, 200)) + rng.uniform(-35, 35, (40, 2))
        rgb = Homography(matrix).to_rgb(thermal) + rng.normal(0.0, noise, (40, 2))
        wrong = rng.random(40) < outliers
        rgb[wrong] += rng.uniform(-200, 200, (int(wrong.sum()), 2))
        result.append(View(f"{number}", thermal, rgb, None, 12.0))
    return result


near_one = st.floats(-1.0, 1.0)


@settings(max_examples=20)
@given(st.tuples(*[near_one] * 8), st.integers(0, 1000), st.sampled_from([0.0, 0.1, 0.3]))
def test_a_homography_is_recovered_from_noise_and_outliers(values: Any, seed: int, outliers: float) -> None:
    change = np.array([*values, 0.0]).reshape(3, 3) * [[0.2, 0.2, 30], [0.2, 0.2, 30], [2e-4, 2e-4, 0]]
    matrix = np.diag([3.5, 3.0, 1.0]) @ (np.eye(3) + change)
    views = scattered(matrix, np.random.default_rng(seed), 1.0, outliers)
    estimate, _ = estimate_plane(views, SIZE, "homography")
    corners = np.array([(40.0, 40.0), (280, 40), (280, 216), (40, 216)])
    missed = np.linalg.norm(estimate.registration.to_rgb(corners) - Homography(matrix).to_rgb(corners), axis=1)
    assert missed.max() < 3.0
    figures = estimate.figures()
    assert figures["residual"]["median"] <= figures["held_out"]["median"] * 1.1 and figures["held_out"]["median"] < 3.0
    assert 1.0 - figures["inliers"] / 400 == pytest.approx(outliers, abs=0.1)


@pytest.mark.parametrize(
    ("name", "matrix"),
    [
        ("similarity", [[3.0, -0.3, 20], [0.3, 3.0, -8], [0, 0, 1]]),
        ("affine", [[3.0, 0.3, 20], [0.1, 2.5, -8], [0, 0, 1]]),
        ("homography", [[3.0, 0.3, 20], [0.1, 2.5, -8], [1e-3, -5e-4, 1]]),
    ],
)
def test_the_simplest_map_that_holds_for_other_views_is_taken(name: str, matrix: Any) -> None:
    views = scattered(np.array(matrix, float), np.random.default_rng(3), 1.5, 0.1)
    estimate, compared = estimate_plane(views, SIZE)
    assert estimate.model == name and list(compared) == list(PLANE_MODELS)
    assert estimate.loss <= 1.02 * min(other.loss for other in compared.values())


def test_spread_is_demanded() -> None:
    matrix = np.array([[3.0, 0, 20], [0, 3, -8], [0, 0, 1]])
    rng = np.random.default_rng(0)
    thermal = 100 + rng.uniform(0, 40, (40, 2))
    small = [View("a", thermal, Homography(matrix).to_rgb(thermal), None, 5.0)]
    with pytest.raises(
        ValueError, match=r"homography needs points that span 5% .* these span 1\.\d% .*similarity or affine"
    ):
        estimate_plane(small, SIZE, "homography")
    estimate, compared = estimate_plane(small, SIZE)
    assert "homography" not in compared
    assert any("elsewhere the map is a guess" in warning for warning in estimate.warnings)
    assert any("only 1 views" in warning for warning in estimate.warnings)
    with pytest.raises(ValueError, match="3 corresponding points in 1 views"):
        estimate_plane([small[0][:3]], SIZE)
    with pytest.raises(ValueError, match="0 corresponding points in 0 views"):
        estimate_plane([], SIZE)
    assert coverage(np.array([(0.0, 0), (320, 0), (320, 256), (0, 256)]), SIZE) == pytest.approx(1.0)


def test_faces_in_one_place_do_not_make_a_homography() -> None:
    """Finders of landmarks understand a face's points differently; in one place that would be taken for perspective."""
    true = Homography(np.array([[3.0, 0, 20], [0, 3, -8], [0, 0, 1]]))
    view = faces(1, 0.5, 0.5, rigid=False)[0]
    bent = Homography(np.array([[1.0, 0, 0], [0, 1, 0], [0, 2e-4, 0.95]]))
    still = [
        View(str(k), view.thermal, bent.to_rgb(true.to_rgb(view.thermal)), None, 20.0, exact=False) for k in range(9)
    ]
    estimate, compared = estimate_plane(still, SIZE)
    assert list(compared) == ["similarity"] and any("the same place" in warning for warning in estimate.warnings)
    with pytest.raises(ValueError, match="affine needs"):
        estimate_plane(still, SIZE, "affine")


def test_points_that_have_nothing_to_do_with_each_other() -> None:
    rng = np.random.default_rng(1)
    views = [View(str(k), rng.uniform(0, 250, (40, 2)), rng.uniform(0, 1000, (40, 2)), None, 5.0) for k in range(8)]
    estimate, _ = estimate_plane(views, SIZE)
    assert any("of the points are where" in warning for warning in estimate.warnings)


def test_faces_at_different_distances_are_named() -> None:
    estimate, _ = estimate_plane(faces(10, 0.5, 2.0, rigid=False), SIZE)
    assert any("distances differ" in warning for warning in estimate.warnings)
    estimate, _ = estimate_plane(faces(10, 1.0, 1.1, rigid=False), SIZE)
    assert not any("distances differ" in warning for warning in estimate.warnings)


def test_extrinsics_are_exact_without_noise() -> None:
    estimate = estimate_cameras(faces(6, 0.6, 1.6), PAIR.thermal, PAIR.rgb)
    found = estimate.registration
    assert isinstance(found, CameraPair)
    assert np.allclose(found.rotation, PAIR.rotation, atol=1e-4)
    assert np.allclose(found.translation, PAIR.translation, atol=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_extrinsics_from_noisy_faces_with_outliers(seed: int) -> None:
    views = faces(30, 0.5, 2.0, seed=seed, noise=0.015, variation=0.05)
    rng = np.random.default_rng(seed)
    for view in views:
        wrong = rng.random(len(view.rgb)) < 0.1
        view.rgb[wrong] += rng.uniform(-60, 60, (int(wrong.sum()), 2))
    estimate = estimate_cameras(views, PAIR.thermal, PAIR.rgb)
    found = estimate.registration
    assert isinstance(found, CameraPair)
    assert np.linalg.norm(cv2.Rodrigues(found.rotation @ PAIR.rotation.T)[0]) < np.radians(1.2)
    assert np.linalg.norm(found.translation - PAIR.translation) < 0.02
    for distance in (0.6, 1.0, 2.0):  # what counts: where points come to lie
        missed = found.to_rgb((160.0, 128.0), distance) - PAIR.to_rgb((160.0, 128.0), distance)
        assert np.linalg.norm(missed) < 10.0
    assert 0.7 < estimate.inliers.mean() < 0.93


def test_extrinsics_of_alike_views_are_uncertain_and_it_is_said() -> None:
    poor = estimate_cameras(faces(6, 1.0, 1.02, noise=0.02), PAIR.thermal, PAIR.rgb)
    assert any("uncertain" in warning for warning in poor.warnings)
    good = estimate_cameras(faces(40, 0.5, 2.0, noise=0.01), PAIR.thermal, PAIR.rgb)
    assert not any("uncertain" in warning for warning in good.warnings)


def test_extrinsics_need_something_known() -> None:
    for views in ([], faces(3, 1.0, 1.0, rigid=False)):
        with pytest.raises(ValueError, match="extrinsics require"):
            estimate_cameras(views, PAIR.thermal, PAIR.rgb)
    with pytest.raises(ValueError, match="no pose was found in 2 views"):
        estimate_cameras([view[:4] for view in faces(2, 1.0, 2.0)], PAIR.thermal, PAIR.rgb)


def test_a_registration_from_elsewhere_is_measured() -> None:
    estimate = estimate_of("cameras", faces(5, 0.6, 1.6), PAIR)
    assert estimate.figures()["residual"]["median"] < 5.0 and estimate.inliers.mean() > 0.9


def test_points_of_little_confidence_are_left_out() -> None:
    confidence = np.linspace(0.0, 1.0, 68)
    view = face_view("a", np.ones((68, 2)), np.ones((68, 2)), confidence, rigid=True)
    assert view.model is not None
    assert len(view.thermal) == len(view.rgb) == len(view.model) == (confidence[RIGID] >= 0.3).sum()


JSON = '{"views": [{"name": "a", "thermal": [[1, 2], [3, 4]], "rgb": [[10, 20], [30, 40]], "model": [[0, 0, 0], [0.1, 0, 0]]}]}'
CSV = "view,thermal_x,thermal_y,rgb_x,rgb_y\na,1,2,10,20\na,3,4,30,40\nb,5,6,50,60\n"


def test_point_files(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(JSON)
    (view,) = read_points(tmp_path / "p.json")
    assert view.thermal.tolist() == [[1, 2], [3, 4]] and view.rgb.tolist() == [[10, 20], [30, 40]]
    assert view.model is not None and view.model.tolist() == [[0, 0, 0], [0.1, 0, 0]]
    (tmp_path / "p.csv").write_text(CSV)
    one, other = read_points(tmp_path / "p.csv")
    assert one.thermal.tolist() == [[1, 2], [3, 4]] and other.rgb.tolist() == [[50, 60]] and one.model is None


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("p.json", "no json", "Expecting value"),
        ("p.json", "[]", 'a list "views"'),
        ("p.json", '{"views": [{"thermal": []}]}', 'view 1: expected an object with "thermal" and "rgb"'),
        ("p.json", JSON.replace("[3, 4]]", "[3, 4], [5, 6]]"), "shapes (3, 2) and (2, 2)"),
        ("p.json", JSON.replace("[0.1, 0, 0]", "[0.1, 0]"), "inhomogeneous"),
        ("p.json", JSON.replace(", [0.1, 0, 0]", ""), "model has shape (1, 3), expected (2, 3)"),
        ("p.json", JSON.replace("40", "NaN"), "not finite"),
        ("p.csv", "a,b\n1,2\n", "expected the columns thermal_x"),
        ("p.csv", "", "found none"),
        ("p.csv", CSV.replace("30", "x"), "line 3: could not convert"),
        ("p.csv", CSV.replace(",30,40", ""), "line 3: "),
    ],
)
def test_malformed_point_files_are_named(tmp_path: Path, name: str, content: str, complaint: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=name) as caught:
        read_points(tmp_path / name)
    assert complaint in str(caught.value)
