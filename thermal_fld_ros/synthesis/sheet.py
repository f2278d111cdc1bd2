# SPDX-License-Identifier: Apache-2.0
"""A contact sheet of renders: look at it beside real thermal images."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.normalisation import Normalisation, normalise
from thermal_fld_ros.synthesis.morphable import load_morphable_model
from thermal_fld_ros.synthesis.scene import Renderer, Rendering


def draw(rendering: Rendering) -> NDArray[np.uint8]:
    """BGR picture (H, W, 3) of a rendering; landmarks green where visible, red where hidden."""
    grey = normalise(rendering.celsius, Normalisation("percentile", 1.0, 99.0))
    picture = np.repeat((grey * 255).astype(np.uint8)[:, :, None], 3, axis=2)
    for face in rendering.faces:
        for (x, y), visible in zip(face.points, face.visible, strict=True):
            colour = (0, 255, 0) if visible else (0, 0, 255)
            cv2.circle(picture, (round(x * 8), round(y * 8)), 8, colour, -1, cv2.LINE_AA, 3)
    return picture


def contact_sheet(face_model: Path, out: Path, kind: str, count: int, seed: int, columns: int = 8) -> None:
    """Write a PNG of ``count`` renders; every other one is drawn without landmarks, so that both can be judged."""
    renderer = Renderer(load_morphable_model(face_model))
    tiles = []
    for k in range(count):
        rng = np.random.default_rng(seed + k)
        rendering = renderer.render(renderer.sample_face(rng) if kind == "face" else renderer.sample_frame(rng))
        if k % 2:
            rendering.faces.clear()
        tiles.append(draw(rendering))
    tiles += [np.zeros_like(tiles[0])] * (-count % columns)
    rows = [np.hstack(tiles[k : k + columns]) for k in range(0, len(tiles), columns)]
    if not cv2.imwrite(str(out), np.vstack(rows)):
        raise OSError(f"cannot write {out}")
