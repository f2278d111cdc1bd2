# SPDX-License-Identifier: Apache-2.0
"""Images with a .pts file each, as 300-W has them (Sagonas et al., ICCV workshops 2013).

A file says ``version: 1``, ``n_points: 68``, and the points "x y" between braces. Their origin is Matlab's: the centre of the
top-left pixel is (1, 1). 68, 51 or 54 points are taken.
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
    Scheme,
    face_from,
    files_in,
    image_file,
)
from thermal_fld_ros.recordings.folder import IMAGE_SUFFIXES

BY_COUNT = {len(SCHEMES[name]): SCHEMES[name] for name in ("ibug68", "ibug51", "sftl54")}


def read_pts(path: Path) -> DataSet:
    """The folder of images and .pts files."""
    samples: list[Sample] = []
    schemes: list[Scheme] = []
    for file in files_in(path, "*.pts", "images with a .pts file each"):
        points, scheme = _read(file)
        images = (file.with_suffix(suffix) for suffix in sorted(IMAGE_SUFFIXES))
        image = next((image for image in images if image.is_file()), None)
        if image is None:
            raise DataSetError(
                f"{file}: there is no image of this name beside it ({', '.join(sorted(IMAGE_SUFFIXES))})"
            )
        if schemes and scheme != schemes[0]:
            raise DataSetError(f"{file}: {len(scheme)} points, but the files before have {len(schemes[0])}")
        schemes.append(scheme)
        samples.append(Sample(file.stem, image_file(image), (face_from(str(file), points=points, scheme=scheme),)))
    return DataSet(path.name, samples, schemes[0], "as in the .pts files")


def _read(file: Path) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float64]], Scheme]:
    text = file.read_text(encoding="utf-8", errors="replace")
    body = re.search(r"\{(.*?)\}", text, re.DOTALL)
    try:
        values = np.array((body[1] if body else "").split(), dtype=np.float64)
    except ValueError as error:
        raise DataSetError(f"{file}: {error}, expected numbers between braces") from error
    scheme = BY_COUNT.get(len(values) // 2)
    if len(values) % 2 or scheme is None:
        raise DataSetError(
            f"{file}: {len(values)} numbers between braces, expected x and y of {', '.join(map(str, BY_COUNT))} points"
        )
    return values.reshape(-1, 2) - 1.0, scheme
