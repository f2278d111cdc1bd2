# SPDX-License-Identifier: Apache-2.0
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from thermal_fld_ros.distillation.augmentation import INGREDIENTS, appearance, lower_resolution
from thermal_fld_ros.distillation.crops import sampled
from thermal_fld_ros.perception.cropping import crop_from_points
from thermal_fld_ros.perception.geometry import Affine
from thermal_fld_ros.synthesis.gain import gain_control
from thermal_fld_ros.synthesis.morphable import MIRROR68


def picture(seed: int) -> np.ndarray:
    return (20 + 15 * np.random.default_rng(seed).random((48, 48))).astype(np.float32)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_appearance_keeps_shape_and_stays_finite(seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = picture(seed)
    before = image.copy()
    changes = [change for _, change in INGREDIENTS.values()]
    for change in (*changes, gain_control, lambda i, r: lower_resolution(i, 0.3, r)):
        changed = change(image, rng)
        assert changed.shape == image.shape
        assert changed.dtype == np.float32
        assert np.isfinite(changed).all()
    np.testing.assert_array_equal(image, before)  # the stored image is not written to
    for grey in (gain_control(image, rng), appearance(image, rng), appearance(image, rng, without=("gain",))):
        assert grey.dtype == np.float32
        assert grey.min() >= 0
        assert grey.max() <= 1


def test_what_is_left_out_leaves_the_picture_alone() -> None:
    image = picture(3)
    plain = (image - image.min()) / np.ptp(image)
    for seed in range(20):
        grey = appearance(image, np.random.default_rng(seed), without=[*INGREDIENTS, "gain"])
        np.testing.assert_allclose(grey, plain, atol=1e-6)


def test_mirroring_twice_is_nothing() -> None:
    np.testing.assert_array_equal(MIRROR68[MIRROR68], np.arange(68))
    assert MIRROR68[36] == 45  # outer corners of the eyes


def test_pixels_and_points_are_cropped_alike() -> None:
    points = np.column_stack([np.linspace(20, 60, 68), 30 + 20 * np.sin(np.arange(68))])
    crop = crop_from_points(points, 64, 1.5) @ Affine.similarity(1.1, 0.4, (31.5, 31.5), (35.0, 28.0))
    for x, y in ((40, 33), (29, 41)):
        image = np.zeros((80, 80), np.uint16)
        image[y, x] = 1000
        row, col = np.unravel_index(sampled(image, crop, (64, 64)).argmax(), (64, 64))
        np.testing.assert_allclose(crop.inverse()(np.array([x, y], float)), (col, row), atol=1.0)
