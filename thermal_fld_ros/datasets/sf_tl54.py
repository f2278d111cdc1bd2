# SPDX-License-Identifier: Apache-2.0
"""SF-TL54 (Kuzdeuov et al., "SF-TL54: A Thermal Facial Landmark Dataset with Visual Pairs", SII 2022).

Layout as the authors' scripts read it (github IS2AI/thermal-facial-landmarks-detection): ``gray/test/images/NAME.png`` beside
``gray/test/json/NAME.json``, the latter from labelme: a rectangle "face" of two corners, and polygons whose points follow each
other to 54. Points 48 to 53 are iBUG 48, 51, 54, 57, 62 and 66.
"""

from __future__ import annotations

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
CORNER = 0.5  # labelme's origin is the corner of the top-left pixel, ours its centre


def read_sf_tl54(path: Path) -> DataSet:
    """The folder of one split, with `images` and `json` in it."""
    labels = files_in(path / "json", "*.json", "a split of SF-TL54 with the folders images/ and json/")
    samples = [_sample(file, path / "images") for file in labels]
    return DataSet(path.name, samples, SCHEMES["sftl54"], "hand-made", "SF-TL54: seated subjects, 464 x 348 pixels")


def _sample(file: Path, images: Path) -> Sample:
    image = next(
        (images / (file.stem + suffix) for suffix in SF_TL54_SUFFIXES if (images / (file.stem + suffix)).is_file()),
        None,
    )
    if image is None:
        raise DataSetError(f"{images / file.stem}.png: no such image, but {file} labels it")
    subject = file.stem.partition("_")[0]  # as in SpeakingFaces' names, SUBJECT_TRIAL_SESSION_POSITION_...
    return Sample(file.stem, image_file(image), (_face(read_json(file), str(file), subject),))


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
