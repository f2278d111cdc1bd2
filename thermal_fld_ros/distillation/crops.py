# SPDX-License-Identifier: Apache-2.0
"""Crops of images for training: of faces, where a detector or a tracker would cut them, and of places without a face."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.cropping import crop_from_box
from thermal_fld_ros.perception.decoding import decode_array
from thermal_fld_ros.perception.geometry import Affine
from thermal_fld_ros.recordings.folder import IMAGE_SUFFIXES
from thermal_fld_ros.synthesis.shards import load_shards

Array = NDArray[np.float32]

SCENES = 0.25
"""Share of the samples without a face that come from images of scenes, where there are any."""


def sampled(image: NDArray[np.uint16], crop: Affine, size: tuple[int, int]) -> Array:
    """A crop (size) of a stored image, fetched as the robot fetches its own."""
    return decode_array(image).sample(crop, size).astype(np.float32)


def jittered(crop: Affine, size: int, rng: np.random.Generator) -> Affine:
    """A crop of ``size`` pixels as they come from a detector, from last frame's points, or from where a face has left."""
    middle = (size - 1) / 2
    kind = rng.choice(["followed", "detected", "lost"], p=[0.57, 0.31, 0.12])
    angle, zoom, shift = {"followed": (5, 0.05, 0.025), "detected": (20, 0.12, 0.07), "lost": (40, 0.4, 0.22)}[kind]
    turn = rng.uniform(-180, 180) if kind == "lost" and rng.random() < 0.25 else rng.normal(0, angle)
    moved = middle + rng.normal(0, shift, 2) * size
    return crop @ Affine.similarity(
        float(np.exp(rng.normal(0, zoom))), np.deg2rad(turn), (middle, middle), (moved[0], moved[1])
    )


class NoFaces:
    """Crops of images that show no face: of anything with structure, of bodies below faces, of heads that are turned away.

    Parameters
    ----------
    frames : sequence of (H, W) arrays
    faces : list of (n, K, 2) arrays
        Of each image K points of each of its n faces.
    size : int
        Side of a crop, pixels.
    scale : float
        Its side over that of a face's box.
    backs : list of (n, K, 2) arrays, optional
        The same points of each image's heads that are turned away.
    """

    def __init__(
        self,
        frames: Sequence[NDArray[Any]],
        faces: list[NDArray[Any]],
        size: int,
        scale: float,
        backs: list[NDArray[Any]] | None = None,
    ):
        self.frames, self.faces, self.size, self.scale = frames, faces, size, scale
        self.backs = backs or [points[:0] for points in faces]

    @staticmethod
    def rendered(folder: Path, size: int, scale: float) -> NoFaces:
        """From rendered frames."""
        frames, labels = load_shards(folder)
        facing, of_frame = labels["facing"].astype(bool), labels["frame"]
        first = np.searchsorted(of_frame, np.arange(len(frames) + 1))
        rows = [np.arange(*first[k : k + 2]) for k in range(len(frames))]
        faces = [labels["points"][row[facing[row]]] for row in rows]
        backs = [labels["points"][row[~facing[row]]] for row in rows]
        return NoFaces(list(frames), faces, size, scale, backs)

    @staticmethod
    def scenes(folder: Path, size: int, scale: float) -> NoFaces:
        """From the images of ``read_scenes``."""
        frames = read_scenes(folder)
        return NoFaces(frames, [np.zeros((0, 68, 2))] * len(frames), size, scale)

    def draw(self, rng: np.random.Generator) -> Array:
        """A crop (size, size) in the frame's unit: of some candidates the one with the most structure."""
        k = int(rng.integers(len(self.frames)))
        frame, faces, backs = self.frames[k], self.faces[k], self.backs[k]
        best, most = crop_from_box([0, 0, 1, 1], self.size, self.scale), -1.0
        for centre, side in self._candidates(np.array(frame.shape[::-1]), faces, backs, rng):
            # off the middle of every face by more than the tracker ever is
            reach = 0.5 * np.maximum(side, np.ptp(faces, axis=1).max(1, initial=0))
            if (np.abs(faces.mean(1) - centre).max(1) < reach).any():
                continue
            crop = crop_from_box([*(centre - side / 2), side, side], self.size, self.scale, rng.normal(0, 0.3))
            thumbnail = sampled(frame, crop @ Affine.scaling(8.0), (self.size // 8, self.size // 8))
            if thumbnail.std() > most:
                best, most = crop, float(thumbnail.std())
        return sampled(frame, best, (self.size, self.size))

    @staticmethod
    def _candidates(
        whole: NDArray[Any], faces: NDArray[Any], backs: NDArray[Any], rng: np.random.Generator
    ) -> list[tuple[NDArray[np.float64], float]]:
        """Centres (2,) and sides of crops in an image of ``whole`` (width, height) pixels."""
        if len(backs) and rng.random() < 0.6:
            points = backs[rng.integers(len(backs))].astype(np.float64)
            side = float(np.ptp(points, axis=0).max() * np.exp(rng.normal(0.1, 0.2)))
            return [((points.min(0) + points.max(0)) / 2 + rng.normal(0, 0.12, 2) * side, side)]
        if len(faces) and rng.random() < 0.4:  # neck, chest, arms, lap, and what is beside the head
            points = faces[rng.integers(len(faces))].astype(np.float64)
            face = float(np.ptp(points, axis=0).max())
            return [
                (points.mean(0) + rng.uniform((-1.2, -0.8), (1.2, 4)) * face, float(face * np.exp(rng.normal(0, 0.4))))
                for _ in range(3)
            ]
        sides = np.exp(rng.uniform(np.log(15), np.log(180), 6))
        return [(rng.uniform(0, 1, 2) * whole, float(side)) for side in sides]


def read_scenes(folder: Path) -> list[NDArray[Any]]:
    """The thermal images (H, W) of a folder (PNG, JPEG, TIFF) that shows no face; raises ValueError where there is none."""
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)
    read = [cv2.imread(str(file), cv2.IMREAD_ANYDEPTH | cv2.IMREAD_GRAYSCALE) for file in files]
    frames = [frame for frame in read if frame is not None]
    if not frames:
        raise ValueError(f"{folder}: no images, expected thermal images without faces")
    return frames


def with_scenes(no_faces: NoFaces, folder: Path | None) -> Callable[[np.random.Generator], Array]:
    """Draws crops without a face from ``no_faces`` and, where there is a folder of scenes, from there."""
    if folder is None:
        return no_faces.draw
    scenes = NoFaces.scenes(folder, no_faces.size, no_faces.scale)
    return lambda rng: (scenes if rng.random() < SCENES else no_faces).draw(rng)
