# SPDX-License-Identifier: Apache-2.0
"""Backgrounds: size, bounds, breadth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thermal_fld_ros.synthesis.background import THINGS, background


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(8, 300), st.integers(8, 300), st.floats(-10, 40), st.integers(0, 20))
def test_any_size_gives_finite_temperatures_of_a_plausible_range(
    seed: int, width: int, height: int, ambient: float, clutter: int
) -> None:
    image = background(width, height, ambient, clutter, np.random.default_rng(seed))
    assert image.shape == (height, width) and image.dtype == np.float32
    assert np.isfinite(image).all()
    assert image.min() > ambient - 110 and image.max() < ambient + 130


def test_the_same_seed_gives_the_same_background() -> None:
    first, second = (background(80, 60, 20.0, 8, np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_most_backgrounds_are_smooth_and_some_are_full_of_edges() -> None:
    edges = []
    for k in range(120):
        image = background(160, 120, 22.0, 6, np.random.default_rng(k))
        edges.append((np.abs(np.diff(image, axis=1)) > 1.0).mean())
    assert np.median(edges) < 0.02
    assert max(edges) > 0.05


def test_backgrounds_hold_what_is_as_warm_as_a_face() -> None:
    as_warm = [((image > 30) & (image < 37)).mean() > 0.005
               for image in (background(160, 120, 20.0, 12, np.random.default_rng(k)) for k in range(150))]  # fmt: skip
    assert 0.2 < np.mean(as_warm) < 0.95


@pytest.mark.parametrize("draw", THINGS, ids=lambda f: f.__name__.strip("_"))
def test_every_thing_draws_itself_even_across_the_border(draw) -> None:  # type: ignore[no-untyped-def]
    for centre in ((50, 40), (-5, 40), (99, 79), (130, -20)):
        image = np.full((80, 100), 20.0, np.float32)
        draw(image, centre, 40.0, 33.0, np.random.default_rng(2))
        assert np.isfinite(image).all()
        if centre == (50, 40):
            assert np.ptp(image) > 1
