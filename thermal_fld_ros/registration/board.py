# SPDX-License-Identifier: Apache-2.0
"""The corners of a checkerboard, which a thermal camera sees when the board is warm or stands in the sun."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.geometry import Affine, extent
from thermal_fld_ros.registration.views import BOARD_TOLERANCE, Points, View

ENLARGEMENTS, MOST_SIDE = (1, 2, 4), 1280
"""Factors by which the image is enlarged until the board is found, up to a side in pixels: the finder wants squares of some ten."""

FLAGS = cv2.CALIB_CB_EXHAUSTIVE | cv2.CALIB_CB_ACCURACY


def find_board(image: NDArray[Any], pattern: tuple[int, int]) -> Points | None:
    """The inner corners of a checkerboard, its dark squares warmer or colder than the others.

    Parameters
    ----------
    image : (H, W) of any type, or (H, W, 3) uint8
    pattern
        Inner corners a row and a column.

    Returns
    -------
    (columns * rows, 2) pixels of the image, row by row, which row and end first is left open; None where there is no such board. Found
    by OpenCV's findChessboardCornersSB (Duda and Frese, BMVC 2018).
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
    low, high = np.percentile(grey, (1, 99))
    stretched = np.clip((grey.astype(np.float32) - low) * (255.0 / max(float(high - low), 1e-6)), 0, 255).astype(
        np.uint8
    )
    height, width = stretched.shape
    for factor in ENLARGEMENTS:
        large = (width * factor, height * factor)
        if factor > 1 and max(large) > MOST_SIDE:
            break
        picture = cv2.resize(stretched, large, interpolation=cv2.INTER_CUBIC)
        found, corners = cv2.findChessboardCornersSB(picture, pattern, flags=FLAGS)
        if found:
            return Affine.resize(large, (width, height))(corners.reshape(-1, 2))
    return None


def board_view(name: str, thermal: Points, rgb: Points, pattern: tuple[int, int], square: float) -> View:
    """Of one board in both images.

    The finder may begin at any corner of the board; the order is taken in which the board lies in both images alike.

    Parameters
    ----------
    thermal, rgb : (columns * rows, 2)
        What `find_board` gave.
    square
        Side of a square in metres; 0: not known.
    """
    columns, rows = pattern
    grid = rgb.reshape(rows, columns, 2)
    orders = [grid, grid[::-1], grid[:, ::-1], grid[::-1, ::-1]]
    if rows == columns:
        orders += [order.transpose(1, 0, 2) for order in orders]
    centred = thermal - thermal.mean(axis=0)
    alike = max(orders, key=lambda order: float((centred * (order.reshape(-1, 2) - rgb.mean(axis=0))).sum()))
    x, y = np.meshgrid(np.arange(columns), np.arange(rows))
    model = np.asarray(square * np.stack([x, y, np.zeros_like(x)], axis=-1).reshape(-1, 3), np.float64)
    return View(name, thermal, alike.reshape(-1, 2), model if square else None, BOARD_TOLERANCE * extent(rgb))
