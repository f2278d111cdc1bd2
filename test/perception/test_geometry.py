# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermal_fld_ros.perception.geometry import Affine, box_around, iou

coordinates = st.floats(-500, 500)
points = st.tuples(coordinates, coordinates)
sizes = st.tuples(st.integers(1, 700), st.integers(1, 700))
similarities = st.builds(Affine.similarity, st.floats(0.05, 20), st.floats(-4, 4), points, points)


@given(similarities, similarities, points)
def test_composition_is_one_map_after_the_other(first: Affine, second: Affine, point: tuple[float, float]) -> None:
    np.testing.assert_allclose((second @ first)(point), second(first(point)), atol=1e-6)


@given(similarities, points)
def test_inverse_leads_back(affine: Affine, point: tuple[float, float]) -> None:
    np.testing.assert_allclose(affine.inverse()(affine(point)), point, atol=1e-6)
    np.testing.assert_allclose((affine @ affine.inverse()).matrix, Affine.identity().matrix, atol=1e-6)


def test_a_flat_map_has_no_inverse() -> None:
    with pytest.raises(ValueError, match="no inverse"):
        Affine.scaling(1.0, 0.0).inverse()


@given(st.floats(0.05, 20), st.floats(-4, 4), points, points)
def test_similarity_takes_its_source_to_its_target(scale, angle, source, target) -> None:
    affine = Affine.similarity(scale, angle, source, target)
    np.testing.assert_allclose(affine(source), target, atol=1e-6)
    assert affine.scale == pytest.approx(scale)


def test_a_positive_angle_turns_clockwise_on_the_screen() -> None:
    quarter = Affine.similarity(1.0, np.pi / 2, (0, 0), (0, 0))
    np.testing.assert_allclose(quarter((1.0, 0.0)), (0.0, 1.0), atol=1e-12)  # from right to down


@given(sizes, sizes)
def test_resize_takes_edges_to_edges(small: tuple[int, int], large: tuple[int, int]) -> None:
    resize = Affine.resize(small, large)
    np.testing.assert_allclose(resize((-0.5, -0.5)), (-0.5, -0.5), atol=1e-9)
    np.testing.assert_allclose(resize(np.array(small) - 0.5), np.array(large) - 0.5, atol=1e-9)


@given(st.sampled_from([0, 90, 180, 270]), sizes, st.data())
def test_quarter_turns_do_what_numpy_does(rotation: int, size: tuple[int, int], data: st.DataObject) -> None:
    x, y = data.draw(st.integers(0, size[0] - 1)), data.draw(st.integers(0, size[1] - 1))
    image = np.zeros((size[1], size[0]), dtype=bool)
    image[y, x] = True
    turned = np.rot90(image, k=-rotation // 90)
    row, column = np.argwhere(turned)[0]
    np.testing.assert_allclose(Affine.quarter_turns(rotation, size)((x, y)), (column, row))


def test_other_rotations_are_refused() -> None:
    with pytest.raises(ValueError, match="not 45"):
        Affine.quarter_turns(45, (10, 10))


def test_points_keep_their_shape() -> None:
    assert Affine.identity()(np.zeros((3, 68, 2))).shape == (3, 68, 2)
    assert Affine.identity()((1, 2)).shape == (2,)


def test_box_and_overlap() -> None:
    box = box_around([(1, 2), (5, 4), (3, 10)])
    np.testing.assert_array_equal(box, (1, 2, 4, 8))
    np.testing.assert_allclose(iou(box, [box, (3, 2, 4, 8), (50, 50, 4, 4)]), (1.0, 1 / 3, 0.0))
    assert iou((0, 0, 0, 0), [(0, 0, 0, 0)])[0] == 0.0
