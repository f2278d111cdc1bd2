# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from face_model import write_face_model

with contextlib.suppress(ModuleNotFoundError):  # numba; the tests' own imports skip them with the reason
    from thermal_fld_ros.synthesis.shards import Recipe, render_shards


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a few rendered ``faces`` and ``frames``, and two ``scenes`` without a face."""
    folder = tmp_path_factory.mktemp("rendered")
    model = write_face_model(folder / "FaceXModel")
    list(render_shards(model, folder / "faces", Recipe("face", 32, 0, (160, 160))))
    list(render_shards(model, folder / "frames", Recipe("frame", 16, 0, (320, 256))))
    (folder / "scenes").mkdir()
    for seed in range(2):
        noise = np.random.default_rng(seed).integers(0, 256, (6, 8), np.uint8)
        cv2.imwrite(str(folder / f"scenes/{seed}.png"), cv2.resize(noise, (320, 240)))
    return folder


@pytest.fixture(scope="session")
def rendered_pairs(rendered: Path) -> Path:
    """Folder of a few rendered pairs of 64 pixels."""
    list(render_shards(rendered / "FaceXModel", rendered / "pairs", Recipe("pair", 48, 0, (64, 64))))
    return rendered / "pairs"
