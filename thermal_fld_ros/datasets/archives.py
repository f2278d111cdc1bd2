# SPDX-License-Identifier: Apache-2.0
"""Labelled public archives as pairs for training: an index `pairs.jsonl` in the archive's own folder, no image is copied.

SF-TL54 has thermal and colour images of the same moment and 54 labelled points; TFW has thermal images only, and of its five points
three are among the 68.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.datasets.pairs import INDEX
from thermal_fld_ros.datasets.sample import SCHEMES, DataSetError, LabelledFace, Scheme
from thermal_fld_ros.datasets.sf_tl54 import labelled_faces
from thermal_fld_ros.datasets.tfw import read_tfw
from thermal_fld_ros.perception.face import POINTS
from thermal_fld_ros.perception.geometry import box_around
from thermal_fld_ros.perception.pose import HEAD_POINTS
from thermal_fld_ros.recordings.folder import IMAGE_SUFFIXES

SPLIT_FOLDERS = {"train": "train", "val": "validation", "test": "test"}
"""The folder of each split, in both archives, and its name in an index."""

ENVIRONMENTS = ("indoor", "outdoor")
"""The parts of each split of TFW."""

NO_COLOUR, NO_SHAPE = "without a colour image", "faces whose five points do not tell where the face is"

_Entry = dict[str, Any]


def write_index(form: str, root: Path) -> tuple[Counter[str], Counter[str]]:
    """Write the index of an archive: one line a face, with its split.

    Parameters
    ----------
    form : str
        One of ARCHIVES.
    root : Path
        The archive's folder, as it was unpacked.

    Returns
    -------
    faces : Counter
        By split.
    left_out : Counter
        By reason: images or faces that are not in the index, or only in part.

    Raises
    ------
    DataSetError
        It is not that archive, or a file of it is malformed.
    """
    left_out: Counter[str] = Counter()
    entries = list(ARCHIVES[form](root, left_out))
    if not entries:
        expected = f"{form} with the folders {', '.join(SPLIT_FOLDERS)}"
        raise DataSetError(f"{root}: no labelled faces in it, expected the folder of {expected} (docs/public_data.md)")
    (root / INDEX).write_text("".join(json.dumps(entry, separators=(",", ":")) + "\n" for entry in entries))
    return Counter(entry["split"] for entry in entries), left_out


def _sf_tl54(root: Path, left_out: Counter[str]) -> Iterator[_Entry]:
    """``gray/SPLIT/images`` and ``gray/SPLIT/json`` beside ``rgb/SPLIT``, as the authors' scripts have them."""
    for folder, split in SPLIT_FOLDERS.items():
        path = root / "gray" / folder
        if not path.is_dir():
            continue
        colour = _colour_images(root / "rgb" / folder)
        for image, face in labelled_faces(path, left_out):
            entry = _entry(root, image, face, SCHEMES["sftl54"], split)
            assert face.points is not None
            entry["box"] = box_around(face.points).round(2).tolist()
            beside = colour.get(_moment(image))
            if beside is None:
                left_out[NO_COLOUR] += 1
            else:
                entry["rgb"] = beside.relative_to(root).as_posix()  # aligned: the same pixels
            yield entry


def _colour_images(folder: Path) -> dict[str, Path]:
    files = [file for file in folder.rglob("*") if file.suffix.lower() in IMAGE_SUFFIXES] if folder.is_dir() else []
    return {_moment(file): file for file in sorted(files)}


def _moment(file: Path) -> str:
    """A SpeakingFaces name SUBJECT_TRIAL_SESSION_POSITION_COMMAND_FRAME_STREAM without the stream, which tells the camera."""
    return "_".join(file.stem.split("_")[:6])


def _tfw(root: Path, left_out: Counter[str]) -> Iterator[_Entry]:
    """``SPLIT/indoor.csv`` and ``SPLIT/outdoor.csv``, each beside the folder of its images."""
    for folder, split in SPLIT_FOLDERS.items():
        for environment in ENVIRONMENTS:
            table = root / folder / f"{environment}.csv"
            if not table.is_file():
                continue
            for image, face in labelled_tfw_faces(table):
                box = face_box(face)
                if box is None:
                    left_out[NO_SHAPE] += 1
                    continue
                yield _entry(root, image, face, SCHEMES["tfw5"], split) | {"box": box.round(2).tolist()}


def labelled_tfw_faces(table: Path) -> Iterator[tuple[Path, LabelledFace]]:
    """The faces of a CSV of TFW and the image of each; raises DataSetError."""
    data = read_tfw(table)
    folder = next(f for f in (table.with_name(table.stem + "_gray"), table.with_name(table.stem)) if f.is_dir())
    for sample in data.samples:
        for face in sample.faces:
            yield folder / sample.name, face


def face_box(face: LabelledFace) -> NDArray[np.float64] | None:
    """The box (4,) around the 68 points that a mean head has where TFW's five points are, since TFW's own boxes hold the forehead.

    An affine camera is fitted, by least squares; None where the points do not determine it.
    """
    scheme, points = SCHEMES["tfw5"], face.points
    if points is None or not np.isfinite(points).all():
        return None
    head = np.hstack([HEAD_POINTS, np.ones((POINTS, 1))])
    five = np.stack([head[list(group)].mean(axis=0) for group in scheme.groups])
    box = box_around(head @ np.linalg.lstsq(five, points, rcond=None)[0])
    return box if (box[2:] > 0).all() else None


def _entry(root: Path, image: Path, face: LabelledFace, scheme: Scheme, split: str) -> _Entry:
    """A line of the index, with those of the 68 points that the archive labels."""
    assert face.points is not None
    points: list[list[float] | None] = [None] * POINTS
    for group, point in zip(scheme.groups, face.points, strict=True):
        if len(group) == 1 and np.isfinite(point).all():
            points[group[0]] = point.round(2).tolist()
    entry: _Entry = {"thermal": image.relative_to(root).as_posix(), "points": points, "split": split}
    return entry | ({"subject": face.subject} if face.subject else {})


ARCHIVES: dict[str, Callable[[Path, Counter[str]], Iterator[_Entry]]] = {"sf-tl54": _sf_tl54, "tfw": _tfw}
"""By the name of the form in docs/datasets.md."""
