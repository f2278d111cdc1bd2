# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from capture_messages import face, image, pair
from hypothesis import given
from hypothesis import strategies as st

from thermal_fld_ros.capture.gates import NO_FACE, OVER_RATE, SHUTTER, UNCHANGED, GateOptions, Gates, shape_change
from thermal_fld_ros.capture.pair import CapturedPair
from thermal_fld_ros.recordings.messages import IMAGE


def judged(options: GateOptions, *pairs: CapturedPair) -> list[str]:
    gates = Gates(options, IMAGE)
    return [gates(pair) for pair in pairs]


def test_by_default_every_pair_is_taken() -> None:
    assert judged(GateOptions(), pair(0), pair(0), pair(1)) == ["", "", ""]


def test_the_rate_is_never_exceeded() -> None:
    nine_hertz = [pair(number, period=1 / 9) for number in range(18)]
    taken = judged(GateOptions(max_rate=2.0), *nine_hertz)
    assert taken.count("") == 4 and set(taken) == {"", OVER_RATE}, "every fifth: 9 Hz has no two at half a second"
    assert judged(GateOptions(max_rate=100.0), *nine_hertz) == [""] * 18


def test_after_a_jump_of_time_back_the_rate_begins_anew() -> None:
    assert judged(GateOptions(max_rate=1.0), pair(1000), pair(0), pair(1)) == ["", "", OVER_RATE]


def test_only_with_a_face() -> None:
    assert judged(GateOptions(require_face=True), pair(0), pair(1, face()), pair(2)) == [NO_FACE, "", NO_FACE]


def test_an_unchanged_face_is_recorded_once() -> None:
    options = GateOptions(min_pose_change=10.0)
    turned = [pair(number, face(turn=turn)) for number, turn in enumerate((0.0, 4.0, 8.0, 12.0, 12.0, 1.0))]
    assert judged(options, *turned) == ["", UNCHANGED, UNCHANGED, "", UNCHANGED, ""]


def test_faces_that_come_and_go_are_changes() -> None:
    options = GateOptions(min_expression_change=0.1)
    scenes = [
        pair(0, face("a")),
        pair(1, face("a"), face("b")),
        pair(2, face("a"), face("b")),
        pair(3, face("b")),
        pair(4),
    ]
    assert judged(options, *scenes) == ["", "", UNCHANGED, "", ""]


def test_an_expression_is_a_change_and_a_move_is_none() -> None:
    rng = np.random.default_rng(0)
    shape = rng.normal(0.0, 10.0, (68, 2)) + 50.0
    moved = 1.4 * shape @ np.array([[0.8, -0.6], [0.6, 0.8]]) + 20.0
    smiling = shape.copy()
    smiling[48:] *= (1.0, 1.3)
    roi = (40.0, 40.0, 40.0, 40.0)
    faces = [face(points=points, roi=roi) for points in (shape, moved, smiling)]
    options = GateOptions(min_expression_change=0.02)
    assert judged(options, *(pair(number, shown) for number, shown in enumerate(faces))) == ["", UNCHANGED, ""]


@given(
    angle=st.floats(-3.0, 3.0), scale=st.floats(0.2, 5.0), x=st.floats(-100, 100), y=st.floats(-100, 100),
    seed=st.integers(0, 100),
)  # fmt: skip
def test_a_shape_does_not_change_by_a_similarity(angle: float, scale: float, x: float, y: float, seed: int) -> None:
    points = np.random.default_rng(seed).normal(0.0, 20.0, (68, 2))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    roi = (0.0, 0.0, 80.0, 80.0)
    assert shape_change(face(points=points, roi=roi), face(points=points @ turn + (x, y), roi=roi)) < 1e-4


def test_a_closed_shutter_is_left_out() -> None:
    options = GateOptions(skip_shutter=True)
    still = image(np.random.default_rng(7).integers(20_000, 40_000, (16, 20), np.uint16), "mono16")
    frames = [pair(0), pair(1, thermal=still), pair(2, thermal=still), pair(3, thermal=still), pair(4)]
    assert judged(options, *frames) == ["", "", "", SHUTTER, ""]


def test_an_image_that_cannot_be_decoded_passes_and_is_told() -> None:
    gates = Gates(GateOptions(skip_shutter=True), IMAGE)
    assert gates(pair(0, thermal=image(np.zeros((4, 4), np.uint8), "bayer_unknown"))) == ""
    assert "bayer_unknown" in gates.unreadable
    assert gates(pair(1)) == "" and gates.unreadable == ""


@pytest.mark.parametrize("order", ["<", ">"])
def test_stamps_are_read_in_either_byte_order(order: str) -> None:
    import struct

    from thermal_fld_ros.recordings.messages import stamp_of

    flag = b"\x00\x01\x00\x00" if order == "<" else b"\x00\x00\x00\x00"
    assert stamp_of(flag + struct.pack(f"{order}iI", 1_700_000_000, 5) + b"rest") == 1_700_000_000_000_000_005
