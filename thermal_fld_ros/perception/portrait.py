# SPDX-License-Identifier: Apache-2.0
"""Small grey pictures of a face, as REP-155 has them: cut out as it lies in the image, or with the eyes level."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.decoding import ThermalFrame
from thermal_fld_ros.perception.face import LEFT_EYE, RIGHT_EYE, Face
from thermal_fld_ros.perception.geometry import Affine
from thermal_fld_ros.perception.normalisation import normalise
from thermal_fld_ros.perception.pictures import CONTRAST

SIDE = 128
"""Width and height in pixels; REP-155's default."""

MARGIN = 1.3
"""Side of an aligned picture over the longer side of the face's box: the points end at brows and chin."""

_GRID = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE)), axis=-1).astype(np.float64)


def cropped(frame: ThermalFrame, face: Face) -> NDArray[np.uint8]:
    """The face's box, as it lies in the incoming image: (128, 128) uint8, its longer side filled, zeros around it."""
    x, y, width, height = face.roi.astype(float).tolist()
    middle = ((SIDE - 1) / 2, (SIDE - 1) / 2)
    to_image = Affine.similarity(max(width, height, 1.0) / SIDE, 0.0, middle, (x + width / 2, y + height / 2))
    places = to_image(_GRID)
    low, high = np.array([x, y]), np.array([x + width, y + height])
    return _picture(frame, to_image, np.all((places >= low) & (places <= high), axis=-1))


def aligned(frame: ThermalFrame, face: Face) -> NDArray[np.uint8]:
    """The face upright with its eyes level: (128, 128) uint8, zeros outside of the image."""
    to_upright = frame.upright_to_image.inverse()
    points = to_upright(face.points)
    across = points[LEFT_EYE].mean(axis=0) - points[RIGHT_EYE].mean(axis=0)
    angle = math.atan2(float(across[1]), float(across[0]))
    level = Affine.similarity(1.0, -angle, (0.0, 0.0), (0.0, 0.0))(points)
    low, high = level.min(axis=0), level.max(axis=0)
    back = Affine.similarity(1.0, angle, (0.0, 0.0), (0.0, 0.0))
    centre = back((low + high) / 2)
    scale = MARGIN * max(float((high - low).max()), 1.0) / SIDE
    middle = ((SIDE - 1) / 2, (SIDE - 1) / 2)
    to_image = frame.upright_to_image @ Affine.similarity(scale, angle, middle, centre.tolist())
    return _picture(frame, to_image, np.ones((SIDE, SIDE), np.bool_))


def _picture(frame: ThermalFrame, to_image: Affine, wanted: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Warm is bright; zeros where nothing is wanted or the image ends."""
    places = to_image(_GRID)
    (width, _), rows = frame.image_size, frame.pixels.shape[0]
    inside = (places[..., 0] >= -0.5) & (places[..., 0] <= width - 0.5)
    inside &= (places[..., 1] >= frame.top - 0.5) & (places[..., 1] <= frame.top + rows - 0.5)
    raw = frame.sample(frame.upright_to_image.inverse() @ to_image, (SIDE, SIDE))
    picture: NDArray[np.uint8] = np.rint(255.0 * normalise(raw, CONTRAST, frame.inverted)).astype(np.uint8)
    picture[~(inside & wanted)] = 0
    return picture
