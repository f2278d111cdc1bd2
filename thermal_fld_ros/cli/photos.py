# SPDX-License-Identifier: Apache-2.0
"""Turn RGB portraits into pairs for training: points of two teachers, and the face as a thermal camera might have seen it.

  thermal-fld photos portraits --face-model FaceXModel --out runs/photo_pairs --teacher-python mp/bin/python --sheet sheet.png

MediaPipe and the package's RGB network label each photograph; a point is trusted as far as both agree. The thermal half has the
renderer's temperatures: a morphable face laid over the points, and hair, clothes and background where the photograph has them.
Photographs of which no pair can be made are counted and named. A run that was interrupted goes on where it was.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m thermal_fld_ros photos``."""
    parser.add_argument("folder", type=Path, help="photographs, also in folders below")
    parser.add_argument(
        "--face-model", type=Path, required=True, help="ICT-FaceKit's FaceXModel folder or its cached .npz"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the pairs")
    parser.add_argument(
        "--draws", type=int, default=4, help="pairs of each photograph, with other temperatures (default: 4)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--marks", type=Path, metavar="JSON",
                        help="points marked by hand: a JSON object of paths and lists of 68 points (null: not marked) or the 189 of the "
                             "FRL template; a quarter of these people gets the split \"test\"")  # fmt: skip
    parser.add_argument("--sources", type=Path, metavar="JSON",
                        help="origins and licences of the photographs, kept beside the pairs (config/photos/sources.json)")  # fmt: skip
    parser.add_argument(
        "--teacher", type=Path, metavar="FILE", help="checkpoint of an RGB landmark network (default: the package's)"
    )
    parser.add_argument(
        "--teacher-python",
        default="",
        metavar="PATH",
        help="interpreter of the environment with MediaPipe (default: this one)",
    )
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--sheet", type=Path, metavar="PNG", help="draw a contact sheet of the pairs")


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    from thermal_fld_ros.synthesis.morphable import MorphableModelError

    try:
        return _run(args)
    except KeyboardInterrupt:
        print("\nthe same command goes on from here", file=sys.stderr)
        raise
    except (MorphableModelError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _run(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from thermal_fld_ros.datasets.hand_marks import read_hand_marks
    from thermal_fld_ros.datasets.pairs import read_pairs
    from thermal_fld_ros.labelling.picture import pairs_sheet
    from thermal_fld_ros.labelling.teachers import OWN_FILE
    from thermal_fld_ros.perception.models import default_model_folder
    from thermal_fld_ros.perception.pictures import write_image
    from thermal_fld_ros.photographs.portraits import Made, Settings, make_pairs, photographs

    if min(args.draws, args.processes) < 1:
        raise ValueError(f"--draws {args.draws} --processes {args.processes}: expected 1 or more of each")
    marks = read_hand_marks(args.marks) if args.marks else {}
    if args.sources:
        _check_sources(args.sources)
    teacher = args.teacher or default_model_folder() / OWN_FILE
    settings = Settings(
        args.folder,
        args.out,
        args.face_model,
        teacher,
        args.teacher_python or sys.executable,
        args.draws,
        args.seed,
        marks,
    )
    made = Made()
    with tqdm(total=len(photographs(args.folder)), unit="photo") as bar:
        for made in make_pairs(settings, args.processes):
            bar.update(made.photographs - bar.n)
    if args.sources:
        shutil.copyfile(args.sources, args.out / "sources.json")
    pairs = read_pairs(args.out)
    test = sum(pair.split == "test" for pair in pairs)
    print(
        f"{args.out}: {made.pairs} pairs of {made.photographs - len(made.left_out)} photographs, {test} of them for the test"
    )
    for name, reason in made.left_out.items():
        print(f"  left out: {name}: {reason}")
    if args.sheet:
        write_image(args.sheet, pairs_sheet(pairs))
        print(f"  look at {args.sheet}")
    return 0


def _check_sources(file: Path) -> None:
    from thermal_fld_ros.files import parse_json

    wanted = {"title", "authors", "licence"}
    content = parse_json(file.read_text(encoding="utf-8"))
    if not (isinstance(content, dict) and all(isinstance(s, dict) and wanted <= s.keys() for s in content.values())):
        raise ValueError(f"{file}: expected an object of sources, each with {', '.join(sorted(wanted))}")
