# SPDX-License-Identifier: Apache-2.0
"""Pairs of a thermal and a colour image, with or without labels: rendered shards, or a folder with a list of files.

A folder of pairs holds ``pairs.jsonl``, one JSON object a line and a face; docs/distillation.md describes its fields. Either image
and the points may be missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.datasets.sample import SCHEMES, DataSetError, LabelledFace, face_from
from thermal_fld_ros.perception.geometry import Affine

INDEX = "pairs.jsonl"
FIELDS = {"thermal", "rgb", "points", "box", "to_rgb", "subject"}

Image = NDArray[Any] | Path


@dataclass(frozen=True, eq=False)
class Pair:
    """A face in a thermal and in a colour image.

    Attributes
    ----------
    name : str
    face : LabelledFace
        In pixels of the thermal image; of the colour image where there is no thermal one. Points are iBUG's 68, NaN where one
        is not labelled.
    thermal : (H, W) uint8 or uint16, or the file, or None
    rgb : (H, W, 3) uint8, or the file, or None
    to_rgb : Affine
        From the thermal image's pixels to the colour image's.
    """

    name: str
    face: LabelledFace
    thermal: Image | None
    rgb: Image | None
    to_rgb: Affine

    def pixels(self, modality: str) -> NDArray[Any]:
        """The image of a modality, "thermal" or "rgb", that is there; raises DataSetError where the file cannot be read."""
        image = self.thermal if modality == "thermal" else self.rgb
        if not isinstance(image, Path):
            assert image is not None
            return image
        read = cv2.imread(str(image), cv2.IMREAD_UNCHANGED if modality == "thermal" else cv2.IMREAD_COLOR)
        if read is None:
            raise DataSetError(f"{image}: cannot be read as an image")
        return read if modality == "thermal" else read[:, :, ::-1]


def read_pairs(folder: Path) -> list[Pair]:
    """The pairs of a folder; rendered thermal images without colour are pairs of which one half is missing.

    Raises
    ------
    DataSetError
        When the folder holds no pairs, or what it holds is malformed.
    """
    if (folder / INDEX).is_file():
        return list(_listed(folder))
    try:
        return list(_rendered(folder))
    except (OSError, ValueError, KeyError) as error:
        raise DataSetError(f"{folder}: neither {INDEX} nor whole renders: {error}") from error


def _listed(folder: Path) -> Iterator[Pair]:
    for number, line in enumerate((folder / INDEX).read_text(encoding="utf-8").splitlines(), 1):
        where = f"{folder / INDEX}, line {number}"
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise DataSetError(f"{where}: not JSON: {error}") from error
        if not isinstance(entry, dict) or set(entry) - FIELDS or not {"thermal", "rgb"} & set(entry):
            raise DataSetError(
                f"{where}: expected an object with thermal or rgb, and of {', '.join(sorted(FIELDS))} what there is"
            )
        points = entry.get("points")
        if points is not None:
            points = [[np.nan, np.nan] if point is None else point for point in points]
        face = face_from(
            where, points=points, scheme=SCHEMES["ibug68"], box=entry.get("box"), subject=entry.get("subject", "")
        )
        matrix = np.asarray(entry.get("to_rgb", Affine.identity().matrix), np.float64)
        if matrix.shape != (2, 3) or not np.isfinite(matrix).all():
            raise DataSetError(f"{where}: to_rgb is {entry['to_rgb']}, expected two rows of three numbers")
        images = {name: folder / entry[name] if name in entry else None for name in ("thermal", "rgb")}
        for file in images.values():
            if file is not None and not file.is_file():
                raise DataSetError(f"{where}: no file {file}")
        yield Pair(f"{number:06d}", face, images["thermal"], images["rgb"], Affine(matrix))


def _rendered(folder: Path) -> Iterator[Pair]:
    from thermal_fld_ros.synthesis.shards import open_shards  # brings numba

    for shard, (images, labels) in enumerate(open_shards(folder)):
        frames = labels["frame"]
        nearest = np.flatnonzero(np.append(np.diff(frames) > 0, True))  # the last face of each image is in front
        for row in nearest.tolist():
            k = int(frames[row])
            name = f"{shard:04d}/{k:04d}"
            face = face_from(f"{folder}, {name}", points=labels["points"][row], scheme=SCHEMES["ibug68"])
            rgb = images["rgb"][k] if "rgb" in images else None
            matrix = labels["to_rgb"][row] if "to_rgb" in labels else Affine.identity().matrix
            yield Pair(name, face, images["images"][k], rgb, Affine(matrix))
