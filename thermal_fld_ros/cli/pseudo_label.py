# SPDX-License-Identifier: Apache-2.0
"""Label thermal recordings by the network itself, so that `adapt` can fit it to a camera without an RGB one beside it.

  thermal-fld pseudo_label monday.mcap tuesday.mcap wednesday.mcap --out faces --unit centikelvin

Then run `thermal-fld adapt faces`.

Each recording should show other people than the others: by recordings `adapt` tells what it learns from and what it is judged by.
docs/adaptation.md says what this can do and what it cannot see.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from thermal_fld_ros.cli._progress import Progress
from thermal_fld_ros.cli._recordings import TURNS, single_image_options
from thermal_fld_ros.cli.predict import parse_unit
from thermal_fld_ros.datasets.pairs import SPLITS
from thermal_fld_ros.datasets.sample import DataSetError
from thermal_fld_ros.labelling.pseudo_labels import label_images, write_data_set
from thermal_fld_ros.perception.decoding import UNITS, Decoding, ImageError
from thermal_fld_ros.perception.models import ModelError
from thermal_fld_ros.perception.pipeline import Pipeline
from thermal_fld_ros.recordings.opening import open_source
from thermal_fld_ros.recordings.source import Reading, SourceError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("recordings", nargs="+", type=Path, metavar="RECORDING", help="whatever `predict` reads")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder for the data set")
    parser.add_argument("--topic", default="", help="of bags that have images on several topics")
    parser.add_argument(
        "--unit", help=f"{', '.join(UNITS)}, or SCALE,OFFSET; default: what the input says, else counts"
    )
    parser.add_argument("--rotate", type=int, default=0, choices=TURNS, help="clockwise turn that brings it upright")
    parser.add_argument("--inverted", action="store_true", help="warm is dark")
    parser.add_argument("--rows", type=int, nargs=2, default=(0, 0), metavar=("TOP", "BOTTOM"), help="rows to drop")
    parser.add_argument("--splits", type=float, nargs=3, default=(70, 15, 15), metavar=("TRAIN", "VALIDATION", "TEST"),
                        help="shares (default: 70 15 15)")  # fmt: skip
    parser.add_argument("--validation", nargs="+", default=[], metavar="NAME", help="recordings for validation")
    parser.add_argument("--test", nargs="+", default=[], metavar="NAME", help="recordings for the test")
    parser.add_argument("--models", type=Path, metavar="FOLDER", help="use the two ONNX files in this folder")
    parser.add_argument("--threads", type=int, default=1, help="threads of each network (default: 1)")


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    try:
        return _label(args)
    except (ModelError, DataSetError, SourceError, ImageError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _label(args: argparse.Namespace) -> int:
    if args.out.exists() and any(args.out.iterdir()):
        raise DataSetError(f"{args.out}: it holds files, expected an empty or a new folder")
    names = [path.resolve().stem for path in args.recordings]
    if len(set(names)) < len(names):
        raise DataSetError(f"two recordings are named {Counter(names).most_common(1)[0][0]}, expected different names")
    pipeline = Pipeline(single_image_options(args))
    left_out: Counter[str] = Counter()
    entries: list[dict[str, Any]] = []
    args.out.mkdir(parents=True, exist_ok=True)
    for name, path in zip(names, args.recordings, strict=True):
        source = open_source(path, Reading(args.topic))
        decoding = Decoding(parse_unit(args.unit or source.unit or "counts"), args.rotate, args.rows, args.inverted)
        pipeline.reset()
        with Progress(None) as progress:
            for entry in label_images(iter(source), decoding, pipeline, args.out, name, left_out):
                entries.append(entry)
                progress.step()
    model = pipeline.landmarker.model
    teacher = {"name": f"{model.name} itself on several crops", "sha256": model.sha256, "pseudo": True}
    about = {"settings": {"teacher": teacher, "storing": {"frames": True}}, "command": args.command_line,
             "left_out": dict(left_out)}  # fmt: skip
    named = {name: split for split in SPLITS[1:] for name in getattr(args, split)}
    counts = write_data_set(args.out, entries, args.splits, named, about)
    print(f"{args.out}: {len(entries)} faces: {', '.join(f'{split} {count}' for split, count in counts.items())}")
    for reason, count in left_out.items():
        print(f"  left out: {count}  {reason}")
    return 0
