# SPDX-License-Identifier: Apache-2.0
"""A labelled pair as a picture: the thermal and the RGB half side by side, with the points."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.datasets.colour import sampled_colour
from thermal_fld_ros.datasets.pairs import Pair
from thermal_fld_ros.perception.cropping import crop_from_box
from thermal_fld_ros.perception.decoding import decode_array
from thermal_fld_ros.perception.geometry import Affine
from thermal_fld_ros.perception.normalisation import normalise
from thermal_fld_ros.perception.overlay import confidence_colour
from thermal_fld_ros.perception.pictures import CONTRAST, Picture, dot, tiled, write_text

CROP_SCALE = 1.7  # of the face's box


def picture_of(pair: Pair, side: int = 256) -> Picture:
    """The face of a pair, thermal left and RGB right, each `side` pixels wide and high, BGR.

    A point is green where its label is trusted and red where it is worth nothing, as in `perception/overlay.py`.
    """
    crop = crop_from_box(pair.face.box, side, CROP_SCALE)
    grey = decode_array(pair.pixels("thermal")).sample(crop, (side, side))
    thermal = cv2.cvtColor((255 * normalise(grey, CONTRAST)).astype(np.uint8), cv2.COLOR_GRAY2BGR)
    rgb = sampled_colour(pair.pixels("rgb"), pair.to_rgb @ crop, (side, side))[:, :, ::-1]
    points = pair.face.points
    halves = [np.ascontiguousarray(half, np.uint8) for half in (thermal, rgb)]
    if points is not None:
        for half in halves:
            _draw(half, points, crop.inverse(), pair.confidence)
    return np.asarray(np.hstack(halves), np.uint8)


def pairs_sheet(pairs: Sequence[Pair], count: int = 60, side: int = 180, columns: int = 5) -> Picture:
    """Pictures of at most `count` pairs, evenly spread, with the place of each in the index; BGR."""
    chosen = [pairs[k] for k in np.unique(np.linspace(0, len(pairs) - 1, min(count, len(pairs))).round().astype(int))]
    tiles = []
    for pair in chosen:
        tile = picture_of(pair, side)
        write_text(tile, (3, side - 5), f"{pair.name.lstrip('0')} {pair.split} {pair.episode}", 0.36)
        tiles.append(tile)
    return tiled(tiles, min(columns, len(tiles)))


def _draw(picture: Picture, points: NDArray[np.float64], to_picture: Affine, worth: NDArray[np.float64] | None) -> None:
    radius = max(picture.shape[0] // 128, 1)
    for k, point in enumerate(to_picture(points)):
        if np.isfinite(point).all():
            dot(picture, point, confidence_colour(1.0 if worth is None else float(worth[k])), radius)
