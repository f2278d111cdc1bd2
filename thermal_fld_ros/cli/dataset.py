# SPDX-License-Identifier: Apache-2.0
"""Turn recorded pairs of thermal and RGB images into a labelled data set.

  thermal-fld dataset captures/* --registration registration.json --out mydata

A teacher finds 68 points in the RGB image, and the registration of the two cameras maps them to the thermal image. Faces on which the
two images disagree, and faces in unusable images, are left out and counted. Run the command again with the same arguments to continue
after an interruption, or with more recordings to add them. docs/adaptation.md describes the output.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import numpy as np

from thermal_fld_ros.cli._progress import Progress
from thermal_fld_ros.cli._recordings import (
    add_image_options,
    add_network_options,
    decoding_of,
    matching_of,
    single_image_options,
    teacher_of,
    told,
)
from thermal_fld_ros.datasets.pairs import SPLITS, read_pairs
from thermal_fld_ros.labelling.build import Builder, Storing
from thermal_fld_ros.labelling.folder import check, finish, prepare
from thermal_fld_ros.labelling.labeller import Labeller, Limits
from thermal_fld_ros.labelling.picture import pairs_sheet
from thermal_fld_ros.labelling.recordings import UNREADABLE, Matching, Recording, open_recording
from thermal_fld_ros.perception.models import ModelError
from thermal_fld_ros.perception.pictures import write_image
from thermal_fld_ros.perception.pipeline import Pipeline
from thermal_fld_ros.registration.registration import Homography, Registration, read_registration

SHEET = "sheet.png"
SAME = "same"
TOLD_SIZE = 2_000_000_000  # bytes of a recording


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    storing, limits = Storing(), Limits()
    parser.add_argument("recordings", nargs="*", metavar="[NAME=]RECORDING",
                        help="a rosbag2, a folder with images named ..._thermal and ..._rgb, or two folders THERMAL:RGB")  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the data set")
    parser.add_argument("--check", action="store_true", help="only check whether DIR matches its checksum")
    parser.add_argument(
        "--registration",
        metavar="FILE",
        help=f'file written by `register`, or "{SAME}" if both images show the same scene in the same pixels',
    )

    images = add_image_options(parser)
    images.add_argument("--subject-pattern", default="", metavar="REGEX",
                        help="for folders: regular expression whose first group in a file's name is the subject")  # fmt: skip
    images.add_argument("--subject", default="", metavar="TAG", help="subject of recordings that do not name one")

    kept = parser.add_argument_group("what is kept")
    kept.add_argument("--max-disagreement", type=float, default=limits.disagreement, metavar="SHARE",
                      help="maximum distance between the two images' points, in sizes of the face (default: %(default)s)")  # fmt: skip
    kept.add_argument("--min-sharpness", type=float, default=limits.sharpness, metavar="VALUE",
                      help="minimum sharpness of the face in the RGB image (default: %(default)s)")  # fmt: skip
    kept.add_argument("--max-turn", type=float, default=limits.turn, metavar="DEGREES",
                      help="maximum rotation of the head away from the camera (default: %(default)s)")  # fmt: skip
    kept.add_argument("--unconfirmed", action="store_true",
                      help="also keep faces that only the teacher finds, with half the weight")  # fmt: skip
    kept.add_argument("--min-change", type=float, default=storing.min_change, metavar="SHARE",
                      help="minimum mean displacement of the points since the face was last kept (default: keep all)")  # fmt: skip
    kept.add_argument("--frames", action="store_true", help="store whole images (default: what is around each face)")
    kept.add_argument("--margin", type=float, default=storing.margin, metavar="FACTOR",
                      help="margin around a face on each side, in lengths of its longer side (default: %(default)s)")  # fmt: skip

    splits = parser.add_argument_group("splits")
    splits.add_argument("--splits", type=float, nargs=3, default=(70, 15, 15), metavar=("TRAIN", "VALIDATION", "TEST"),
                        help="shares (default: 70 15 15)")  # fmt: skip
    splits.add_argument("--validation", nargs="+", default=[], metavar="NAME", help="people or episodes for validation")
    splits.add_argument("--test", nargs="+", default=[], metavar="NAME", help="people or episodes for the test")
    add_network_options(parser)


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    try:
        if args.check:
            return _check(args.out)
        return _build(args)
    except KeyboardInterrupt:
        print("\ninterrupted; run the same command again to continue", file=sys.stderr)
        raise
    except (ModelError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _check(out: Path) -> int:
    wrong = check(out)
    for text in wrong:
        print(f"{out}: {text}")
    if not wrong:
        print(f"{out}: index and images match the checksum")
    return 1 if wrong else 0


def _build(args: argparse.Namespace) -> int:
    decoding, matching = decoding_of(args), matching_of(args, args.subject_pattern)
    limits = Limits(args.max_disagreement, args.min_sharpness, args.max_turn, args.unconfirmed)
    storing = Storing(args.frames, args.margin, args.min_change)
    registration = _registration(args.registration)
    named = {name: split for split in SPLITS[1:] for name in getattr(args, split)}
    if min(args.splits) < 0 or args.splits[0] <= 0:
        raise ValueError(
            f"--splits {' '.join(map(str, args.splits))}: expected shares of 0 or more, above 0 for training"
        )
    recordings = _opened(args.recordings, matching, args.subject)
    teacher = teacher_of(args)
    try:
        if args.unconfirmed and not teacher.finds:
            raise ValueError("--unconfirmed requires a teacher that finds faces by itself: --teacher mediapipe")
        pipeline = Pipeline(single_image_options(args))
        networks = {"detector": pipeline.detector.model.sha256, "landmarks": pipeline.landmarker.model.sha256}
        settings = {
            "registration": registration.fields(), "teacher": teacher.about, "thermal networks": networks,
            "decoding": asdict(decoding), "rgb rotation": args.rgb_rotate, "matching": asdict(matching),
            "limits": asdict(limits), "storing": asdict(storing),
        }  # fmt: skip
        prepare(args.out, settings)
        labeller = Labeller(pipeline, registration, teacher, limits)
        builder = Builder(args.out, labeller, decoding, args.rgb_rotate, matching.max_gap, storing)
        _read(recordings, builder, args.command_line)
    finally:
        teacher.close()
    return _finish(args.out, args.splits, named)


def _registration(text: str | None) -> Registration:
    if text is None:
        raise ValueError(
            f"--registration is missing: name the file that `register` wrote, or {SAME} if both images show the same in the same pixels"
        )
    return Homography(np.eye(3)) if text == SAME else read_registration(text)


def _opened(texts: list[str], matching: Matching, subject: str) -> list[Recording]:
    """The recordings that the user named; `subject` is the person in recordings that do not name one."""
    recordings = [open_recording(text, matching) for text in texts]
    if not recordings:
        raise ValueError("no recording was given: name a bag or a folder")
    for recording in recordings if subject else []:
        recording.about.setdefault("subject", subject)
    names = Counter(recording.name for recording in recordings)
    (name, count), *_ = names.most_common(1)
    if count > 1:
        raise ValueError(f"two recordings are named {name}: give one of them another name with NAME=PATH")
    return recordings


def _read(recordings: list[Recording], builder: Builder, command: str) -> None:
    with Progress(sum(recording.length for recording in recordings), "pairs") as progress:
        for recording in recordings:
            size = sum(file.stat().st_size for file in recording.files)
            if size > TOLD_SIZE:
                progress.say(f"{recording.path}: computing the checksum of {size / 1e9:.0f} GB first")
            progress.say(told(recording))
            if not recording.about.get("consent"):
                progress.say(f"{recording.path}: the recording notes no consent")
            for left_out in builder.add(recording, command):
                while builder.damaged:
                    progress.say(builder.damaged.pop(0))
                for reason in left_out:
                    if reason.startswith(UNREADABLE):
                        progress.say(f"{recording.path}: an image {reason}", once=reason)
                progress.step()


def _finish(out: Path, shares: list[float], named: dict[str, str]) -> int:
    about = finish(out, shares, named)
    counts = about["counts"]
    print(f"{out}: {counts['faces']} faces of {counts['pairs']} pairs, {sum(counts['struck'].values())} struck")
    seen = ", ".join(f"{kind} {count}" for kind, count in counts["faces_by_evidence"].items())
    print(f"  in the thermal image: {seen}")
    for reason, count in counts["left_out"].items():
        print(f"  left out: {count}  {reason}")
    told = ", ".join(f"{split} {count}" for split, count in counts["faces_by_split"].items())
    by = {"subject": "people", "episode": "episodes", "time": "time within each episode"}[about["splits"]["by"]]
    print(f"  splits by {by}: {told}")
    pairs = read_pairs(out)
    write_image(out / SHEET, pairs_sheet(pairs))
    print(f"  look at {out / SHEET} and strike out what is wrong: python -m thermal_fld_ros review {out}")
    return 0
