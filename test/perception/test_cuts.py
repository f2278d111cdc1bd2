# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest
from dummy_models import face_scene

from thermal_fld_ros.perception.cuts import CutDetector
from thermal_fld_ros.perception.decoding import decode_array

CLIP = Path(__file__).parents[2] / "resource/demo_clip.npz"
SIZE = (160, 120)


def cuts(*images: np.ndarray) -> list[bool]:
    detector = CutDetector()
    return [detector.update(decode_array(image)) for image in images]


def test_a_moving_face_and_a_drifting_camera_are_no_cut() -> None:
    scene = [face_scene(SIZE, [(40 + 20 * k, 60, 50)], seed=k, background=29500 + 5 * k) for k in range(5)]
    assert cuts(*scene) == [False] * 5


def test_another_place_is_a_cut() -> None:
    room = face_scene(SIZE, [(40, 60, 30)])
    rng = np.random.default_rng(1)
    street = np.kron(rng.integers(26000, 32000, (12, 16)), np.ones((10, 10))).astype(np.uint16)
    assert cuts(room, room + 3, street, street + 3, room) == [False, False, True, False, True]


def test_gain_control_that_takes_another_range_is_no_cut() -> None:
    scene = face_scene(SIZE, [(80, 60, 60)], noise=5).astype(np.float32)
    dark = ((scene - scene.min()) / np.ptp(scene) * 120).astype(np.uint8)
    assert cuts(dark, dark + 100) == [False, False]


@pytest.mark.parametrize("celsius", [28.0, 34.0])
def test_a_body_that_passes_close_by_is_no_cut(celsius: float) -> None:
    """A person walks into the demo's clip until the body fills half of it, in half a second at 30 Hz."""
    frames = np.load(CLIP)["frames"][:15].copy()
    folds = np.random.default_rng(0).normal(0.0, 100.0, frames[0].shape)  # 1 degC
    for number, frame in enumerate(frames):
        edge = number * frame.shape[1] // 30
        frame[:, :edge] = (100.0 * (celsius + 273.15) + folds[:, :edge]).astype(np.uint16)
    assert cuts(*frames) == [False] * 15


@pytest.mark.parametrize("value", [0, 30000])
def test_flat_frames_are_no_cut(value: int) -> None:
    flat = np.full((120, 160), value, np.uint16)
    assert cuts(flat, flat, flat) == [False] * 3
