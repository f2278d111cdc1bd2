# SPDX-License-Identifier: Apache-2.0
"""RWTH Aachen's thermal face database (Kopaczka et al., IEEE TIM 68, 2019; github marcinkopaczka/thermalfaceproject).

Layout as the code of its users reads it: ``irface_sub001_seq02_frm00155.jpg_lfb.png`` beside a file of that name with the suffix
``.ljson``, Menpo's format: ``landmarks.points`` is a list of 68 [y, x], null where there is none.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from thermal_fld_ros.datasets.sample import (
    SCHEMES,
    DataSet,
    DataSetError,
    Sample,
    face_from,
    files_in,
    image_file,
    read_json,
)


def read_rwth(path: Path) -> DataSet:
    """The folder of images and .ljson files."""
    samples = []
    for file in files_in(path, "*.ljson", "the RWTH database's images with an .ljson file each"):
        content = read_json(file)
        try:
            points = np.array(content["landmarks"]["points"], dtype=np.float64).reshape(-1, 2)[:, ::-1]
        except (KeyError, TypeError, ValueError) as error:
            raise DataSetError(f'{file}: no "landmarks": {{"points": [[y, x], ...]}} as in Menpo\'s ljson') from error
        face = face_from(str(file), points=points, scheme=SCHEMES["ibug68"], subject=_subject(file.name))
        samples.append(Sample(file.stem, image_file(file.with_suffix(".png")), (face,)))
    return DataSet(path.name, samples, SCHEMES["ibug68"], "hand-made", "RWTH Aachen thermal faces, 1024 x 768 pixels")


def _subject(name: str) -> str:
    found = re.search(r"sub(\d+)", name)
    return found[1] if found else ""
