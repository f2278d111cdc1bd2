# SPDX-License-Identifier: Apache-2.0
"""Options that are shared by the commands that read pairs of thermal and RGB images."""

from __future__ import annotations

import argparse
from pathlib import Path

from thermal_fld_ros.cli.predict import parse_unit
from thermal_fld_ros.labelling.recordings import Matching, Recording
from thermal_fld_ros.labelling.teachers import RgbTeacher, open_teacher
from thermal_fld_ros.perception.decoding import UNITS, Decoding
from thermal_fld_ros.perception.pipeline import PipelineOptions, with_models

TURNS = (0, 90, 180, 270)


def add_image_options(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add the options of how pairs are found and read; returns their group, so that a command can add more."""
    images = parser.add_argument_group("images")
    images.add_argument("--unit", default="counts", help=f"{', '.join(UNITS)}, or SCALE,OFFSET (default: counts)")
    images.add_argument("--rotate", type=int, default=0, choices=TURNS,
                        help="clockwise rotation in degrees that turns the thermal image upright")  # fmt: skip
    images.add_argument("--inverted", action="store_true", help="warm pixels are dark in the thermal images")
    images.add_argument("--rows", type=int, nargs=2, default=(0, 0), metavar=("TOP", "BOTTOM"),
                        help="rows of the thermal image to drop")  # fmt: skip
    images.add_argument(
        "--rgb-rotate",
        type=int,
        default=0,
        choices=TURNS,
        help="clockwise rotation in degrees that turns the RGB image upright",
    )
    images.add_argument(
        "--thermal-topic",
        default="",
        help="topic of the thermal images, for bags without a manifest of the capture node",
    )
    images.add_argument("--rgb-topic", default="", help="topic of the RGB images, for the same bags")
    images.add_argument("--max-gap", type=float, default=Matching().max_gap, metavar="SECONDS",
                        help="maximum difference of the stamps of a pair (default: %(default)s)")  # fmt: skip
    images.add_argument("--clock-offset", type=float, metavar="SECONDS",
                        help="offset that is added to the RGB camera's stamps (default: as the capture node used it, else 0)")  # fmt: skip
    return images


def add_network_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the teacher and of the thermal networks."""
    parser.add_argument("--teacher", metavar="NAME",
                        help='RGB teacher: "own" (the default), "mediapipe", or the checkpoint of an RGB landmark network')  # fmt: skip
    parser.add_argument("--teacher-python", default="", metavar="PATH",
                        help="Python interpreter of an environment with MediaPipe, which is then the teacher")  # fmt: skip
    parser.add_argument("--models", type=Path, metavar="FOLDER", help="use the two ONNX files in this folder")
    parser.add_argument(
        "--threads", type=int, default=PipelineOptions.threads, help="threads of each network (default: %(default)s)"
    )


def decoding_of(args: argparse.Namespace) -> Decoding:
    """How the thermal images are decoded; raises ValueError."""
    return Decoding(parse_unit(args.unit), args.rotate, tuple(args.rows), args.inverted)


def matching_of(args: argparse.Namespace, subject_pattern: str = "") -> Matching:
    """How the images of a pair are found."""
    topics = {role: topic for role, topic in (("thermal", args.thermal_topic), ("rgb", args.rgb_topic)) if topic}
    return Matching(args.max_gap, args.clock_offset, topics, subject_pattern)


def told(recording: Recording) -> str:
    """A summary of a recording for the user."""
    left_out = "".join(f"; {count} left out ({reason})" for reason, count in recording.left_out.items())
    return f"{recording.path}: {recording.length} pairs {recording.how}".rstrip() + left_out


def teacher_of(args: argparse.Namespace) -> RgbTeacher:
    """The teacher that labels the RGB images; raises TeacherError."""
    return open_teacher(args.teacher or ("mediapipe" if args.teacher_python else "own"), args.teacher_python)


def single_image_options(args: argparse.Namespace) -> PipelineOptions:
    """Options of a pipeline that treats each image on its own."""
    options = PipelineOptions(threads=args.threads, smoothing=False, shutter=False, detect_every=1)
    return with_models(options, args.models) if args.models else options
