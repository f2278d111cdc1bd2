# SPDX-License-Identifier: Apache-2.0
"""SF-TL54 (Kuzdeuov et al., "SF-TL54: A Thermal Facial Landmark Dataset with Visual Pairs", SII 2022).

Layout as the authors' scripts read it (github IS2AI/thermal-facial-landmarks-detection): ``gray/test/images/NAME.png`` beside
``gray/test/json/NAME.json``, the latter from labelme: a rectangle "face" of two corners, and polygons whose points follow each
other to 54. Points 48 to 53 are iBUG 48, 51, 54, 57, 62 and 66. The U-net of the authors is trained and measured without the images
that ``challenging_images.csv`` in the archive's folder names by subject, trial and position; where the file is, they are left out here.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from thermal_fld_ros.datasets.sample import (
    SCHEMES,
    DataSet,
    DataSetError,
    LabelledFace,
    Sample,
    face_from,
    files_in,
    image_file,
    read_json,
)

SF_TL54_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
CHALLENGING = "challenging_images.csv"
TRIAL = ("sub_id", "trial_id", "pos_id")
CORNER = 0.5  # labelme's origin is the corner of the top-left pixel, ours its centre


def read_sf_tl54(path: Path) -> DataSet:
    """The folder of one split, with `images` and `json` in it."""
    left_out: Counter[str] = Counter()
    samples = [Sample(image.stem, image_file(image), (face,)) for image, face in labelled_faces(path, left_out)]
    about = "SF-TL54: seated subjects, 464 x 348 pixels"
    return DataSet(path.name, samples, SCHEMES["sftl54"], "hand-made", about, left_out=dict(left_out))


def labelled_faces(path: Path, left_out: Counter[str]) -> Iterator[tuple[Path, LabelledFace]]:
    """The image and the face of each label file of one split; what is left out is counted. Raises DataSetError."""
    labels = files_in(path / "json", "*.json", "a split of SF-TL54 with the folders images/ and json/")
    challenging = _challenging(path.parent.parent / CHALLENGING)
    for file in labels:
        if _trial(file.stem) in challenging:
            left_out[f"images that {CHALLENGING} names"] += 1
            continue
        found = (path / "images" / (file.stem + suffix) for suffix in SF_TL54_SUFFIXES)
        image = next((image for image in found if image.is_file()), None)
        if image is None:
            raise DataSetError(f"{path / 'images' / file.stem}.png: no such image; {file} labels it")
        subject = file.stem.partition("_")[0]  # as in SpeakingFaces' names, SUBJECT_TRIAL_SESSION_POSITION_...
        yield image, _face(read_json(file), str(file), subject)


def _challenging(file: Path) -> set[tuple[str, ...]]:
    """Subject, trial and position of the images that the authors leave out."""
    if not file.is_file():
        return set()
    with file.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    if rows and not set(TRIAL) <= set(rows[0]):
        raise DataSetError(f"{file}: columns {', '.join(rows[0])}, expected {', '.join(TRIAL)}")
    return {tuple(row[column].strip() for column in TRIAL) for row in rows}


def _trial(name: str) -> tuple[str, ...]:
    """Subject, trial and position of an image, from its name SUBJECT_TRIAL_SESSION_POSITION_..."""
    parts = name.split("_")
    return (*parts[:2], *parts[3:4])


def _face(content: Any, where: str, subject: str) -> LabelledFace:
    shapes = content.get("shapes") if isinstance(content, dict) else None
    if not isinstance(shapes, list):
        raise DataSetError(f'{where}: no list "shapes", expected labelme\'s JSON')
    points: list[Any] = []
    corners = None
    for shape in shapes:
        if shape.get("label") == "face":
            corners = np.asarray(shape["points"], dtype=np.float64) - CORNER
        else:
            points += shape["points"]
    if corners is None or corners.shape != (2, 2):
        raise DataSetError(f'{where}: no rectangle "face" of two corners')
    low, high = corners.min(axis=0), corners.max(axis=0)
    located = np.asarray(points, dtype=np.float64).reshape(-1, 2) - CORNER
    return face_from(where, points=located, scheme=SCHEMES["sftl54"], box=[*low, *(high - low)], subject=subject)
