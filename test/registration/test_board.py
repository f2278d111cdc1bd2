# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from thermal_fld_ros.__main__ import main
from thermal_fld_ros.registration.board import board_view, find_board
from thermal_fld_ros.registration.estimation import estimate_plane
from thermal_fld_ros.registration.registration import Homography, read_registration

PATTERN = (6, 5)
UNIT = 20  # pixels of a square of the drawing
FINE = 4  # by which pictures are drawn larger and averaged down


def corners() -> NDArray[np.float64]:
    """Of the drawing, in its pixels, row by row."""
    x, y = np.meshgrid(np.arange(PATTERN[0]), np.arange(PATTERN[1]))
    return (np.stack([x, y], axis=-1).reshape(-1, 2) + 2.0) * UNIT - 0.5


def picture(
    matrix: NDArray[np.float64], size: tuple[int, int], dark: float, bright: float, noise: float
) -> NDArray[np.float64]:
    """A board under a homography from its drawing, with a margin of bright around it."""
    drawing = np.full(((PATTERN[1] + 3) * UNIT, (PATTERN[0] + 3) * UNIT), bright, np.float32)
    for row, column in itertools.product(range(PATTERN[1] + 1), range(PATTERN[0] + 1)):
        if (row + column) % 2 == 0:
            drawing[(row + 1) * UNIT : (row + 2) * UNIT, (column + 1) * UNIT : (column + 2) * UNIT] = dark
    enlarge = np.array([[FINE, 0, (FINE - 1) / 2], [0, FINE, (FINE - 1) / 2], [0, 0, 1]])
    large = cv2.warpPerspective(drawing, enlarge @ matrix, (size[0] * FINE, size[1] * FINE), borderValue=bright)
    small = cv2.resize(large, size, interpolation=cv2.INTER_AREA)
    return small + np.random.default_rng(0).normal(0.0, noise, small.shape)


THERMAL = np.array([[0.75, 0.06, 12], [-0.05, 0.72, 15], [1e-4, 0, 1]])
RGB = np.array([[2.4, -0.1, 60], [0.15, 2.5, 30], [0, 2e-4, 1]])


def thermal_counts(hot_is_dark_square: bool) -> NDArray[np.uint16]:
    """160 x 120, 0.01 K a count; the dark squares of a board are the warm ones, as they take up more of a lamp's light."""
    cool, warm = 29_600.0, 30_100.0
    dark, bright = (warm, cool) if hot_is_dark_square else (cool, warm)
    return np.round(picture(THERMAL, (160, 120), dark, bright, 8.0)).astype(np.uint16)


def rgb_image() -> NDArray[np.uint8]:
    grey = np.clip(picture(RGB, (640, 480), 30.0, 220.0, 3.0), 0, 255).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


@pytest.mark.parametrize("hot_is_dark_square", [True, False])
def test_a_board_is_found_in_either_polarity(hot_is_dark_square: bool) -> None:
    thermal, rgb = find_board(thermal_counts(hot_is_dark_square), PATTERN), find_board(rgb_image(), PATTERN)
    assert thermal is not None and rgb is not None
    view = board_view("a", thermal, rgb, PATTERN, 0.05)
    expected = Homography(RGB @ np.linalg.inv(THERMAL))
    assert np.linalg.norm(expected.to_rgb(view.thermal) - view.rgb, axis=1).max() < 1.0, "corner on corner, sub-pixel"
    estimate, _ = estimate_plane([view], (160, 120), "homography")
    assert estimate.figures()["held_out"]["median"] < 0.6
    assert view.model is not None and np.allclose(np.linalg.norm(np.diff(view.model[:6], axis=0), axis=1), 0.05)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cv2.imwrite(str(tmp_path / "a_thermal.png"), np.vstack([np.full((4, 160), 7, np.uint16), thermal_counts(True)]))
    cv2.imwrite(str(tmp_path / "a_rgb.png"), rgb_image())
    for number in range(2):
        cv2.imwrite(str(tmp_path / f"b{number}_thermal.png"), np.full((124, 160), 300, np.uint16))
        cv2.imwrite(str(tmp_path / f"b{number}_rgb.png"), rgb_image())
    out = tmp_path / "registration.json"
    assert main(["register", str(tmp_path), "--board", "6x5", "--rows", "4", "0", "--out", str(out)]) == 0
    assert "left out: 2 pairs, no board in the thermal image" in capsys.readouterr().out
    expected = Homography(RGB @ np.linalg.inv(THERMAL))
    points = np.array([(40.0, 40.0), (110, 90)])
    assert np.abs(read_registration(out).to_rgb(points + np.array([0, 4])) - expected.to_rgb(points)).max() < 1.0
    assert out.with_suffix(".png").is_file()


def test_corners_lie_where_they_were_drawn() -> None:
    found = find_board(thermal_counts(True), PATTERN)
    assert found is not None
    expected = Homography(THERMAL).to_rgb(corners())
    nearest = np.linalg.norm(found[:, None] - expected[None], axis=2).min(axis=1)
    assert nearest.max() < 0.2


def test_no_board() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (120, 160)).astype(np.uint8)
    assert find_board(noise, PATTERN) is None
    assert find_board(np.zeros((120, 160), np.uint16), PATTERN) is None


@settings(max_examples=40)
@given(st.booleans(), st.booleans(), st.booleans(), st.floats(-0.6, 0.6), st.sampled_from([(6, 5), (5, 5)]))
def test_the_order_in_which_corners_are_found_does_not_matter(
    rows: bool, columns: bool, transpose: bool, turn: float, pattern: tuple[int, int]
) -> None:
    grid = np.stack(np.meshgrid(np.arange(pattern[0]), np.arange(pattern[1])), axis=-1) * 10.0
    turned = grid @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) * 3 + 50
    other = turned[::-1] if rows else turned
    other = other[:, ::-1] if columns else other
    if transpose and pattern[0] == pattern[1]:
        other = other.transpose(1, 0, 2)
    view = board_view("a", grid.reshape(-1, 2), other.reshape(-1, 2), pattern, 0.0)
    assert np.allclose(view.rgb, turned.reshape(-1, 2)) and view.model is None
