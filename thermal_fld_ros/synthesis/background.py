# SPDX-License-Identifier: Apache-2.0
"""What lies behind people: walls, windows, lamps, machines, sky and sun-lit ground; degC."""

from __future__ import annotations

import cv2
import numpy as np

from thermal_fld_ros.synthesis.morphable import Array


def background(width: int, height: int, ambient: float, clutter: int, rng: np.random.Generator) -> Array:
    """Walls, windows, lamps, machines, sky and sun-lit ground: temperatures (H, W) float32 degC."""
    grid = rng.normal(0, rng.exponential(0.8), (rng.integers(2, 6), rng.integers(2, 6))).astype(np.float32)
    image = ambient + cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.15:
        fine = rng.normal(0, rng.exponential(0.5), (height // 8 + 1, width // 8 + 1)).astype(np.float32)
        image += cv2.resize(fine, (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(clutter):
        skin = rng.normal(33, 1.5) - ambient  # hands, cups, animals: as warm as a face
        t = float(ambient + rng.choice([rng.normal(0, 2), rng.normal(3, 5), rng.uniform(5, 25), skin], p=[0.45, 0.25, 0.12, 0.18]))
        _clutter_shape(image, t, rng)
    return image


def _clutter_shape(image: Array, t: float, rng: np.random.Generator) -> None:
    height, width = image.shape
    x, y = int(rng.uniform(-0.1, 1.1) * width), int(rng.uniform(-0.1, 1.1) * height)
    size = np.exp(rng.uniform(np.log(0.03), np.log(0.7))) * width
    kind = rng.integers(7)
    if kind == 0:  # lamps, cups, plates, a second black body
        axes = (int(size / 2 * rng.uniform(0.5, 1)) + 1, int(size / 2) + 1)
        cv2.ellipse(image, (x, y), axes, rng.uniform(0, 180), 0, 360, t, -1)
        if rng.random() < 0.4:
            inner = (max(axes[0] // 3, 1), max(axes[1] // 3, 1))
            cv2.ellipse(image, (x, y), inner, 0, 0, 360, t + float(rng.normal(0, 4)), -1)
    elif kind == 1:  # windows, screens, boxes
        corners = cv2.boxPoints(((float(x), float(y)), (size, size * rng.uniform(0.2, 2)), float(rng.normal(0, 6))))
        cv2.fillPoly(image, [corners.astype(np.int32)], t)
    elif kind == 2:  # tubes, cables, edges
        a = rng.uniform(0, 2 * np.pi)
        end = (int(x + size * 1.5 * np.cos(a)), int(y + size * 1.5 * np.sin(a)))
        cv2.line(image, (x, y), end, t, int(rng.integers(1, max(2, width // 25))))
    elif kind == 3:  # a wall or floor to the border
        angle = rng.normal(0, 0.3) + rng.choice([0, np.pi / 2])
        yy, xx = np.mgrid[:height, :width]
        side = (xx - x) * np.cos(angle) + (yy - y) * np.sin(angle) > 0
        image[side] += t - image.mean()
    elif kind == 4:  # a black body, a loudspeaker, a machine: discs in a frame, which have a face's layout
        _device(image, (x, y), size, t, rng)
    elif kind == 5:  # foliage, rubble: fractal texture up to an irregular edge
        texture = _fractal(width, height, rng)
        region = _fractal(width, height, rng, octaves=3) > rng.normal(0.3, 0.7)
        image[region] += (t - image.mean()) + rng.exponential(1.5) * texture[region]
    else:  # leaves, crumpled things: a patch of blobs
        for _ in range(12):
            at = (int(x + rng.normal(0, size / 3)), int(y + rng.normal(0, size / 3)))
            axes = (int(rng.uniform(0.02, 0.15) * size) + 1, int(rng.uniform(0.02, 0.15) * size) + 1)
            cv2.ellipse(image, at, axes, rng.uniform(0, 180), 0, 360, t + float(rng.normal(0, 1)), -1)


def _device(image: Array, centre: tuple[int, int], size: float, t: float, rng: np.random.Generator) -> None:
    """A box with one to four discs or slots of other temperatures."""
    half = np.array([size / 2, size / 2 * rng.uniform(0.7, 1.8)])
    low, high = (np.array(centre) - half).astype(int), (np.array(centre) + half).astype(int)
    cv2.rectangle(image, tuple(low.tolist()), tuple(high.tolist()), t, -1)
    for _ in range(rng.integers(1, 5)):
        at = tuple(rng.integers(low, high + 1).tolist())
        axes = (int(size * rng.uniform(0.03, 0.25)) + 1, int(size * rng.uniform(0.03, 0.25)) + 1)
        if rng.random() < 0.6:
            axes = (axes[0], axes[0])
        cv2.ellipse(image, at, axes, 0, 0, 360, t + float(rng.normal(0, 8)), -1)


def _fractal(width: int, height: int, rng: np.random.Generator, octaves: int = 6) -> Array:
    """Noise (H, W) float32 of about unit variance with structure at every scale."""
    image = np.zeros((height, width), np.float32)
    for k in range(1, octaves + 1):
        grid = rng.standard_normal((2**k + 1, 2**k + 1)).astype(np.float32)
        image += 0.75**k * cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR)
    return image / image.std()
