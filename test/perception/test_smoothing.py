# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from thermal_fld_ros.perception.smoothing import OneEuro

SETTINGS = {"min_cutoff": 1.0, "beta": 20.0}


def run(path: np.ndarray, size: float = 100.0, dt: float = 1 / 30) -> np.ndarray:
    smooth = OneEuro()
    return np.array([smooth(points, size, dt, **SETTINGS) for points in path])


def test_a_still_face_gets_steadier() -> None:
    rng = np.random.default_rng(0)
    noisy = 200 + rng.normal(0, 0.5, (300, 68, 2))
    smooth = run(noisy)[100:]
    assert np.diff(smooth, axis=0).std() < 0.5 * np.diff(noisy, axis=0).std()
    assert abs(smooth.mean() - 200) < 0.05


def test_a_moving_face_is_followed() -> None:
    speed = 150.0  # pixels a second: one and a half faces
    path = np.arange(60)[:, None, None] * speed / 30 * np.ones((1, 68, 2))
    lag = (path - run(path))[-1].max()
    assert lag < 0.02 * 100


def test_size_and_units_do_not_matter() -> None:
    rng = np.random.default_rng(1)
    path = np.cumsum(rng.normal(0, 1, (50, 68, 2)), axis=0)
    np.testing.assert_allclose(run(path * 3, size=300.0), run(path, size=100.0) * 3, rtol=1e-9, atol=1e-9)


def test_reset_forgets() -> None:
    smooth = OneEuro()
    smooth(np.zeros((68, 2)), 100.0, 0.03, **SETTINGS)
    smooth.reset()
    points = np.full((68, 2), 50.0)
    np.testing.assert_array_equal(smooth(points, 100.0, 0.03, **SETTINGS), points)


@pytest.mark.parametrize("dt", [1e-6, 10.0])
def test_any_time_step_is_finite_and_between(dt: float) -> None:
    smooth = OneEuro()
    smooth(np.zeros((68, 2)), 100.0, dt, **SETTINGS)
    found = smooth(np.ones((68, 2)), 100.0, dt, **SETTINGS)
    assert ((found >= 0) & (found <= 1)).all()
