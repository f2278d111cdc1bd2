# SPDX-License-Identifier: Apache-2.0
"""What people, cameras and trackers do to a crop, at training time: so that one render stands for many images."""

from __future__ import annotations

from collections.abc import Callable, Container

import cv2
import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.synthesis.gain import gain_control

Array = NDArray[np.float32]


def appearance(image: Array, rng: np.random.Generator, without: Container[str] = ()) -> Array:
    """A rendered crop (S, S) float32 in any unit as some camera might show it, grey values in [0, 1].

    ``without`` names ingredients of ``INGREDIENTS``, or "gain", to leave out.
    """
    for name, (probability, change) in INGREDIENTS.items():
        if rng.random() < probability and name not in without:
            image = change(image, rng)
    if "gain" in without:
        return np.asarray((image - image.min()) / max(float(np.ptp(image)), 1e-3), np.float32)
    return gain_control(image, rng)


def uneven_warmth(image: Array, rng: np.random.Generator) -> Array:
    """Sun, draught or a warm lamp from one side: a smooth random field is added."""
    height, width = image.shape
    low, high = np.percentile(image[::3, ::3], [5, 95])
    grid = rng.standard_normal((int(rng.integers(2, 7)),) * 2, np.float32)
    field = cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(image + field * np.float32((high - low) * rng.uniform(0, 0.35)), np.float32)


def restyle(image: Array, rng: np.random.Generator) -> Array:
    """A small random convolutional network over the image, mixed with the image: shapes stay, textures and contrasts change.

    Global intensity non-linear augmentation (Ouyang et al., IEEE Transactions on Medical Imaging 2023).
    """
    low, high = np.percentile(image[::3, ::3], [1, 99])
    image = np.asarray((image - low) * (2 / max(high - low, 1e-3)) - 1, np.float32)
    maps = [image]
    for width in (2, 2, 1):
        size = int(rng.choice([1, 3]))
        layer = []
        for _ in range(width):
            total = np.full_like(image, rng.normal(0, 0.5))
            for one in maps:
                total += cv2.filter2D(one, -1, rng.standard_normal((size, size), np.float32))
            layer.append(np.maximum(total, 0.1 * total) if width > 1 else total)
        maps = layer
    styled = (maps[0] - maps[0].mean()) * (image.std() / (maps[0].std() + 1e-6))
    share = np.float32(rng.random())
    return np.asarray(share * image + (1 - share) * styled, np.float32)


def small_face(image: Array, rng: np.random.Generator) -> Array:
    """A face of 12 to 75 pixels."""
    return lower_resolution(image, float(np.exp(rng.uniform(np.log(0.16), 0))), rng)


def lower_resolution(image: Array, factor: float, rng: np.random.Generator) -> Array:
    """The image as a camera with fewer pixels (``factor`` < 1) delivers it, brought back to its size."""
    height, width = image.shape
    small = cv2.resize(
        image, (max(4, round(width * factor)), max(4, round(height * factor))), interpolation=cv2.INTER_AREA
    )
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


# What may happen to a crop before gain control, and how often.
INGREDIENTS: dict[str, tuple[float, Callable[[Array, np.random.Generator], Array]]] = {
    "warmth": (0.25, uneven_warmth),
    "style": (0.1, restyle),
    "resolution": (0.55, small_face),
    "patches": (0.15, occlude),
    "borders": (0.2, cut_borders),
}


def colour_appearance(image: Array, rng: np.random.Generator) -> Array:
    """A colour crop (S, S, 3) float32 in [0, 1] as another camera or another light might show it."""
    image = image * np.exp(rng.normal(0, 0.15) + rng.normal(0, 0.06, 3)).astype(np.float32)  # exposure, white balance
    image = np.clip(image, 0, 1) ** np.float32(np.exp(rng.normal(0, 0.2)))
    if rng.random() < 0.25:
        grey = image.mean(axis=2, keepdims=True)
        image = grey + np.float32(rng.random()) * (image - grey)
    if rng.random() < 0.3:  # few pixels
        size, factor = len(image), float(np.exp(rng.uniform(np.log(0.25), 0)))
        small = cv2.resize(image, (max(4, round(size * factor)),) * 2, interpolation=cv2.INTER_AREA)
        image = np.asarray(cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)
    if rng.random() < 0.3:
        image = image + rng.standard_normal(image.shape, np.float32) * np.float32(rng.exponential(0.02))
    return np.asarray(np.clip(image, 0, 1), np.float32)
