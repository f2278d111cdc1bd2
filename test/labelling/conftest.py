# SPDX-License-Identifier: Apache-2.0
"""Recordings of warm ellipses that are bright ellipses in RGB, and an interpreter with a Face Mesh that finds these."""

from __future__ import annotations

import json
import shutil
import stat
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from capture_messages import TOPICS, image
from dummy_models import face_aspect, face_scene, face_template
from numpy.typing import NDArray

from thermal_fld_ros.__main__ import main
from thermal_fld_ros.capture.bag import BagWriter
from thermal_fld_ros.capture.episode import Episode, EpisodeOptions, Label
from thermal_fld_ros.capture.pair import CapturedPair
from thermal_fld_ros.perception.geometry import Affine
from thermal_fld_ros.recordings.messages import RGB, THERMAL

THERMAL_SIZE, RGB_SIZE = (160, 120), (420, 320)
TO_RGB = Affine(np.array([[2.0, 0.0, 40.0], [0.0, 2.0, 30.0]]))
SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND

Place = tuple[float, float]


def thermal_pixels(place: Place | None, seed: int, width: float = 40.0) -> NDArray[np.uint16]:
    return face_scene(THERMAL_SIZE, [(*place, width)] if place else [], seed=seed)


def rgb_pixels(place: Place | None, seed: int, width: float = 40.0, blur: float = 0.0) -> NDArray[np.uint8]:
    """(H, W, 3) BGR: a textured bright ellipse where the registration says that the thermal one is."""
    rng = np.random.default_rng(seed)
    image = np.full((RGB_SIZE[1], RGB_SIZE[0], 3), 40, np.uint8)
    if place:
        (x, y), w = TO_RGB(place), width * TO_RGB.scale
        columns, rows = np.meshgrid(np.arange(RGB_SIZE[0]), np.arange(RGB_SIZE[1]))
        inside = ((columns - x) / (w / 2)) ** 2 + ((rows - y) / (w * face_aspect() / 2)) ** 2 <= 1.0
        texture = rng.integers(-50, 50, (*inside.shape, 1)) * np.ones(3)
        image[inside] = (180 + texture[inside]).astype(np.uint8)
    return cv2.GaussianBlur(image, (0, 0), blur).astype(np.uint8) if blur else image


def truth(place: Place, width: float = 40.0) -> NDArray[np.float64]:
    """The points that the ellipse stands for, in the whole thermal image."""
    return np.array(place) + face_template().astype(np.float64) * (width, width * face_aspect())


def places(count: int, seed: int = 0) -> list[Place]:
    rng = np.random.default_rng(seed)
    return [(float(x), float(y)) for x, y in rng.uniform((50, 45), (110, 75), (count, 2))]


def captured(
    folder: Path,
    thermal: Sequence[bytes],
    rgb: Sequence[bytes],
    subject: str = "",
    stamps: Sequence[int] | None = None,
    topics: dict[str, Any] = TOPICS,
) -> Path:
    """A bag of the capture node."""
    label = Label(subject, "form 7" if subject else "")
    options = EpisodeOptions(min_free_space=0.0, flush_period=0.05)
    folder.parent.mkdir(parents=True, exist_ok=True)
    episode = Episode(folder, topics, options, label, {"clock_offset": 0.0}, dict, print)
    for k, (one, other) in enumerate(zip(thermal, rgb, strict=True)):
        episode.put(CapturedPair({THERMAL: one, RGB: other}, stamps[k] if stamps else START + k * SECOND // 9, 0))
    episode.stop()
    assert episode.written == len(thermal)
    return folder


def episode(folder: Path, at: Sequence[Place | None], subject: str = "", seed: int = 0) -> Path:
    """A bag of the capture node with a face at each of these places, 9 a second."""
    stamps = [START + k * SECOND // 9 for k in range(len(at))]
    thermal = [image(thermal_pixels(p, seed + k), "mono16", stamps[k]) for k, p in enumerate(at)]
    rgb = [image(rgb_pixels(p, seed + k), "bgr8", stamps[k] + 4_000_000) for k, p in enumerate(at)]
    return captured(folder, thermal, rgb, subject)


def plain_bag(folder: Path, thermal: dict[int, bytes], rgb: dict[int, bytes], topics: dict[str, Any] = TOPICS) -> Path:
    """A bag as `ros2 bag record` writes it: messages at the times (ns) at which they arrived."""
    writer = BagWriter(folder, "mcap", list(topics.values()))
    arrivals = [(time, THERMAL, data) for time, data in thermal.items()] + [(t, RGB, data) for t, data in rgb.items()]
    for time, role, data in sorted(arrivals):
        writer.write(time, {topics[role].name: data})
    writer.close()
    return folder


@pytest.fixture(scope="session")
def teacher_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter in whose environment Face Mesh finds bright ellipses."""
    folder = tmp_path_factory.mktemp("environment")
    shutil.copy(Path(__file__).with_name("fake_face_mesh.py"), folder)
    np.save(folder / "template.npy", face_template())
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{folder / "fake_face_mesh.py"}"\n')
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    return python


@pytest.fixture
def registration(tmp_path: Path) -> Path:
    path = tmp_path / "registration.json"
    path.write_text(json.dumps({"homography": [*TO_RGB.matrix.tolist(), [0, 0, 1]]}))
    return path


@pytest.fixture
def dataset(dummy_models: Path, teacher_python: Path, registration: Path) -> Callable[..., int]:
    """The command with these models, this teacher and this registration; its exit status."""

    def dataset(out: Path, *arguments: Any, **changes: Any) -> int:
        options = {
            "--registration": registration, "--teacher-python": teacher_python, "--models": dummy_models,
            "--unit": "centikelvin", **{f"--{key.replace('_', '-')}": value for key, value in changes.items()},
        }  # fmt: skip
        given = [text for pair in options.items() if pair[1] is not None for text in map(str, pair)]
        return main(["dataset", *map(str, arguments), "--out", str(out), *given])

    return dataset
