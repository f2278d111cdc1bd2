# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from thermal_fld_ros.perception.normalisation import Normalisation, normalise

USUAL = Normalisation("percentile", 1.0, 99.0)


def scene(seed: int = 0, size: tuple[int, int] = (128, 128)) -> np.ndarray:
    return np.random.default_rng(seed).normal(30000, 300, size)


def test_percentiles_become_0_and_1() -> None:
    raw = scene().astype(np.uint16)
    shown = normalise(raw, USUAL)
    low, high = np.percentile(raw, (1, 99))
    assert shown.dtype == np.float32
    assert shown.shape == raw.shape
    assert shown.min() == 0.0
    assert shown.max() == 1.0
    np.testing.assert_allclose(shown, np.clip((raw - low) / (high - low), 0, 1), atol=0.04)


@given(st.floats(0.01, 100), st.floats(-500, 500), st.sampled_from([(128, 128), (37, 61), (8, 9), (1, 1)]))
def test_unit_does_not_matter(scale: float, offset: float, size: tuple[int, int]) -> None:
    raw = scene(size=size).astype(np.float32) - 30000
    np.testing.assert_allclose(
        normalise(raw, USUAL), normalise(raw * np.float32(scale) + np.float32(offset), USUAL), atol=2e-3
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.dtype(">u2")])
def test_dtype_does_not_matter(dtype) -> None:
    raw = np.random.default_rng(1).integers(0, 255, (128, 128))
    np.testing.assert_allclose(normalise(raw.astype(dtype), USUAL), normalise(raw, USUAL), atol=1e-6)


def test_inversion_is_the_negative() -> None:
    raw = scene().astype(np.uint16)
    np.testing.assert_allclose(normalise(raw, USUAL, inverted=True), 1 - normalise(raw, USUAL), atol=1e-6)


@pytest.mark.parametrize("inverted", [False, True])
def test_a_flat_image_is_grey(inverted: bool) -> None:
    np.testing.assert_array_equal(normalise(np.full((9, 9), 7, np.uint16), USUAL, inverted), np.full((9, 9), 0.5))


@pytest.mark.filterwarnings("error::RuntimeWarning:thermal_fld_ros")
@given(arrays(np.float32, (5, 6), elements=st.floats(-(2.0**100), 2.0**100, width=32)), st.booleans())
@example(np.float32([[0, 1e-42], [1e-42, 0]]), False)  # 1 over this range is no number in single precision
def test_any_finite_image_lies_between_0_and_1(raw: np.ndarray, inverted: bool) -> None:
    shown = normalise(raw, USUAL, inverted)
    assert (shown >= 0).all()
    assert (shown <= 1).all()


def test_writes_into_a_part_of_a_batch() -> None:
    batch = np.zeros((2, 1, 128, 160), np.float32)
    raw = scene().astype(np.uint16)
    normalise(raw, USUAL, out=batch[1, 0, :, :128])
    np.testing.assert_array_equal(batch[1, 0, :, :128], normalise(raw, USUAL))
    assert not batch[0].any()
    assert not batch[1, 0, :, 128:].any()


@pytest.mark.parametrize("settings", [("fixed", 1, 99), ("percentile", 99, 1), ("percentile", -1, 99)])
def test_wrong_settings_are_refused(settings) -> None:
    with pytest.raises(ValueError, match="normalisation"):
        Normalisation(*settings)
