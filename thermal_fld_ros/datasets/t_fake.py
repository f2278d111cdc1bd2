# SPDX-License-Identifier: Apache-2.0
"""T-FAKE (Flotho et al., arXiv 2408.15127): thermal pictures made from FaceSynthetics (Wood et al., ICCV 2021).

Layout as the authors' loader reads it (github phflot/tfake): ``000000_ldmks.txt`` with 70 lines "x y" in pixels of FaceSynthetics'
512 x 512 image, 68 iBUG points and two pupils, and ``000000_...thermal.png``. FaceSynthetics alone has ``000000.png``, in colour.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from thermal_fld_ros.datasets.sample import SCHEMES, DataSet, DataSetError, Sample, face_from, files_in
from thermal_fld_ros.perception.face import POINTS
from thermal_fld_ros.recordings.source import RawImage

LABELLED_SIZE = (512, 512)
LINES = 70


def read_t_fake(path: Path) -> DataSet:
    """The folder with the thermal images and the landmark files."""
    samples: list[Sample] = []
    left_out: dict[str, int] = {}
    for file in files_in(path, "*_ldmks.txt", "T-FAKE's or FaceSynthetics' 000000_ldmks.txt"):
        number = file.name.partition("_")[0]
        plain = path / f"{number}.png"
        image = next(iter(sorted(path.glob(f"{number}_*thermal.png"))), plain if plain.is_file() else None)
        if image is None:
            left_out["landmark files without an image"] = left_out.get("landmark files without an image", 0) + 1
            continue
        try:
            points = np.loadtxt(file, dtype=np.float64, ndmin=2)
        except ValueError as error:
            raise DataSetError(f"{file}: {error}, expected {LINES} lines of x and y") from error
        if points.shape != (LINES, 2):
            raise DataSetError(f"{file}: an array of {points.shape}, expected {LINES} lines of x and y")
        face = face_from(str(file), points=points[:POINTS], scheme=SCHEMES["ibug68"])
        samples.append(Sample(number, _resized(image), (face,)))
    return DataSet(
        path.name, samples, SCHEMES["ibug68"], "synthetic", "T-FAKE, made from rendered faces", left_out=left_out
    )


def _resized(file: Path) -> Callable[[], RawImage]:
    """Reads an image at the size in which its points are given."""

    def read() -> RawImage:
        pixels = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        if pixels is None:
            raise DataSetError(f"{file}: not an image that OpenCV can read")
        if pixels.shape[1::-1] != LABELLED_SIZE:
            pixels = cv2.resize(pixels, LABELLED_SIZE, interpolation=cv2.INTER_LINEAR)
        return RawImage.from_array(pixels, name=file.name)

    return read
