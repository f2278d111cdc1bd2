# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest
from dummy_models import face_aspect, face_template
from hypothesis import given
from hypothesis import strategies as st

from thermal_fld_ros.perception.cropping import crop_from_box, crop_from_points, roll_from_points
from thermal_fld_ros.perception.geometry import Affine

centres = st.tuples(st.floats(-50, 700), st.floats(-50, 700))
rolls = st.floats(-3.1, 3.1)
UPRIGHT = face_template() * (1.0, face_aspect())


@given(centres, st.floats(5, 300), rolls, st.sampled_from([64, 112, 128]))
def test_a_turned_face_stands_upright_in_the_middle_of_its_crop(centre, width, roll, size) -> None:
    points = Affine.similarity(width, roll, (0, 0), centre)(UPRIGHT)
    crop = crop_from_points(points, size, 1.5)
    inside = crop.inverse()(points)
    expected = (size - 1) / 2 + UPRIGHT * size / 1.5
    np.testing.assert_allclose(inside, expected, atol=1e-6 * size)
    assert crop.scale == pytest.approx(1.5 * width / size)


@given(rolls)
def test_roll(roll: float) -> None:
    assert roll_from_points(Affine.similarity(50.0, roll, (0, 0), (10, 20))(UPRIGHT)) == pytest.approx(roll, abs=1e-6)


def test_crop_from_box_is_the_square_around_it() -> None:
    crop = crop_from_box((100, 40, 60, 80), 128, 1.5)
    np.testing.assert_allclose(crop((-0.5, -0.5)), (130 - 60, 80 - 60))
    np.testing.assert_allclose(crop((127.5, 127.5)), (130 + 60, 80 + 60))


def test_box_and_points_give_the_same_crop() -> None:
    points = Affine.similarity(80.0, 0.3, (0, 0), (200, 100))(UPRIGHT)
    box = (200 - 40, 100 - 40 * face_aspect(), 80, 80 * face_aspect())
    np.testing.assert_allclose(
        crop_from_points(points, 128, 1.5).matrix, crop_from_box(box, 128, 1.5, angle=0.3).matrix, atol=1e-6
    )


@pytest.mark.parametrize("box", [(0, 0, 0, 0), (1, 1, -3, -4), (0, 0, math.nan, 5), (math.inf, 0, 5, 5)])
def test_a_box_without_extent_is_refused(box) -> None:
    with pytest.raises(ValueError, match="cannot crop"):
        crop_from_box(box, 128, 1.5)
