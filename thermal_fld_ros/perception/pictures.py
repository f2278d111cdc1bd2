# SPDX-License-Identifier: Apache-2.0
"""Shared by all drawn pictures: subpixel dots, legible text, tiled sheets, files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.normalisation import Normalisation

Picture = NDArray[np.uint8]
"""(H, W, 3), BGR."""

Colour = tuple[int, int, int]

SHIFT = 4
"""Fractional bits of drawn coordinates."""

CONTRAST = Normalisation("percentile", 1.0, 99.0)
"""From thermal values to grey for people to look at: two percent are clipped."""

INK, OUTLINE = (235, 235, 235), (0, 0, 0)


def fixed_point(point: NDArray[np.float64]) -> tuple[int, int]:
    """A point as OpenCV draws it with `shift=SHIFT`; what is far outside of any picture comes nearer."""
    x, y = np.clip(np.rint(point * (1 << SHIFT)), -(2**20), 2**20).astype(int).tolist()
    return x, y


def dot(picture: Picture, point: NDArray[np.float64], colour: Colour, radius: int) -> None:
    """Draw a filled circle, its centre to a fraction of a pixel."""
    cv2.circle(picture, fixed_point(point), radius << SHIFT, colour, cv2.FILLED, cv2.LINE_AA, SHIFT)


def write_text(picture: Picture, place: tuple[int, int], text: str, height: float = 0.45) -> None:
    """Light text with a dark outline, its baseline beginning at a place; `height` is OpenCV's scale."""
    for colour, thickness in ((OUTLINE, 3), (INK, 1)):
        cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, height, colour, thickness, cv2.LINE_AA)


def tiled(tiles: Sequence[Picture], columns: int) -> Picture:
    """Pictures of one size in rows, the last row filled with black."""
    missing = [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    whole = [*tiles, *missing]
    return np.vstack([np.hstack(whole[k : k + columns]) for k in range(0, len(whole), columns)])


def write_image(path: Path, pixels: NDArray[Any], settings: Sequence[int] = ()) -> None:
    """Write an image file as `cv2.imwrite` does; raises OSError where that fails."""
    if not cv2.imwrite(str(path), pixels, settings):
        raise OSError(f"{path}: cannot be written")
