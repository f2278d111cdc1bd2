# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from dummy_models import face_scene
from hypothesis import given, settings
from hypothesis import strategies as st

from thermal_fld_ros.perception.decoding import ThermalFrame, decode_array
from thermal_fld_ros.perception.shutter import LONGEST_CLOSURE, ShutterDetector, ShutterState

LIVE, REPEATED, FROZEN, FLAT = ShutterState.LIVE, ShutterState.REPEATED, ShutterState.FROZEN, ShutterState.FLAT


def frame(seed: int, dtype: type = np.uint16, spread: float = 500.0) -> ThermalFrame:
    rng = np.random.default_rng(seed)
    values = 30000 + spread * rng.standard_normal((120, 160))
    return decode_array((values / 256 if dtype == np.uint8 else values).astype(dtype))


def states(frames: list[ThermalFrame], fps: float = 9.0) -> list[ShutterState]:
    detector = ShutterDetector()
    return [detector.update(image, index / fps) for index, image in enumerate(frames)]


def test_a_live_camera_is_live() -> None:
    assert set(states([frame(seed) for seed in range(20)])) == {LIVE}


def test_repeated_frames_are_frozen_until_they_change() -> None:
    found = states([frame(0), frame(1), *[frame(2)] * 9, frame(3)])
    assert found == [LIVE] * 3 + [REPEATED] + [FROZEN] * 7 + [LIVE]


@pytest.mark.parametrize(("rate", "copies"), [(9.0, 3), (8.6, 3), (9.0, 6), (30.0, 2), (60.0, 1)])
def test_a_camera_that_is_slower_than_its_transport_repeats_and_closes_no_shutter(rate: float, copies: int) -> None:
    live = [frame(seed) for seed in range(12) for _ in range(copies)]
    assert states(live, rate * copies) == ([LIVE] + [REPEATED] * (copies - 1)) * 12
    closed = states([*live, *[live[-1]] * (4 * copies), frame(99)], rate * copies)[len(live) :]
    assert closed[-2] is FROZEN and closed[-1] is LIVE
    assert REPEATED not in closed[copies:], "what stays longer than the camera's frame time is a closed shutter"


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-0.3, 0.3), min_size=60, max_size=60))
def test_repeats_may_come_at_uneven_times(jitter: list[float]) -> None:
    """27 images a second of a camera that takes 9; each comes up to 0.3 of its period early or late."""
    detector = ShutterDetector()
    images = [frame(seed) for seed in range(20)]
    found = [detector.update(images[k // 3], (k + late) / 27) for k, late in enumerate(jitter)]
    assert found == [LIVE, REPEATED, REPEATED] * 20


def test_a_repeated_flat_frame_is_flat() -> None:
    flat = frame(5, spread=5.0)
    assert states([*map(frame, range(5)), flat, flat, flat, frame(7)]) == [LIVE] * 5 + [FLAT] * 3 + [LIVE]


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_a_still_scene_is_not_frozen_for_ever(dtype: type) -> None:
    found = states([frame(0, dtype)] * 60, fps=10.0)
    assert found[2] is FROZEN
    assert set(found[3 + int(10 * LONGEST_CLOSURE) :]) == {LIVE}


def test_8_bit_frames_are_never_frozen() -> None:
    assert set(states([frame(0, np.uint8)] * 30)) == {LIVE}


def test_a_flat_frame_is_told() -> None:
    found = states([*map(frame, range(5)), frame(5, spread=5.0), frame(6, spread=5.0), frame(7)])
    assert found == [LIVE] * 5 + [FLAT] * 2 + [LIVE]


def test_a_small_face_before_an_even_wall_is_live() -> None:
    large, small = (face_scene((320, 240), [(160, 120, width)]) for width in (200, 16))
    assert set(states([decode_array(large + np.uint16(i)) for i in range(9)] + [decode_array(small)])) == {LIVE}


def test_a_scene_that_has_lost_its_contrast_becomes_live_again() -> None:
    found = states([*map(frame, range(5)), *[frame(seed, spread=5.0) for seed in range(5, 60)]])
    assert found[5] is FLAT
    assert set(found[7 + int(9 * LONGEST_CLOSURE) :]) == {LIVE}


def test_stamps_may_stand_still_or_go_back() -> None:
    detector = ShutterDetector()
    for stamp in (5.0, 5.0, 4.0, 3.0, 0.0):
        detector.update(frame(0), stamp)
    assert detector.update(frame(1), 0.0) is LIVE
