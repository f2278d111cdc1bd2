# SPDX-License-Identifier: Apache-2.0
"""Single images that OpenCV reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.compression import read_code
from thermal_fld_ros.recordings.source import RawImage, Reading, Source, SourceError, image_of_array, reading

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".pgm", ".ppm", ".webp")


def open_image(path: Path, options: Reading) -> Source:
    """One image of 8 or 16 bit; raises SourceError where its beginning is that of no image."""
    return Source(path, "image", 1, lambda: iter([_read(path)]))


def read_pixels(path: Path) -> NDArray[Any]:
    """The pixels as they are, (H, W) or (H, W, C) in OpenCV's order; raises SourceError."""
    with reading(path):
        content = np.fromfile(path, dtype=np.uint8)
    array = read_code(content)
    if array is None:
        state = "it is empty" if not content.size else "it is cut short, damaged, or of another type than its name says"
        raise SourceError(f"{path}: not an image that OpenCV can read: {state}")
    return array


def _read(path: Path) -> RawImage:
    return image_of_array(read_pixels(path), path.name)
