# SPDX-License-Identifier: Apache-2.0
"""The shipped networks on the packaged clip, whose points are known."""

from pathlib import Path

import numpy as np
import pytest

from thermal_fld_ros.perception.decoding import UNITS, Decoding, decode_array
from thermal_fld_ros.perception.models import default_model_folder
from thermal_fld_ros.perception.pipeline import Face, Pipeline, PipelineOptions

CLIP = Path(__file__).parents[2] / "resource/demo_clip.npz"
TOGETHER = 10 * 1024**2
"""Bytes that the folder of models may have."""


def nearest(faces: list[Face], points: np.ndarray) -> Face:
    return min(faces, key=lambda face: np.abs(face.points.mean(axis=0) - points.mean(axis=0)).max())


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_the_sitter_of_the_clip_is_found_and_followed(rotation: int) -> None:
    with np.load(CLIP) as clip:
        frames, truth, fps = clip["frames"], clip["points"], float(clip["fps"])
    pipeline = Pipeline(PipelineOptions(smoothing=False))
    decoding = Decoding(unit=UNITS["centikelvin"], rotation=rotation)
    errors, ids = [], set()
    for k, (frame, points) in enumerate(zip(frames, truth, strict=True)):
        # the camera is mounted so that the incoming image must be turned clockwise by `rotation` to be upright
        turns = rotation // 90
        incoming = np.ascontiguousarray(np.rot90(frame, turns))
        faces = pipeline(decode_array(incoming, decoding), k / fps)
        expected = turned(points, turns, frame.shape)
        face = nearest(faces, expected)
        ids.add(face.id)
        box = np.sqrt(np.prod(np.ptp(expected, axis=0)))
        errors.append(np.linalg.norm(face.points - expected, axis=1).mean() / box)
    assert len(ids) == 1
    assert np.mean(errors) < 0.05


def turned(points: np.ndarray, turns: int, shape: tuple[int, int]) -> np.ndarray:
    """Points after `np.rot90(image, turns)` of an image of that shape."""
    height, width = shape
    for _ in range(turns):
        points = np.column_stack([points[:, 1], width - 1 - points[:, 0]])
        height, width = width, height
    return points


def test_the_folder_of_models_stays_small() -> None:
    assert sum(file.stat().st_size for file in default_model_folder().rglob("*")) < TOGETHER
