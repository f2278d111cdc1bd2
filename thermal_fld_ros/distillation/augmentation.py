# SPDX-License-Identifier: Apache-2.0
"""What cameras and trackers do to an image, at training time: resolution, gain control, compression, borders."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

# Index of each iBUG point's mirror image.
MIRROR68 = np.array([*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31, 45, 44, 43, 42, 47, 46, 39, 38,
                     37, 36, 41, 40, 54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65])  # fmt: skip


def lower_resolution(image: Array, factor: float, rng: np.random.Generator) -> Array:
    """The image as a camera with fewer pixels (``factor`` < 1) delivers it, brought back to its size."""
    height, width = image.shape
    small = cv2.resize(image, (max(4, round(width * factor)), max(4, round(height * factor))), interpolation=cv2.INTER_AREA)
    small += rng.standard_normal(small.shape, np.float32) * np.float32(rng.exponential(0.01) * np.ptp(small))
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def cut_borders(image: Array, rng: np.random.Generator) -> Array:
    """The face at the image's edge: beyond one or two lines the border pixel is repeated, as sampling does."""
    size = len(image)
    image = image.copy()
    for _ in range(rng.integers(1, 3)):
        depth = int(rng.uniform(0.05, 0.4) * size)
        turn = int(rng.integers(4))
        view = np.rot90(image, turn)
        view[:depth] = view[depth]
    return image


def occlude(image: Array, rng: np.random.Generator) -> Array:
    """A flat or noisy rectangle or disc over part of the image."""
    size = len(image)
    image = image.copy()
    value = float(rng.uniform(image.min(), image.max()))
    x, y = (int(v) for v in rng.uniform(0, size, 2))
    half = rng.uniform(0.05, 0.22, 2) * size
    if rng.random() < 0.5:
        corners = cv2.boxPoints(((float(x), float(y)), tuple(2 * half), rng.uniform(0, 90)))
        cv2.fillPoly(image, [corners.astype(np.int32)], value)
    else:
        cv2.ellipse(image, (x, y), (int(half[0]) + 1, int(half[1]) + 1), rng.uniform(0, 180), 0, 360, value, -1)
    return image
