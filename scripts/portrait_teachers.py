# SPDX-License-Identifier: Apache-2.0
"""How far teachers lie from points marked by hand in RGB portraits.

    python scripts/portrait_teachers.py --images FOLDER --marks hand_points.json --teacher models/rgb_teacher.pt \
        --teacher-python mp/bin/python

Only people that `photos --marks` keeps for the test are measured. The face mesh is measured as MediaPipe gives it, and moved to where
people click (`photographs/portraits.py`). Every network looks at the same crops, about MediaPipe's points.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from thermal_fld_ros.datasets.hand_marks import read_hand_marks  # noqa: E402
from thermal_fld_ros.evaluation.report import figure, table  # noqa: E402
from thermal_fld_ros.perception.geometry import extent  # noqa: E402
from thermal_fld_ros.photographs.portraits import (  # noqa: E402
    PortraitTeacher,
    in_convention,
    read_photograph,
    splits_of,
    subject_of,
)

PARTS = {"all marked": range(68), "brows": range(17, 27), "eyes": range(36, 48), "mouth": range(48, 68)}


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--marks", type=Path, required=True, metavar="JSON")
    parser.add_argument(
        "--teacher", type=Path, action="append", required=True, metavar="FILE", help="a checkpoint, again for more"
    )
    parser.add_argument("--teacher-python", default=sys.executable, metavar="PATH")
    args = parser.parse_args()
    marks = read_hand_marks(args.marks)
    names = [name for name, split in splits_of(list(marks), marks).items() if split == "test"]
    teachers = {file.stem: PortraitTeacher(args.teacher_python, file) for file in args.teacher}
    errors: dict[str, list[NDArray[np.float64]]] = {}
    for name in names:
        image, truth = read_photograph(args.images / name), marks[name]
        first = next(iter(teachers.values()))
        mesh = max((face.points for face in first.mediapipe(image) if face is not None), key=extent)
        found = {"MediaPipe": mesh, "MediaPipe, moved": in_convention(mesh)}
        found |= {key: teacher.network_points(image, in_convention(mesh)) for key, teacher in teachers.items()}
        for key, points in found.items():
            errors.setdefault(key, []).append(
                100 * np.linalg.norm(points - truth, axis=1) / extent(in_convention(mesh))
            )
    for teacher in teachers.values():
        teacher.close()
    rows = [
        [key, *(figure(float(np.nanmean(np.array(values)[:, list(part)]))) for part in PARTS.values())]
        for key, values in errors.items()
    ]
    people = len({subject_of(name) for name in names})
    print(f"{len(names)} photographs of {people} people; distance in % of sqrt(w h) of the face's box\n")
    print(table(["teacher", *PARTS], rows))


if __name__ == "__main__":
    main()
