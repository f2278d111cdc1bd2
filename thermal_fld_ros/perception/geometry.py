# SPDX-License-Identifier: Apache-2.0
"""Affine maps and boxes.

Points are (..., 2) arrays of x (right) and y (down) in pixels, the origin at the *centre* of the top-left pixel: an image of
width W spans [-0.5, W - 0.5]. A box is x, y, width, height, x and y its left and top edge in the same coordinates.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Size = tuple[int, int]
"""Width and height in pixels."""


@dataclass(frozen=True, eq=False)
class Affine:
    """The map x' = A x + b, the one type for every crop, rotation and resize.

    Attributes
    ----------
    matrix : (2, 3) float64
        A and b side by side, as OpenCV takes it.
    """

    matrix: NDArray[np.float64]

    def __call__(self, points: ArrayLike) -> NDArray[np.float64]:
        """Map points, (..., 2) -> (..., 2)."""
        mapped: NDArray[np.float64] = np.asarray(points, dtype=np.float64) @ self.matrix[:, :2].T + self.matrix[:, 2]
        return mapped

    def __matmul__(self, other: Affine) -> Affine:
        """Compose: `(self @ other)(p) == self(other(p))`."""
        linear = self.matrix[:, :2]
        matrix = linear @ other.matrix
        matrix[:, 2] += self.matrix[:, 2]
        return Affine(matrix)

    def inverse(self) -> Affine:
        """The map back. Raises ValueError where there is none."""
        (a, b, tx), (c, d, ty) = self.matrix.tolist()
        det = a * d - b * c
        if det == 0.0 or not math.isfinite(det):
            raise ValueError(f"the affine map has no inverse: {self.matrix.tolist()}")
        return Affine(
            np.array([[d, -b, b * ty - d * tx], [-c, a, c * tx - a * ty]]) / det,
        )

    @property
    def scale(self) -> float:
        """Length of a unit step after the map (root of the change in area)."""
        (a, b, _), (c, d, _) = self.matrix.tolist()
        return math.sqrt(abs(a * d - b * c))

    @staticmethod
    def identity() -> Affine:
        """Every point stays where it is."""
        return Affine(np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]))

    @staticmethod
    def translation(x: float, y: float) -> Affine:
        """Shift by x and y."""
        return Affine(np.array([[1.0, 0.0, x], [0.0, 1.0, y]]))

    @staticmethod
    def scaling(x: float, y: float | None = None) -> Affine:
        """Scale about the origin; `y` defaults to `x`."""
        return Affine(np.array([[x, 0.0, 0.0], [0.0, x if y is None else y, 0.0]]))

    @staticmethod
    def similarity(scale: float, angle: float, source: Iterable[float], target: Iterable[float]) -> Affine:
        """Scale and turn by `angle` (radians, clockwise on the screen), taking point `source` to point `target`."""
        c, s = scale * math.cos(angle), scale * math.sin(angle)
        (sx, sy), (tx, ty) = source, target
        return Affine(np.array([[c, -s, tx - c * sx + s * sy], [s, c, ty - s * sx - c * sy]]))

    @staticmethod
    def resize(from_size: Size, to_size: Size) -> Affine:
        """Pixels of an image of `from_size` to those of the same image resized to `to_size`; edges fall on edges."""
        x, y = to_size[0] / from_size[0], to_size[1] / from_size[1]
        return Affine(np.array([[x, 0.0, 0.5 * (x - 1.0)], [0.0, y, 0.5 * (y - 1.0)]]))

    @staticmethod
    def quarter_turns(rotation: int, size: Size) -> Affine:
        """Pixels of an image of `size` to those of the same image turned clockwise by 0, 90, 180 or 270 degrees."""
        right, bottom = size[0] - 1.0, size[1] - 1.0
        matrices = {
            0: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]],
            90: [[0.0, -1.0, bottom], [1.0, 0.0, 0.0]],
            180: [[-1.0, 0.0, right], [0.0, -1.0, bottom]],
            270: [[0.0, 1.0, 0.0], [-1.0, 0.0, right]],
        }
        if rotation not in matrices:
            raise ValueError(f"rotation must be 0, 90, 180 or 270 degrees, not {rotation}")
        return Affine(np.array(matrices[rotation]))


def box_around(points: ArrayLike) -> NDArray[np.float64]:
    """The axis-aligned box (x, y, width, height) around points (N, 2)."""
    array = np.asarray(points, dtype=np.float64)
    low, high = np.minimum.reduce(array), np.maximum.reduce(array)
    return np.concatenate([low, high - low])


def extent(points: ArrayLike) -> float:
    """Size of what points (N, 2) span: sqrt(width * height) of the box around them."""
    return math.sqrt(float(np.prod(box_around(points)[2:])))


def iou(box: ArrayLike, boxes: ArrayLike) -> NDArray[np.float64]:
    """Intersection over union of one box (4,) with each of `boxes` (N, 4), as (N,)."""
    one, many = np.asarray(box, dtype=np.float64), np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    low = np.maximum(one[:2], many[:, :2])
    high = np.minimum(one[:2] + one[2:], many[:, :2] + many[:, 2:])
    common = np.prod(np.clip(high - low, 0.0, None), axis=1)
    union = one[2] * one[3] + many[:, 2] * many[:, 3] - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)
