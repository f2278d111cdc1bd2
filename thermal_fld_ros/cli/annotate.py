# SPDX-License-Identifier: Apache-2.0
"""Label landmarks in your own thermal images by hand, on a page in the browser, for `evaluate`.

  thermal-fld annotate recording.mp4 --frames 60 --out labels.json
  thermal-fld annotate --out labels.json --round second
  thermal-fld annotate --agreement labels.json labels.second.json
  thermal-fld evaluate --data plain:labels.json

The page is on this machine only. On a robot or a server: ssh -L 8765:127.0.0.1:8765 ROBOT, then open the printed address.
No network makes suggestions, so the labels are independent of what is measured with them. Each change is saved at once, and the same
command continues later. The second round does not show the first one: the distance of the two rounds is a bound that no network can be
expected to beat.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from thermal_fld_ros.cli._pages import add_page_options, serve
from thermal_fld_ros.datasets.plain import read_plain
from thermal_fld_ros.datasets.sample import SCHEMES, DataSetError
from thermal_fld_ros.evaluation.rounds import compare, rounds_text
from thermal_fld_ros.labelling.annotate import AnnotateServer
from thermal_fld_ros.labelling.annotation import (
    Annotation,
    Place,
    chosen,
    finished,
    places_in,
    read_labels,
    settings_of,
)
from thermal_fld_ros.perception.decoding import UNITS
from thermal_fld_ros.recordings.opening import open_source
from thermal_fld_ros.recordings.source import Reading


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("images", type=Path, nargs="?", metavar="IMAGES",
                        help="image, folder of images, video, .npy, .npz, TIFF, bag")  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="the label file, in the plain form")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--every", type=_positive, default=1, metavar="N", help="use every N-th image")
    which.add_argument("--frames", type=_positive, metavar="COUNT", help="use N images, evenly spread")
    parser.add_argument("--round", choices=("first", "second"), default="first",
                        help="second: label the finished images of FILE.json again, into FILE.second.json")  # fmt: skip
    parser.add_argument("--agreement", type=Path, nargs=2, metavar=("FIRST.json", "SECOND.json"),
                        help="only print the distance of two rounds of labels")  # fmt: skip
    settings = parser.add_argument_group("images and points (default: as the label file has them)")
    settings.add_argument("--scheme", choices=[name for name in SCHEMES if name != "tfw5"],
                          help="point scheme (default: sftl54)")  # fmt: skip
    settings.add_argument(
        "--unit", choices=list(UNITS), help="unit of the values (default: as the input says, else counts)"
    )
    settings.add_argument("--rotate", type=int, choices=(0, 90, 180, 270), dest="rotation",
                          help="clockwise rotation in degrees that turns the images upright")  # fmt: skip
    settings.add_argument("--inverted", action="store_true", default=None, help="warm pixels are dark in these images")
    settings.add_argument("--rows", type=int, nargs=2, metavar=("TOP", "BOTTOM"), help="rows to drop, e.g. telemetry")
    settings.add_argument("--topic", help="image topic of a bag that has several")
    add_page_options(parser)


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C, or print the agreement; the exit status."""
    try:
        if args.agreement:
            first, second = (read_plain(path) for path in args.agreement)
            print(rounds_text(compare(first, second)))
            return 0
        annotation = _annotation(args)
        server = AnnotateServer(annotation, args.port)
    except (ValueError, OSError, OverflowError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    serve(server, args)
    states = [image["state"] for image in annotation.listed()]
    print(
        f"{annotation.out}: {states.count('done')} of {len(states)} images are finished, {states.count('unfinished')} are unfinished"
    )
    return 0


def _annotation(args: argparse.Namespace) -> Annotation:
    """What is to be annotated; raises SourceError, DataSetError or OSError."""
    if args.out is None or args.out.suffix.lower() != ".json":
        raise DataSetError("--out is missing: name a label file, such as labels.json")
    names = ("scheme", "unit", "rotation", "inverted", "rows", "topic")
    given: dict[str, Any] = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    second = args.round == "second"
    content = read_labels(args.out) if second or args.out.exists() else {}
    settings = settings_of(args.out, content, given)
    places: list[Place] = []
    if args.images is not None:
        places = chosen(places_in(args.images, settings["topic"]), args.every, args.frames)
        if not content and args.unit is None:
            settings["unit"] = open_source(args.images, Reading(settings["topic"])).unit or settings["unit"]
    elif not second:
        raise DataSetError("IMAGES is missing: name a file or a folder to annotate")
    if not second:
        return Annotation(args.out, places, settings)
    again = finished(args.out, content)
    if args.images is not None:
        again = [place for place in again if place in set(places)]
    if not again:
        raise DataSetError(f"{args.out}: no image is finished yet. Finish the first round before the second")
    return Annotation(args.out.with_suffix(".second.json"), again, settings, "by hand, second round")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text}: expected at least 1")
    return value
