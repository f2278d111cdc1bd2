# SPDX-License-Identifier: Apache-2.0
"""Which image files belong together, by their names alone."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermal_fld_ros.labelling.matching import Matched, match_files, told_apart


def match(thermal: Iterable[str], rgb: Iterable[str], max_gap: float = 0.05, offset: float = 0.0) -> Matched:
    def files(folder: str, names: Iterable[str]) -> list[tuple[str, Path]]:
        return [(Path(name).with_suffix("").as_posix(), Path(folder, name)) for name in names]

    return match_files(files("t", thermal), files("v", rgb), max_gap, offset)


def names(matched: Matched) -> list[tuple[str, str]]:
    return [(pair.thermal.name, pair.rgb.name) for pair in matched.pairs]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("p1_thermal", ("thermal", "p1_")),
        ("ir0001", ("thermal", "0001")),
        ("vis0001", ("rgb", "0001")),
        ("infrared/train/010001", ("thermal", "train/010001")),
        ("visible/train/010001", ("rgb", "train/010001")),
        ("thermal_8_bit/FLIR_00001", ("thermal", "FLIR_00001")),
        ("RGB/FLIR_00001", ("rgb", "FLIR_00001")),
        ("set00/V000/lwir/I00000", ("thermal", "set00/V000/I00000")),
        ("thermal/p1_rgb", ("rgb", "thermal/p1_")),
        ("FLIR_00001", None),
    ],
)
def test_words_tell_the_cameras_apart(name: str, expected: tuple[str, str] | None) -> None:
    assert told_apart(name) == expected


def test_times_go_with_the_nearest() -> None:
    thermal = [f"frame_{1_700_000_000_000 + 111 * k}.png" for k in range(6)]
    rgb = [f"frame_{1_700_000_000_004 + 111 * k}.png" for k in range(6)]
    matched = match(thermal, rgb)
    assert names(matched) == list(zip(thermal, rgb, strict=True))
    assert not matched.left_out and "times" in matched.how
    assert [pair.gap for pair in matched.pairs] == pytest.approx([0.004] * 6, abs=1e-5)
    assert names(match(thermal, rgb, max_gap=0.001)) == []
    assert names(match(thermal, rgb, max_gap=0.001, offset=-0.004)) == list(zip(thermal, rgb, strict=True))


def test_a_slow_and_a_fast_camera_leave_images_over_which_are_counted() -> None:
    thermal = [f"{1_700_000_000_000_000 + 111_111 * k}.tiff" for k in range(5)]
    rgb = [f"{1_700_000_000_002_000 + 33_333 * k}.jpg" for k in range(20)]
    matched = match(thermal, rgb)
    assert len(matched.pairs) == 5
    assert matched.left_out == {"no thermal image at its time": 15}


def test_one_time_for_a_whole_recording_is_none_of_its_images() -> None:
    thermal = [f"20260131_120000_{k}_t.png" for k in range(3)]
    rgb = [f"20260131_120000_{k}_v.png" for k in range(3)]
    assert names(match(thermal, rgb)) == list(zip(thermal, rgb, strict=True))


def test_indices_are_matched_as_numbers() -> None:
    matched = match([f"ir-{k:04d}.png" for k in range(8, 12)], [f"vis{k}.png" for k in range(9, 13)])
    assert names(matched) == [("ir-0009.png", "vis9.png"), ("ir-0010.png", "vis10.png"), ("ir-0011.png", "vis11.png")]
    assert "numbers" in matched.how
    assert matched.left_out == {"no RGB image of its name": 1, "no thermal image of its name": 1}


def test_of_two_images_of_one_name_the_richer_is_taken() -> None:
    matched = match(["1.png", "1.tiff", "2.jpg"], ["1.jpg", "2.jpg"])
    assert names(matched) == [("1.tiff", "1.jpg"), ("2.jpg", "2.jpg")]
    assert matched.left_out == {"another image of the same name or number": 1}


NAMES = st.lists(
    st.one_of(
        st.from_regex(r"[ab]_[0-9]{1,3}\.(png|tif)", fullmatch=True),
        st.integers(0, 30).map(lambda k: f"f_{1_700_000_000_000 + 17 * k}.png"),
        st.from_regex(r"x_[0-9]_[12]\.png", fullmatch=True),
    ),
    max_size=12,
    unique=True,
)


@given(NAMES, NAMES)
def test_every_image_is_in_one_pair_or_counted(thermal: list[str], rgb: list[str]) -> None:
    matched = match(thermal, rgb)
    used = [file for pair in matched.pairs for file in (pair.thermal, pair.rgb)]
    assert len(set(used)) == len(used)
    assert len(used) + matched.left_out.total() == len(thermal) + len(rgb)
