# SPDX-License-Identifier: Apache-2.0
"""Pictures for judging a registration by eye."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.decoding import ThermalFrame
from thermal_fld_ros.perception.geometry import Size
from thermal_fld_ros.perception.normalisation import normalise
from thermal_fld_ros.perception.pictures import CONTRAST, INK, SHIFT, Colour, Picture, dot, fixed_point, write_text
from thermal_fld_ros.registration.estimation import Estimate, view_distance
from thermal_fld_ros.registration.registration import Registration
from thermal_fld_ros.registration.views import View

TILE = 460
"""Pixels of a tile's side."""

PICTURE_WIDTH = 3 * TILE
MOST_HEIGHT = 2 * TILE
SQUARES = 10
"""Of the checker pattern, along a tile."""

AROUND = 1.8
"""Side of a close-up, in sizes of what is seen."""

THERMAL_POINT, RGB_POINT, FAR = (60, 220, 255), (80, 255, 80), (70, 70, 255)
PAPER = (28, 24, 22)


@dataclass(frozen=True, eq=False)
class Example:
    """A pair to be shown.

    Attributes
    ----------
    view : View
    thermal : ThermalFrame
    rgb : (H, W, 3) uint8
        As it came.
    """

    view: View
    thermal: ThermalFrame
    rgb: NDArray[np.uint8]


def estimate_picture(estimate: Estimate, examples: Sequence[Example], rgb_size: Size, title: str) -> Picture:
    """All on one sheet, BGR.

    One row for each example: the RGB image with the mapped thermal points, a close-up with the way from each to the RGB point, and the
    same with the thermal image laid over it in every other square. Below, the residuals of all views at their places in the RGB image,
    enlarged.
    """
    rows = [_example_row(estimate.registration, example) for example in examples]
    plot = _residuals(estimate, rgb_size)
    parts = [_caption(title, 30), *rows, plot]
    return np.vstack(parts).astype(np.uint8)


def _example_row(registration: Registration, example: Example) -> Picture:
    view, rgb = example.view, np.ascontiguousarray(example.rgb[:, :, ::-1])
    distance = view_distance(registration, view)
    mapped = registration.to_rgb(view.thermal, distance)
    whole, scale, offset = _fitted(rgb)
    _points(whole, (mapped + 0.5) * scale - 0.5 + offset, THERMAL_POINT, 2)
    centre, side = view.rgb.mean(axis=0), AROUND * float(np.ptp(view.rgb, axis=0).max())
    x, y = (centre[k] + (np.arange(TILE) / (TILE - 1) - 0.5) * side for k in (0, 1))
    grid = np.stack(np.meshgrid(x, y), axis=-1).astype(np.float32)
    close = np.asarray(cv2.remap(rgb, grid[..., 0], grid[..., 1], cv2.INTER_LINEAR), np.uint8)
    to_close = (TILE - 1) / side
    origin = centre - 0.5 * side
    lines = close.copy()
    ends = (mapped - origin) * to_close, (view.rgb - origin) * to_close
    for start, end in zip(*ends, strict=True):
        if np.isfinite(start).all():
            cv2.line(lines, fixed_point(start), fixed_point(end), FAR, 1, cv2.LINE_AA, SHIFT)
    _points(lines, ends[1], RGB_POINT, 2)
    _points(lines, ends[0], THERMAL_POINT, 2)
    checker = _checker(close, example.thermal, registration.to_thermal(grid, distance))
    row = np.hstack([whole, lines, checker]).astype(np.uint8)
    write_text(row, (6, TILE - 8), view.name)
    write_text(row, (TILE + 6, TILE - 8), "yellow: thermal points mapped, green: RGB points")
    return row


def _fitted(image: Picture) -> tuple[Picture, float, NDArray[np.float64]]:
    """The image within a tile, with the scale and the shift that brought it there."""
    height, width = image.shape[:2]
    scale = TILE / max(height, width)
    small = cv2.resize(image, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    tile = np.full((TILE, TILE, 3), PAPER, np.uint8)
    top, left = (TILE - small.shape[0]) // 2, (TILE - small.shape[1]) // 2
    tile[top : top + small.shape[0], left : left + small.shape[1]] = small
    return tile, scale, np.array([left, top], np.float64)


def _checker(close: Picture, frame: ThermalFrame, places: NDArray[np.float64]) -> Picture:
    """The thermal image at these places, in false colours, over every other square."""
    pixels = frame.pixels.astype(frame.pixels.dtype.newbyteorder("="), copy=False)
    grey = (normalise(pixels, CONTRAST, frame.inverted) * np.float32(255)).astype(np.uint8)
    at = np.nan_to_num(places - (0.0, frame.top), nan=-1e4).astype(np.float32)
    sampled = cv2.applyColorMap(cv2.remap(grey, at[..., 0], at[..., 1], cv2.INTER_LINEAR), cv2.COLORMAP_INFERNO)
    inside = (at > -0.5).all(axis=-1) & (at[..., 0] < grey.shape[1] - 0.5) & (at[..., 1] < grey.shape[0] - 0.5)
    squares = (np.arange(TILE) * SQUARES // TILE)[:, None] + (np.arange(TILE) * SQUARES // TILE)[None]
    shown = close.copy()
    over = inside & (squares % 2 == 0)
    shown[over] = sampled[over]
    return shown


def _residuals(estimate: Estimate, size: Size) -> Picture:
    """The errors of all views at their places in the RGB image, each view in a colour of its own, outliers grey."""
    scale = min(PICTURE_WIDTH / size[0], MOST_HEIGHT / size[1])
    plot = np.full((round(size[1] * scale), PICTURE_WIDTH, 3), PAPER, np.uint8)
    cv2.rectangle(plot, (0, 0), (round(size[0] * scale) - 1, plot.shape[0] - 1), (90, 80, 70))
    lengths = np.linalg.norm(estimate.errors, axis=1)
    typical = float(np.nanpercentile(lengths, 75)) if np.isfinite(lengths).any() else 1.0
    enlarged = max(1.0, round(0.02 * size[0] / max(typical, 1e-6)))
    inliers, first = estimate.inliers, 0
    for number, view in enumerate(estimate.views):
        colour = _colour(number)
        for k, place in enumerate(view.rgb):
            error = estimate.errors[first + k]
            if np.isfinite(error).all():
                start, end = (place + 0.5) * scale - 0.5, (place + enlarged * error + 0.5) * scale - 0.5
                shown = colour if inliers[first + k] else (110, 110, 110)
                cv2.line(plot, fixed_point(start), fixed_point(end), shown, 1, cv2.LINE_AA, SHIFT)
                dot(plot, start, shown, 2)
        first += len(view.rgb)
    unit = 10 ** np.floor(np.log10(max(0.1 * size[0] / enlarged, 1e-3)))
    cv2.line(plot, (10, 44), (10 + round(unit * enlarged * scale), 44), INK, 2)
    write_text(
        plot, (10, 20), f"residuals at their places in the RGB image, {enlarged:.0f} times enlarged; grey: outliers"
    )
    write_text(plot, (10, 38), f"{unit:g} px")
    return plot


def _points(picture: Picture, points: NDArray[np.float64], colour: Colour, radius: int) -> None:
    for point in points[np.isfinite(points).all(axis=1)]:
        dot(picture, point, colour, radius)


def _colour(number: int) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(0.618 * number % 1.0, 0.65, 1.0)
    return round(255 * blue), round(255 * green), round(255 * red)


def _caption(text: str, height: int) -> Picture:
    line = np.full((height, PICTURE_WIDTH, 3), PAPER, np.uint8)
    write_text(line, (10, height - 10), text)
    return line
