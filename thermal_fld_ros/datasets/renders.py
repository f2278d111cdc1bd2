# SPDX-License-Identifier: Apache-2.0
"""Renders: a folder of shards or a clip, written by `python -m thermal_fld_ros render`; see `synthesis/shards.py` and `clip.py`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.datasets.sample import CENTIKELVIN, SCHEMES, DataSet, DataSetError, LabelledFace, Sample, face_from
from thermal_fld_ros.recordings.source import RawImage

LEAST_VISIBLE, LEAST_IN_IMAGE, LEAST_RENDERED_SIZE = 0.5, 0.7, 12.0
"""A face need not be found when fewer of its points are visible or inside the image, or when it is smaller (pixels)."""


def read_renders(path: Path) -> DataSet:
    """A folder of rendered shards, or a rendered clip (.npz)."""
    if path.suffix == ".npz":
        return _clip(path)
    from thermal_fld_ros.synthesis.shards import load_shards  # brings numba

    try:
        images, labels = load_shards(path)
    except (OSError, ValueError, KeyError) as error:
        raise DataSetError(f"{path}: {error}") from error
    rows: list[list[int]] = [[] for _ in images]
    for row, frame in enumerate(labels["frame"].tolist()):
        rows[frame].append(row)
    samples = [
        Sample(f"{index:06d}", _image(image), tuple(_face(labels, row, image.shape) for row in mine), CENTIKELVIN)
        for index, (image, mine) in enumerate(zip(images, rows, strict=True))
    ]
    return DataSet(path.name, samples, SCHEMES["ibug68"], "the renderer's own", "rendered people")


def _clip(path: Path) -> DataSet:
    """A sequence in which the person in front is labelled."""
    try:
        with np.load(path) as clip:
            frames, points, fps = clip["frames"], clip["points"], float(clip["fps"])
    except (OSError, ValueError, KeyError) as error:
        raise DataSetError(f"{path}: {error}, expected a clip with frames, points and fps") from error
    scheme = SCHEMES["ibug68"]
    samples = [
        Sample(f"{index:06d}", _image(frame), (face_from(f"{path}, frame {index}", points=face, scheme=scheme),), CENTIKELVIN,
               sequence=path.stem, stamp=index / fps)
        for index, (frame, face) in enumerate(zip(frames, points, strict=True))
    ]  # fmt: skip
    return DataSet(path.stem, samples, scheme, "the renderer's own", "a rendered clip", every_face=False)


def _image(pixels: NDArray[np.uint16]) -> Callable[[], RawImage]:
    return lambda: RawImage.from_array(pixels)


def _face(labels: dict[str, NDArray[Any]], row: int, shape: tuple[int, ...]) -> LabelledFace:
    points, visible = labels["points"][row], labels["visible"][row]
    inside = ((points > -0.5) & (points < np.array(shape[::-1]) - 0.5)).all(axis=1)
    size = float(np.sqrt(np.prod(np.ptp(points, axis=0))))
    required = (
        bool(labels["facing"][row])
        and float(visible.mean()) >= LEAST_VISIBLE
        and float(inside.mean()) >= LEAST_IN_IMAGE
        and size >= LEAST_RENDERED_SIZE
    )
    told = {name: bool(labels[name][row]) for name in ("glasses", "mask") if name in labels}
    return face_from(
        f"face {row}",
        points=points,
        scheme=SCHEMES["ibug68"],
        visible=visible,
        yaw=float(np.degrees(labels["pose"][row, 0])),
        required=required,
        turned_away=not labels["facing"][row],
        **told,
    )
