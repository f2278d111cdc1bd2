# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thermal_fld_ros.synthesis.body import euler
from thermal_fld_ros.synthesis.contour import JawContour
from thermal_fld_ros.synthesis.decimation import decimated
from thermal_fld_ros.synthesis.figure import Viewpoint
from thermal_fld_ros.synthesis.morphable import Array, MorphableModel


@pytest.fixture(scope="module")
def jaw(face_model: MorphableModel) -> JawContour:
    return JawContour(face_model)


def line(jaw: JawContour, model: MorphableModel, yaw: float, pitch: float = 0.0, roll: float = 0.0) -> Array:
    """The jaw line (17, 2) in cm, y down, of the neutral face."""
    yaw, pitch, roll = np.deg2rad((yaw, pitch, roll))
    xy, depth = Viewpoint((0.0, 0.0), 1.0, 1000.0).project(model.neutral @ euler(yaw, pitch, roll).T)
    return jaw(xy, depth, yaw, roll, 1.0)[0]


def test_without_a_turn_it_is_the_landmarks(jaw: JawContour, face_model: MorphableModel) -> None:
    fixed = face_model.neutral[face_model.landmarks[:17], :2] * [1, -1]
    assert np.abs(line(jaw, face_model, 0) - fixed).max() < 0.35  # cm; the points lie in the turn of the cheek


@settings(deadline=None, max_examples=60)
@given(yaw=st.floats(-90, 90))
def test_points_keep_their_order(jaw: JawContour, face_model: MorphableModel, yaw: float) -> None:
    points = line(jaw, face_model, yaw)
    assert (np.diff(points[:8, 1]) > 0).all()  # down one side
    assert (np.diff(points[9:, 1]) < 0).all()  # and up the other


@settings(deadline=None, max_examples=60)
@given(yaw=st.floats(-89, 89), pitch=st.floats(-40, 40), roll=st.floats(-30, 30))
def test_points_move_smoothly_with_the_pose(
    jaw: JawContour, face_model: MorphableModel, yaw: float, pitch: float, roll: float
) -> None:
    step = np.abs(line(jaw, face_model, yaw + 1, pitch, roll) - line(jaw, face_model, yaw, pitch, roll)).max()
    assert step < 0.8  # cm a degree; the head's own turn moves points by up to 0.25


@settings(deadline=None, max_examples=40)
@given(yaw=st.floats(-80, 80), roll=st.floats(-40, 40))
def test_roll_turns_the_line_as_a_whole(jaw: JawContour, face_model: MorphableModel, yaw: float, roll: float) -> None:
    upright, rolled = line(jaw, face_model, yaw), line(jaw, face_model, yaw, 0.0, roll)
    a = np.deg2rad(roll)
    turn = np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])  # counter-clockwise; y points down
    np.testing.assert_allclose(rolled, upright @ turn.T, atol=0.1)


@pytest.mark.parametrize("yaw", [50, 60, -50, -60])
def test_the_far_side_lies_on_the_outline(jaw: JawContour, face_model: MorphableModel, yaw: float) -> None:
    """No skin of the cheek lies farther out than the point at its height."""
    points = line(jaw, face_model, yaw)
    far = points[10:15] if yaw > 0 else points[2:7]
    vertices, _ = Viewpoint((0.0, 0.0), 1.0, 1000.0).project(face_model.neutral @ euler(np.deg2rad(yaw), 0, 0).T)
    cheek = (face_model.part == 0) & (np.abs(face_model.neutral[:, 0]) > 2.5)
    for x, y in far:
        near = cheek & (np.abs(vertices[:, 1] - y) < 0.3)
        outermost = (np.sign(yaw) * vertices[near, 0]).max()
        assert outermost - np.sign(yaw) * x < 0.4


def test_the_near_side_stays_at_the_landmarks(jaw: JawContour, face_model: MorphableModel) -> None:
    turned, _ = Viewpoint((0.0, 0.0), 1.0, 1000.0).project(face_model.neutral @ euler(np.deg2rad(50), 0, 0).T)
    np.testing.assert_allclose(line(jaw, face_model, 50)[:6], turned[face_model.landmarks[:6]], atol=0.15)


def test_fewer_vertices_give_the_same_labels(jaw: JawContour, face_model: MorphableModel) -> None:
    small = decimated(face_model, jaw.vertices)
    assert (small.part == 0).sum() < 0.5 * (face_model.part == 0).sum()
    np.testing.assert_array_equal(small.neutral[small.landmarks], face_model.neutral[face_model.landmarks])
    assert (np.diff(small.triangles, axis=1) != 0).all()
    coarse = JawContour(small)
    for yaw in (-60, 0, 35):
        np.testing.assert_allclose(line(coarse, small, yaw), line(jaw, face_model, yaw), atol=1e-4)


def test_decimation_keeps_the_surface(face_model: MorphableModel, jaw: JawContour) -> None:
    small = decimated(face_model, jaw.vertices)
    smile = np.zeros(len(face_model.expression), np.float32)
    smile[0] = 1.0
    full, coarse = (m.morph(np.zeros(len(m.identity), np.float32), smile) for m in (face_model, small))
    for vertex in coarse[::50]:  # its vertices are some of the model's, and move alike
        assert ((full - vertex) ** 2).sum(1).min() < 1e-8
