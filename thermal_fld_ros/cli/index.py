# SPDX-License-Identifier: Apache-2.0
"""Index a labelled public archive for training, SF-TL54 or TFW: which images belong together, points and splits.

  thermal-fld index sf-tl54 data/SF-TL54

Writes pairs.jsonl into the archive's folder and copies no image. docs/public_data.md tells the whole way to a student.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from thermal_fld_ros.datasets.archives import ARCHIVES, write_index
from thermal_fld_ros.datasets.pairs import INDEX
from thermal_fld_ros.datasets.sample import DataSetError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("form", choices=list(ARCHIVES), help="the archive")
    parser.add_argument("folder", type=Path, metavar="DIR", help="its folder, as it was unpacked")


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    try:
        faces, left_out = write_index(args.form, args.folder)
    except (DataSetError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    told = ", ".join(f"{split} {count}" for split, count in faces.items())
    print(f"{args.folder / INDEX}: {faces.total()} faces: {told}")
    for reason, count in left_out.items():
        print(f"  {count} {reason}")
    return 0
