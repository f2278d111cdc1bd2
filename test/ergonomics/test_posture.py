# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermal_fld_ros.ergonomics.posture import (
    Iso11226,
    NeckAngles,
    StillnessTimer,
    iso_11226,
    mean_rotation,
    neck_angles,
    rula_neck_score,
    turn_between,
    upright,
)


def about(axis: int, degrees: float) -> np.ndarray:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turn = np.eye(3)
    first, second = [(1, 2), (2, 0), (0, 1)][axis]
    turn[first, first] = turn[second, second] = c
    turn[first, second], turn[second, first] = -s, s
    return turn


def posture(flexion: float, bend: float, twist: float) -> np.ndarray:
    """Of a head with x forward, y left, z up."""
    return about(2, twist) @ about(1, flexion) @ about(0, bend)


angles = st.tuples(st.floats(-80, 80), st.floats(-60, 60), st.floats(-80, 80))


@given(angles, angles)
def test_angles_are_those_of_the_posture_whatever_the_reference(wanted, reference) -> None:
    base = posture(*reference)
    found = neck_angles(base @ posture(*wanted), base)
    assert (found.flexion, found.lateral_bend, found.twist) == pytest.approx(wanted, abs=1e-6)


def test_signs_are_the_documented_ones() -> None:
    nod = np.array([[0.9, 0, 0], [0, 1, 0], [0, 0, 0.9]]) + 0.0
    nod[2, 0] = -0.4  # the face's direction points down
    assert neck_angles(nod, np.eye(3)).flexion > 0
    assert neck_angles(about(2, 20), np.eye(3)).twist == pytest.approx(20), "towards y, the person's left"
    tilted = about(0, 15)
    assert tilted[2, 1] > 0, "the left side of the head goes up"
    assert neck_angles(tilted, np.eye(3)).lateral_bend == pytest.approx(15)


@given(angles)
def test_with_gravity_only_the_twist_is_the_references(wanted) -> None:
    """A reference that was taken with a bowed head counts as upright where the vertical is known."""
    twist = 30.0
    reference = upright(posture(40.0, 10.0, twist), np.array([0.0, 0.0, 1.0]))
    found = neck_angles(about(2, twist) @ posture(*wanted), reference)
    assert found.flexion == pytest.approx(wanted[0], abs=1e-6)
    assert found.lateral_bend == pytest.approx(wanted[1], abs=1e-6)
    np.testing.assert_allclose(reference @ reference.T, np.eye(3), atol=1e-12)


def test_a_mean_lies_between() -> None:
    mean = mean_rotation([about(2, 10), about(2, 20), about(2, 60)])
    assert neck_angles(mean, np.eye(3)).twist == pytest.approx(30, abs=1.0)
    assert np.linalg.det(mean) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("neck", "verdict", "seconds"),
    [
        ((0, 0, 0), Iso11226.ACCEPTABLE, math.nan),
        ((25, 0, 0), Iso11226.ACCEPTABLE, math.nan),
        ((25.001, 0, 0), Iso11226.TIME_LIMITED, 480),
        ((55, 0, 0), Iso11226.TIME_LIMITED, 270),
        ((85, 0, 0), Iso11226.TIME_LIMITED, 60),
        ((86, 0, 0), Iso11226.NOT_RECOMMENDED, math.nan),
        ((-4, 0, 0), Iso11226.ACCEPTABLE, math.nan),
        ((-6, 0, 0), Iso11226.NOT_RECOMMENDED, math.nan),
        ((10, 16, 0), Iso11226.NOT_RECOMMENDED, math.nan),
        ((10, 0, -16), Iso11226.NOT_RECOMMENDED, math.nan),
    ],
)
def test_verdicts_are_those_of_iso_11226(neck, verdict, seconds) -> None:
    found, limit = iso_11226(NeckAngles(*neck), 5.0, 15.0)
    assert found == verdict
    assert limit == pytest.approx(seconds, abs=0.1, nan_ok=True)


@pytest.mark.parametrize(
    ("neck", "score"),
    [
        ((0, 0, 0), 1),
        ((10, 0, 0), 1),
        ((15, 0, 0), 2),
        ((30, 0, 0), 3),
        ((-10, 0, 0), 4),
        ((30, 20, 0), 4),
        ((-10, 20, 20), 6),
    ],
)
def test_scores_are_those_of_rula(neck, score) -> None:
    assert rula_neck_score(NeckAngles(*neck), 5.0, 15.0) == score


def test_a_posture_is_held_until_the_head_turns_away_from_it() -> None:
    timer = StillnessTimer()
    assert timer(about(2, 0), 100.0, 5.0) == 0.0
    assert timer(about(2, 4), 110.0, 5.0) == 10.0
    assert timer(about(2, -4), 112.0, 5.0) == 12.0
    assert timer(about(2, 6), 113.0, 5.0) == 0.0
    assert timer(about(2, 6), 114.0, 5.0) == 1.0
    assert turn_between(about(2, 6), about(2, -4)) == pytest.approx(10.0)
