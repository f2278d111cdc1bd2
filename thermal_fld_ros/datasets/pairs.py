# SPDX-License-Identifier: Apache-2.0
"""Pairs of a thermal and a colour image, with or without labels: rendered shards, or a folder with a list of files.

A folder of pairs holds ``pairs.jsonl``, one JSON object a line and a face; docs/distillation.md describes its fields. Either image
and the points may be missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.datasets.renders import LEAST_RENDERED_SIZE
from thermal_fld_ros.datasets.sample import SCHEMES, DataSetError, LabelledFace, face_from, number
from thermal_fld_ros.files import parse_json
from thermal_fld_ros.perception.face import POINTS
from thermal_fld_ros.perception.geometry import Affine

INDEX = "pairs.jsonl"
ABOUT = "dataset.json"
FORMAT = 1
SPLITS = ("train", "validation", "test")
INDEX_FIELDS = {
    "thermal", "rgb", "points", "box", "to_rgb", "subject", "confidence", "split", "episode", "stamp", "evidence",
    "struck",
}  # fmt: skip

LEAST_VISIBLE_TO_LEARN = 0.25
"""Rendered faces are left out when fewer of their points are visible: nothing can be learnt from the rest."""

TEXTS = {"thermal", "rgb", "subject", "split", "episode", "struck"}

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
    confidence : (68,) float64 in [0, 1] or None
        What each point is worth in training; None: 1.
    split : str
        "train", "validation", "test" or empty: not told. So with the next ones.
    episode : str
        The recording.
    stamp : float or None
        Seconds, of the thermal image.
    """

    name: str
    face: LabelledFace
    thermal: Image | None
    rgb: Image | None
    to_rgb: Affine
    confidence: NDArray[np.float64] | None = None
    split: str = ""
    episode: str = ""
    stamp: float | None = None

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


def read_pairs(folder: Path, split: str | None = None) -> list[Pair]:
    """The pairs of a folder; rendered thermal images without an RGB image are pairs with one half missing.

    Parameters
    ----------
    folder : Path
    split : str, optional
        One of SPLITS; None: all pairs. What a review has struck is left out in any case.

    Raises
    ------
    DataSetError
        When the folder holds no pairs, or none of this split, or what it holds is malformed.
    """
    if (folder / INDEX).is_file():
        listed = [read_pair(folder, where, entry) for where, entry in read_index(folder) if "struck" not in entry]
        pairs = [pair for pair in listed if split in (None, pair.split)]
        if not pairs:
            found = ", ".join(sorted({pair.split or "no split" for pair in listed})) or "nothing that is not struck"
            raise DataSetError(f"{folder}: no pairs of split {split or 'any'}, it has {found}")
        return pairs
    if split is not None:
        raise DataSetError(f'{folder}: no {INDEX}, so no split "{split}"')
    try:
        return list(_rendered(folder))
    except (OSError, ValueError, KeyError) as error:
        raise DataSetError(f"{folder}: neither {INDEX} nor whole renders: {error}") from error


def read_index(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The lines of a folder's index, each with its place for error messages; raises DataSetError for a malformed line."""
    try:
        lines = (folder / INDEX).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise DataSetError(f"{folder / INDEX}: cannot be read: {error}") from error
    for count, line in enumerate(lines, 1):
        where = f"{folder / INDEX}, line {count}"
        try:
            entry = parse_json(line)
        except ValueError as error:
            raise DataSetError(f"{where}: not JSON: {error}") from error
        if not isinstance(entry, dict) or set(entry) - INDEX_FIELDS or not {"thermal", "rgb"} & set(entry):
            raise DataSetError(
                f"{where}: expected an object with thermal or rgb, and any of {', '.join(sorted(INDEX_FIELDS))}"
            )
        for name in TEXTS & set(entry):
            if not isinstance(entry[name], str) or "\0" in entry[name]:
                raise DataSetError(f"{where}: {name} is {entry[name]!r}, expected a string")
        yield where, entry


def read_about(folder: Path) -> dict[str, Any]:
    """The content of dataset.json of a data set made by `dataset`; raises DataSetError."""
    try:
        content = parse_json((folder / ABOUT).read_text(encoding="utf-8"))
    except OSError as error:
        raise DataSetError(f"{folder}: not a data set made by `dataset`: there is no {ABOUT}") from error
    except ValueError as error:
        raise DataSetError(f"{folder / ABOUT}: not JSON: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DataSetError(f"{folder / ABOUT}: expected an object of format {FORMAT}")
    return content


def read_pair(folder: Path, where: str, entry: dict[str, Any]) -> Pair:
    """The pair of a line of the index; `where` is its place for errors and ends with its number. Raises DataSetError."""
    try:
        return _pair(folder, where, entry)
    except DataSetError:
        raise
    except (TypeError, ValueError, LookupError, OverflowError, OSError) as error:  # numbers that are none
        raise DataSetError(f"{where}: malformed: {error}") from error


def _pair(folder: Path, where: str, entry: dict[str, Any]) -> Pair:
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
    split = entry.get("split", "")
    if split and split not in SPLITS:
        raise DataSetError(f'{where}: split is "{split}", expected one of {", ".join(SPLITS)}')
    stamp = number(entry["stamp"], where) if "stamp" in entry else None
    return Pair(
        where.rpartition(" ")[2].zfill(6), face, images["thermal"], images["rgb"], Affine(matrix),
        _confidence(where, entry), split, entry.get("episode", ""), stamp,
    )  # fmt: skip


def _confidence(where: str, entry: dict[str, Any]) -> NDArray[np.float64] | None:
    if "confidence" not in entry:
        return None
    try:
        values = np.asarray(entry["confidence"], np.float64)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.shape != (POINTS,) or not ((values >= 0) & (values <= 1)).all():
        raise DataSetError(f"{where}: confidence is {entry['confidence']}, expected {POINTS} numbers from 0 to 1")
    return values


def _rendered(folder: Path) -> Iterator[Pair]:
    """The faces that are turned towards the camera and large enough to be learnt from."""
    from thermal_fld_ros.synthesis.shards import open_shards  # brings numba

    for shard, (images, labels) in enumerate(open_shards(folder)):
        size = np.sqrt(np.prod(np.ptp(labels["points"], axis=1), axis=1))
        seen = labels["visible"].mean(axis=1)
        for row in np.flatnonzero(
            labels["facing"] & (size >= LEAST_RENDERED_SIZE) & (seen >= LEAST_VISIBLE_TO_LEARN)
        ).tolist():
            k = int(labels["frame"][row])
            name = f"{shard:04d}/{k:04d}/{row:04d}"
            face = face_from(f"{folder}, {name}", points=labels["points"][row], scheme=SCHEMES["ibug68"])
            rgb = images["rgb"][k] if "rgb" in images else None
            matrix = labels["to_rgb"][row] if "to_rgb" in labels else Affine.identity().matrix
            yield Pair(name, face, images["images"][k], rgb, Affine(matrix))
