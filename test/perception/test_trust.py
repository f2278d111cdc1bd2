# SPDX-License-Identifier: Apache-2.0
"""What the shipped networks publish of rendered people who turn their backs, and across cuts (`test/make_turns.py`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from thermal_fld_ros.perception.decoding import UNITS, Decoding, decode_array
from thermal_fld_ros.perception.pipeline import Face, Pipeline, PipelineOptions

TURNS = Path(__file__).with_name("turns.npz")
DECODING = Decoding(unit=UNITS["centikelvin"])


@pytest.fixture(scope="module")
def turns() -> dict[str, Any]:
    with np.load(TURNS) as data:
        return {name: data[name] for name in data.files}


def publish(frames: NDArray[np.uint16], fps: float) -> tuple[list[list[Face]], Pipeline]:
    pipeline = Pipeline(PipelineOptions(smoothing=False))
    return [pipeline(decode_array(frame, DECODING), k / fps) for k, frame in enumerate(frames)], pipeline


def error(face: Face, points: NDArray[np.float32]) -> float:
    """Mean point error in percent of the root of the box's area."""
    size = float(np.sqrt(np.prod(np.ptp(points, axis=0))))
    return float(np.linalg.norm(face.points - points, axis=1).mean() / size * 100)


def test_faces_are_published_in_front_and_not_on_the_backs_of_heads(turns: dict[str, Any]) -> None:
    front, back, wrong = [], [], []
    turned = np.abs((turns["yaw"] + 180) % 360 - 180)
    for frames, points in zip(turns["frames"], turns["points"], strict=True):
        found, _ = publish(frames, float(turns["fps"]))
        front += [bool(faces) for faces, angle in zip(found, turned, strict=True) if angle < 50]
        back += [
            len(faces) for faces, angle in zip(found, turned, strict=True) if angle > 145
        ]  # 0.6 s after the profile
        wrong += [
            error(face, truth) > 10.0
            for faces, truth, angle in zip(found, points, turned, strict=True)
            for face in faces
            if angle < 80
        ]
    assert np.mean(front) > 0.9
    assert sum(back) == 0
    assert np.mean(wrong) <= 0.01


def test_nobody_takes_over_a_face_or_an_id_across_a_cut(turns: dict[str, Any]) -> None:
    """Four people, each seen for five frames from the front, in a row as if they were one recording."""
    frames, points = turns["frames"][:, :5].reshape(-1, 96, 96), turns["points"][:, :5].reshape(-1, 68, 2)
    found, pipeline = publish(frames, float(turns["fps"]))
    assert pipeline.statistics.cuts == 3
    ids = [{face.id for faces in found[start : start + 5] for face in faces} for start in range(0, 20, 5)]
    assert all(not one & other for k, one in enumerate(ids) for other in ids[:k])
    errors = [error(face, truth) for faces, truth in zip(found, points, strict=True) for face in faces]
    assert len(errors) >= 16
    assert max(errors) < 10.0
