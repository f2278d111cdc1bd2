# SPDX-License-Identifier: Apache-2.0
"""Charlotte-ThermalFace (Ashrafi et al., Infrared Physics & Technology 124, 2022; github TeCSAR-UNCC/UNCC-ThermalFace).

Layout as the code of its users reads it: ``S1.csv`` to ``S10.csv`` with the columns ``ID``, ``x0``, ``y0``, ``x1``, ... beside the
folders ``S1`` to ``S10`` of ``ID.tiff``, 16-bit centikelvin. The first 68 points are iBUG's. Turned heads have 43 points of the
visible side, and the files do not say which side it is: those rows are left out and counted.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path

from thermal_fld_ros.datasets.sample import (
    CENTIKELVIN,
    SCHEMES,
    DataSet,
    DataSetError,
    Sample,
    face_from,
    files_in,
    image_file,
    number,
)
from thermal_fld_ros.perception.face import POINTS

CHARLOTTE_SUFFIXES = (".tiff", ".tif")
PROFILE = "profiles of 43 points"
NO_IMAGE = "rows without a 16-bit image"


def read_charlotte(path: Path) -> DataSet:
    """The folder with S1.csv to S10.csv, or one of these files."""
    tables = [path] if path.is_file() else files_in(path, "S*.csv", "Charlotte-ThermalFace's S1.csv to S10.csv")
    samples: list[Sample] = []
    left_out = {PROFILE: 0, NO_IMAGE: 0}
    for table in tables:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            wanted = ["ID", *(f"{axis}{k}" for k in range(POINTS) for axis in "xy")]
            missing = [name for name in wanted if name not in (reader.fieldnames or [])]
            if missing:
                raise DataSetError(
                    f"{table}: no column {missing[0]}, expected ID, x0, y0 to x{POINTS - 1}, y{POINTS - 1}"
                )
            for line, row in enumerate(reader, 2):
                where = f"{table}, line {line}"
                points = [[_value(row[f"{axis}{k}"], where) for axis in "xy"] for k in range(POINTS)]
                image = next(
                    (f for s in CHARLOTTE_SUFFIXES if (f := table.with_suffix("") / (row["ID"] + s)).is_file()), None
                )
                if any(math.isnan(value) for point in points for value in point):
                    left_out[PROFILE] += 1
                elif image is None:
                    left_out[NO_IMAGE] += 1
                else:
                    face = face_from(where, points=points, scheme=SCHEMES["ibug68"], subject=table.stem)
                    samples.append(Sample(f"{table.stem}/{row['ID']}", image_file(image), (face,), CENTIKELVIN))
    left_out = {reason: count for reason, count in left_out.items() if count}
    return DataSet(path.stem, samples, SCHEMES["ibug68"], "hand-made", "Charlotte-ThermalFace", left_out=left_out)


def _value(text: str | None, where: str) -> float:
    """A coordinate; NaN where the row has none: empty, "nan" or 0."""
    if text is None or text.strip().lower() in ("", "nan"):
        return math.nan
    return number(text, where) or math.nan
