# SPDX-License-Identifier: Apache-2.0
"""A folder is a sequence if its names count up and its pictures agree."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from dummy_models import face_scene

from thermal_fld_ros.perception.decoding import Decoding
from thermal_fld_ros.recordings.continuity import follows_in_time
from thermal_fld_ros.recordings.opening import open_source


def folder(path: Path, names: list[str], images: list[np.ndarray]) -> Path:
    path.mkdir()
    for name, image in zip(names, images, strict=True):
        cv2.imwrite(str(path / name), image)
    return path


def moving(count: int) -> list[np.ndarray]:
    return [face_scene((160, 120), [(60 + 2 * k, 60, 60)], seed=k) for k in range(count)]


def unlike(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    places = rng.uniform((20, 20), (140, 100), (count, 2))
    return [face_scene((160, 120), [(x, y, 40)], seed=k) for k, (x, y) in enumerate(places)]


@pytest.mark.parametrize(
    ("names", "images", "expected", "why"),
    [
        ([f"frame_{k}.png" for k in range(7, 13)], moving(6), True, "count up"),
        ([f"img_{1700000000000 + 40 * k}.png" for k in range(6)], moving(6), True, "count up"),
        ([f"{k:03d}_03.png" for k in range(6)], unlike(6), False, "pictures differ"),
        (["anna.png", "ben.png", "cleo.png"], moving(3), False, "names do not count up"),
        (["one1.png"], moving(1), False, "no two images"),
    ],
)
def test_names_and_pictures_tell(
    tmp_path: Path, names: list[str], images: list[np.ndarray], expected: bool, why: str
) -> None:
    related, reason = follows_in_time(open_source(folder(tmp_path / "in", names, images)), Decoding())
    assert (related, why in reason) == (expected, True)


def test_a_recording_is_a_sequence(tmp_path: Path) -> None:
    np.save(tmp_path / "clip.npy", np.stack(unlike(3)))
    assert follows_in_time(open_source(tmp_path / "clip.npy"), Decoding())[0]
