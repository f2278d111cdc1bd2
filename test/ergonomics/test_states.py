# SPDX-License-Identifier: Apache-2.0
"""Eyes, mouth and breathing from sequences whose truth is known; 9 and 30 images a second."""

from __future__ import annotations

import math

import numpy as np
import pytest

from thermal_fld_ros.ergonomics.breathing import GOOD, Breathing
from thermal_fld_ros.ergonomics.states import (
    EyeOptions,
    Eyes,
    Mouth,
    MouthOptions,
    eye_ratio,
    mouth_ratio,
)
from thermal_fld_ros.ergonomics.windows import TimeShare
from thermal_fld_ros.perception.face import LEFT_EYE, RIGHT_EYE
from thermal_fld_ros.perception.pose import HEAD_POINTS

RATES = (9.0, 30.0)


def front(points: np.ndarray = HEAD_POINTS) -> np.ndarray:
    return np.stack([points[:, 1], -points[:, 2]], axis=1) * 1000


def test_ratios_do_not_depend_on_size_and_follow_the_gap() -> None:
    face = front()
    for eye in (RIGHT_EYE, LEFT_EYE):
        assert eye_ratio(face, eye) == pytest.approx(eye_ratio(3.7 * face + 50, eye))
    shut = face.copy()
    shut[[41, 40]] = shut[[37, 38]]
    assert eye_ratio(shut, RIGHT_EYE) < 1e-9 < eye_ratio(shut, LEFT_EYE)
    wide = face.copy()
    wide[[65, 66, 67], 1] += 20.0
    nose = np.linalg.norm(face[27] - face[33])
    assert mouth_ratio(wide) - mouth_ratio(face) == pytest.approx(20.0 / nose, rel=0.05)


def watch(eyes: Eyes, options: EyeOptions, rate: float, seconds: float, ratio, start: float = 0.0) -> None:
    for k in range(round(seconds * rate)):
        value = ratio(start + k / rate)
        eyes.update(options, start + k / rate, 1 / rate, (value, value))


@pytest.mark.parametrize("rate", RATES)
def test_blinks_are_counted_and_long_closures_are_not(rate: float) -> None:
    options = EyeOptions()
    eyes = Eyes(options)
    blink = lambda t: 0.10 if 1.0 <= t % 3.0 < 1.25 else 0.32  # noqa: E731
    watch(eyes, options, rate, 30.0, blink)
    assert eyes.blinks == 10
    watch(eyes, options, rate, 5.0, lambda t: 0.10, start=30.0)
    assert eyes.closed and eyes.opening == pytest.approx((0.0, 0.0), abs=0.1)
    watch(eyes, options, rate, 2.0, lambda t: 0.32, start=35.0)
    assert eyes.blinks == 10 and not eyes.closed


@pytest.mark.parametrize("rate", RATES)
def test_perclos_is_the_share_of_closed_time(rate: float) -> None:
    options = EyeOptions(perclos_window=40.0)
    eyes = Eyes(options)
    watch(eyes, options, rate, 60.0, lambda t: 0.10 if t % 4.0 < 1.0 else 0.32)
    assert eyes.perclos.share == pytest.approx(0.25, abs=0.04)
    assert eyes.perclos.known == pytest.approx(1.0, abs=0.02)


def test_narrow_eyes_are_open_eyes_after_a_while() -> None:
    options = EyeOptions()
    eyes = Eyes(options)
    watch(eyes, options, 30.0, 20.0, lambda t: 0.19)
    assert eyes.opening == pytest.approx((1.0, 1.0), abs=0.15)


def test_hidden_eyes_are_unknown_and_count_nothing() -> None:
    options = EyeOptions()
    eyes = Eyes(options)
    eyes.update(options, 0.0, 0.0, (0.3, math.nan))
    assert math.isfinite(eyes.opening[0]) and math.isnan(eyes.opening[1])
    for k in range(100):
        eyes.update(options, 0.1 * k, 0.1, (math.nan, math.nan))
    assert all(map(math.isnan, eyes.opening)) and eyes.perclos.known == 0.0 and eyes.blinks == 0


@pytest.mark.parametrize("rate", RATES)
def test_yawns_last_and_speech_moves(rate: float) -> None:
    options, mouth = MouthOptions(), Mouth()
    states = []

    def play(seconds: float, opening) -> None:
        start = len(states) / rate
        for k in range(round(seconds * rate)):
            mouth.update(options, start + k / rate, opening(k / rate))
            states.append((mouth.yawning, mouth.speaking))

    rng = np.random.default_rng(0)
    play(5.0, lambda t: 0.05 + 0.005 * rng.normal())
    assert not any(map(any, states)), "a closed mouth"
    play(4.0, lambda t: 0.6 * math.sin(math.pi * t / 4.0))
    assert mouth.yawns == 1
    assert not any(speaking for _, speaking in states), "a yawn is slow"
    play(2.0, lambda t: 0.05)
    play(4.0, lambda t: 0.15 + 0.1 * math.sin(2 * math.pi * 3.1 * t))
    assert states[-1] == (False, True) and mouth.yawns == 1
    play(1.0, lambda t: math.nan)
    assert math.isnan(mouth.opening) and states[-1] == (False, False)


def test_a_share_forgets_what_is_older_than_its_window() -> None:
    share = TimeShare(10.0)
    for k in range(20):
        share.add(float(k), 1.0, k < 10)
    assert share.share == pytest.approx(0.05, abs=0.06)
    share.forget(100.0)
    assert (share.share, share.known) == (0.0, 0.0)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("breaths", [8.0, 15.0, 22.0, 30.0])
def test_breaths_are_counted_in_noise_drift_and_jitter(rate: float, breaths: float) -> None:
    rng, breathing = np.random.default_rng(int(breaths)), Breathing()
    stamp = 50.0
    for _ in range(round(45 * rate)):
        stamp += rng.uniform(0.8, 1.2) / rate
        value = 0.3 * math.sin(2 * math.pi * breaths / 60 * stamp) + 0.02 * stamp + rng.normal(0, 0.1)
        breathing.update(stamp, value)
    assert breathing.quality > GOOD
    assert breathing.rate == pytest.approx(breaths, abs=1.0)


def test_noise_has_no_good_quality_and_a_gap_begins_anew() -> None:
    rng, breathing = np.random.default_rng(1), Breathing()
    qualities = []
    for k in range(9 * 120):
        breathing.update(k / 9, float(rng.normal(0, 0.1)))
        qualities.append(breathing.quality)
    assert np.mean(np.array(qualities) > GOOD) < 0.05
    breathing.update(200.0, 1.0)
    assert math.isnan(breathing.rate) and breathing.quality == 0.0


@pytest.mark.parametrize("breaths", [10.0, 24.0])
def test_a_head_that_moves_as_fast_as_somebody_breathes_is_not_trusted(breaths: float) -> None:
    """The head nods 17 times a minute, which makes the temperature swing more than the breath does."""
    rng = np.random.default_rng(int(breaths))
    seeing, blind = Breathing(), Breathing()
    for stamp in np.arange(0.0, 40.0, 0.1):
        nod = math.sin(2 * math.pi * 17.0 / 60.0 * stamp)
        celsius = 0.25 * math.sin(2 * math.pi * breaths / 60.0 * stamp) + 0.4 * nod + rng.normal(0.0, 0.05)
        seeing.update(stamp, celsius, (0.1 * nod + rng.normal(0.0, 0.005), math.nan))
        blind.update(stamp, celsius)
    assert blind.rate == pytest.approx(17.0, abs=0.5) and blind.quality > GOOD
    assert seeing.quality == 0.0


def test_a_breath_is_found_beside_a_small_motion_of_the_head() -> None:
    rng, breathing = np.random.default_rng(5), Breathing()
    for stamp in np.arange(0.0, 40.0, 0.1):
        nod = math.sin(2 * math.pi * 17.0 / 60.0 * stamp)
        celsius = 0.4 * math.sin(2 * math.pi * 0.2 * stamp) + 0.25 * nod + rng.normal(0.0, 0.05)
        breathing.update(stamp, celsius, (0.1 * nod, 0.0))
    assert breathing.rate == pytest.approx(12.0, abs=0.5) and breathing.quality > GOOD


def test_what_is_slower_than_any_breath_is_no_breath() -> None:
    breathing = Breathing()
    for stamp in np.arange(0.0, 60.0, 0.1):
        breathing.update(stamp, 0.5 * math.sin(2 * math.pi * 4.0 / 60.0 * stamp))
    assert not breathing.quality > GOOD
