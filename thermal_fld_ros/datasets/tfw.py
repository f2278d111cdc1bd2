# SPDX-License-Identifier: Apache-2.0
"""TFW (Kuzdeuov et al., "TFW: Annotated Thermal Faces in the Wild Dataset", TIFS 2022).

Layout as the authors' scripts read it (github IS2AI/TFW): ``TFW/test/outdoor.csv`` (or ``indoor.csv``) with a header line and one
row a face, its images in the folder ``outdoor_gray`` or ``outdoor`` beside it. A row is the image's name, x and y of the box's
top-left and bottom-right corners, and x and y of five points: the centres of the right and the left eye, the tip of the nose,
the right and the left corner of the mouth. Right is the subject's, which is left in the image.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from thermal_fld_ros.datasets.sample import (
    SCHEMES,
    DataSet,
    DataSetError,
    LabelledFace,
    Sample,
    face_from,
    image_file,
    number,
)

TFW_COLUMNS = 15


def read_tfw(path: Path) -> DataSet:
    """The CSV of one environment of one split."""
    folders = (path.with_name(path.stem + "_gray"), path.with_name(path.stem))
    folder = next((folder for folder in folders if folder.is_dir()), None)
    if not path.is_file() or folder is None:
        raise DataSetError(
            f"{path}: expected a CSV file of TFW, such as test/outdoor.csv, with a folder outdoor_gray or outdoor beside it"
        )
    faces: dict[str, list[LabelledFace]] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        for line, row in enumerate(csv.reader(file), 1):
            if line == 1 or not row:
                continue
            where = f"{path}, line {line}"
            if len(row) != TFW_COLUMNS:
                raise DataSetError(
                    f"{where}: {len(row)} columns, expected {TFW_COLUMNS}: name, box's corners, five points"
                )
            values = np.array([number(text, where) for text in row[1:]])
            low, high = values[:2], values[2:4]
            face = face_from(where, points=values[4:].reshape(5, 2), scheme=SCHEMES["tfw5"], box=[*low, *(high - low)])
            faces.setdefault(row[0], []).append(face)
    samples = [Sample(name, image_file(folder / name), tuple(found)) for name, found in faces.items()]
    return DataSet(path.stem, samples, SCHEMES["tfw5"], "hand-made", f"TFW {path.stem}: 464 x 348 pixels")
