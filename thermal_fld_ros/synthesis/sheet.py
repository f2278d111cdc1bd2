# SPDX-License-Identifier: Apache-2.0
"""A contact sheet of renders: look at it beside real thermal images."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.decoding import ImageError
from thermal_fld_ros.perception.geometry import Affine
from thermal_fld_ros.perception.normalisation import normalise
from thermal_fld_ros.perception.pictures import CONTRAST, Picture, tiled, write_image
from thermal_fld_ros.recordings.opening import open_source
from thermal_fld_ros.recordings.source import SourceError
from thermal_fld_ros.synthesis.mesh import MATERIALS
from thermal_fld_ros.synthesis.morphable import Array, load_morphable_model
from thermal_fld_ros.synthesis.scene import Renderer, Rendering
from thermal_fld_ros.synthesis.shards import Recipe

SHEET_WIDTH = 1920  # of a sheet, pixels
GAP = 6  # between the renders and the real images
COLOURS = cv2.applyColorMap(np.linspace(0, 255, len(MATERIALS) + 1).astype(np.uint8), cv2.COLORMAP_TURBO)[:, 0]


def renders_sheet(face_model: Path, out: Path, recipe: Recipe, beside: Path | None = None) -> int:
    """Write a PNG of a data set's first renders, every other one with its landmarks, so that both can be judged.

    Of pairs thermal image, colour image and segmentation stand side by side.

    Parameters
    ----------
    beside
        Folder of thermal images, or a recording, as `open_source` takes it: as many of them as fit, evenly spread, stand to the
        right of the renders.

    Returns
    -------
    int
        How many real images there are in the sheet.

    Raises
    ------
    SourceError
        When ``beside`` cannot be read.
    OSError
        When the sheet cannot be written.
    """
    renderer = Renderer(load_morphable_model(face_model))
    tiles = [
        draw_rendering(renderer.render(recipe.scene(renderer, k)), landmarks=k % 2 == 0) for k in range(recipe.count)
    ]
    share = SHEET_WIDTH // 2 if beside else SHEET_WIDTH
    sheet = tiled(tiles, min(max(share // tiles[0].shape[1], 1), len(tiles)))
    real = 0
    if beside:
        rows, columns = sheet.shape[0] // recipe.size[1], max(share // recipe.size[0], 1)
        pictures = _real(beside, rows * columns, recipe.size)
        real = len(pictures)
        pictures += [np.zeros((recipe.size[1], recipe.size[0], 3), np.uint8)] * (-real % rows)
        gap = np.full((sheet.shape[0], GAP, 3), 255, np.uint8)
        sheet = np.hstack([sheet, gap, tiled(pictures, len(pictures) // rows)])
    write_image(out, sheet)
    return real


def draw_rendering(rendering: Rendering, landmarks: bool) -> Picture:
    """BGR picture (H, W or 3 W, 3) of a rendering; landmarks green where a thermal camera sees them, red where not."""
    pictures: list[tuple[Picture, Affine]] = [(_grey(rendering.celsius), Affine.identity())]
    if rendering.rgb is not None:
        pictures += [
            (np.ascontiguousarray(rendering.rgb[:, :, ::-1]), rendering.to_rgb),
            (COLOURS[rendering.material].astype(np.uint8), Affine.identity()),
        ]
    for picture, to_picture in pictures if landmarks else []:
        for face in rendering.faces:
            for (x, y), visible in zip(to_picture(face.points), face.visible, strict=True):
                colour = (0, 255, 0) if visible else (0, 0, 255)
                cv2.circle(picture, (round(x * 8), round(y * 8)), 8, colour, -1, cv2.LINE_AA, 3)
    return np.hstack([picture for picture, _ in pictures])


def _grey(raw: NDArray[np.generic] | Array, inverted: bool = False) -> Picture:
    grey = (normalise(raw, CONTRAST, inverted) * 255).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def _real(path: Path, count: int, size: tuple[int, int]) -> list[Picture]:
    """At most ``count`` images of a folder or recording, fitted into tiles of ``size``."""
    images = list(open_source(path))
    pictures = []
    for k in np.unique(np.linspace(0, len(images) - 1, count).round().astype(int)):
        try:
            frame = images[k].decode()
        except ImageError as error:
            raise SourceError(f"{images[k].name}: {error}") from error
        scale = min(size[0] / frame.upright_size[0], size[1] / frame.upright_size[1])
        wide, high = (max(round(scale * n), 1) for n in frame.upright_size)
        picture = _grey(frame.sample(Affine.resize((wide, high), frame.upright_size), (wide, high)), frame.inverted)
        left, top = (size[0] - wide) // 2, (size[1] - high) // 2
        right, bottom = size[0] - wide - left, size[1] - high - top
        bordered = cv2.copyMakeBorder(picture, top, bottom, left, right, cv2.BORDER_CONSTANT)
        pictures.append(np.asarray(bordered, np.uint8))
    return pictures
