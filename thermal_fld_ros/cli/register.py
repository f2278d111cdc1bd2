# SPDX-License-Identifier: Apache-2.0
"""Find out where a point of the thermal image lies in the RGB image, from recorded pairs.

  thermal-fld register captures/* --out registration.json
  thermal-fld register board.mcap --board 8x5 --out registration.json
  thermal-fld register captures/* --model cameras --thermal-camera t.yaml --rgb-camera c.yaml --out registration.json

The faces of people who move about are sufficient; a warm checkerboard or a file of corresponding points can be used instead. The command
reports the residuals, also of views that were left out of the fit, and draws them beside --out. docs/registration.md says when to use
which model.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

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
from thermal_fld_ros.labelling.correspondences import BoardLook, Collection, FaceLook, Look
from thermal_fld_ros.labelling.recordings import RecordedPair, Recording, open_recording
from thermal_fld_ros.perception.models import ModelError
from thermal_fld_ros.perception.pictures import write_image
from thermal_fld_ros.perception.pipeline import Pipeline
from thermal_fld_ros.provenance import git_state
from thermal_fld_ros.recordings.bag import is_bag
from thermal_fld_ros.registration.calibration import Calibration, open_calibration
from thermal_fld_ros.registration.drawing import estimate_picture
from thermal_fld_ros.registration.estimation import (
    PLANE_MODELS,
    Estimate,
    estimate_cameras,
    estimate_of,
    estimate_plane,
)
from thermal_fld_ros.registration.registration import CameraPair, read_registration, write_registration
from thermal_fld_ros.registration.views import read_points

CAMERA_OPTIONS = ("thermal_camera", "rgb_camera", "extrinsics", "frames", "distance")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("recordings", nargs="*", metavar="RECORDING",
                        help="a rosbag2, a folder with images named ..._thermal and ..._rgb, or two folders THERMAL:RGB")  # fmt: skip
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="file of the registration (JSON); a PNG is written beside it"
    )
    parser.add_argument("--model", default="auto", choices=("auto", *PLANE_MODELS, "cameras"),
                        help="plane map or calibrated cameras; auto: the map with the smallest error in held-out views")  # fmt: skip
    parser.add_argument(
        "--measure", type=Path, metavar="FILE", help="measure this registration instead of estimating one"
    )
    parser.add_argument("--max-pairs", type=int, default=200, metavar="N",
                        help="use N pairs, evenly spread (default: %(default)s)")  # fmt: skip

    points = parser.add_argument_group("corresponding points (default: faces)")
    points.add_argument(
        "--board", metavar="COLUMNSxROWS", help="inner corners of a warm or sunlit checkerboard, such as 8x5"
    )
    points.add_argument(
        "--square", type=float, default=0.0, metavar="METRES", help="side of a square of the board in metres"
    )
    points.add_argument("--points", type=Path, metavar="FILE", help="JSON or CSV of corresponding points")
    points.add_argument("--rough", type=Path, metavar="FILE",
                        help="an approximate registration, for a teacher that needs boxes of the faces")  # fmt: skip

    cameras = parser.add_argument_group("calibrated cameras")
    cameras.add_argument("--thermal-camera", default="", metavar="FILE_OR_TOPIC",
                         help="YAML of camera_calibration, JSON, or camera_info in the bag (default: as the manifest says)")  # fmt: skip
    cameras.add_argument("--rgb-camera", default="", metavar="FILE_OR_TOPIC")
    cameras.add_argument("--extrinsics", type=Path, metavar="FILE",
                         help="use these extrinsics instead of estimating them: static transforms in YAML, JSON or a bag")  # fmt: skip
    cameras.add_argument("--frames", nargs=2, metavar=("THERMAL", "RGB"),
                         help="optical frames of the cameras in tf (default: of camera_info in the bag)")  # fmt: skip
    cameras.add_argument("--distance", type=float, metavar="METRES",
                         help="distance of a face where its size does not tell it (default: the median distance)")  # fmt: skip
    add_image_options(parser)
    add_network_options(parser)


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit status: 1 where nothing could be estimated from what was found."""
    try:
        if bool(args.out) == bool(args.measure):
            raise ValueError(
                "neither --out nor --measure was given: use --out for a new registration, --measure for an existing one"
            )
        if args.max_pairs < 1:
            raise ValueError(f"--max-pairs {args.max_pairs}: expected 1 or more")
        recordings = [open_recording(text, matching_of(args)) for text in args.recordings]
        for recording in recordings:
            print(told(recording), file=sys.stderr)
        calibration = _calibration(args, recordings)
        if calibration and calibration.extrinsics and args.distance and not recordings:
            return _take(args, calibration)
        found = _collected(args, recordings)
        _report_views(found)
    except (ModelError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    try:
        estimate, compared = _estimated(args, found, calibration)
    except ValueError as error:
        print(f"the registration could not be estimated: {error}", file=sys.stderr)
        return 1
    try:
        _report(estimate, compared)
        _write(args, estimate, compared, found)
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


# --- points


def _collected(args: argparse.Namespace, recordings: list[Recording]) -> Collection:
    if args.points:
        return _listed(args.points, recordings)
    if not recordings:
        raise ValueError("no recordings were given: name bags or folders of images, or use --points")
    if args.board:
        return _looked_at(args, recordings, BoardLook(_pattern(args.board), args.square))
    teacher = teacher_of(args)
    try:
        rough = read_registration(args.rough) if args.rough else None
        look = FaceLook(Pipeline(single_image_options(args)), teacher, args.rgb_rotate, args.model == "cameras", rough)
        return _looked_at(args, recordings, look)
    finally:
        teacher.close()


def _pattern(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)x(\d+)", text)
    if not found or min(int(found[1]), int(found[2])) < 3:
        raise ValueError(f'--board "{text}": expected the inner corners a row and a column, at least 3, such as 8x5')
    return int(found[1]), int(found[2])


def _listed(path: Path, recordings: list[Recording]) -> Collection:
    """Corresponding points from a file; only the image sizes are taken from the recordings, of their first pair."""
    views = read_points(path)
    found = Collection(views)
    for pair in _pairs(recordings, 1):
        found.thermal_size = pair.thermal.width, pair.thermal.height
        found.rgb_size = pair.rgb.width, pair.rgb.height
        return found
    raise ValueError("--points also requires a recording, whose first pair gives the sizes of the images")


def _looked_at(args: argparse.Namespace, recordings: list[Recording], look: Look) -> Collection:
    decoding, found = decoding_of(args), Collection()
    for recording in recordings:
        found.left_out.update(recording.left_out)
    count = min(_count(recordings), args.max_pairs)
    with Progress(count, "pairs") as progress:
        for number, pair in enumerate(_pairs(recordings, args.max_pairs)):
            found.add(pair, look, decoding, number / max(count, 1))
            progress.step()
    if found.thermal_size == (0, 0):
        raise ValueError(f"no pair could be decoded: {found.complaint or 'there are none'}")
    return found


def _count(recordings: list[Recording]) -> int:
    return sum(recording.length for recording in recordings)


def _pairs(recordings: list[Recording], most: int) -> Iterator[RecordedPair]:
    """At most `most` pairs, evenly spread over all recordings; other images are not decoded."""
    total, number, taken = _count(recordings), 0, 0
    for recording in recordings:
        for pair in recording:
            if taken * total <= number * min(most, total) and taken < most:
                taken += 1
                yield pair
            number += 1


def _report_views(found: Collection) -> None:
    print(f"{len(found.views)} views; thermal {_by(found.thermal_size)}, RGB {_by(found.rgb_size)} px")
    for reason, count in found.left_out.most_common():
        print(f"  left out: {count} pairs, {reason}")
    if found.complaint:
        print(f"  first that cannot be decoded: {found.complaint}")


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"


# --- estimation


def _calibration(args: argparse.Namespace, recordings: list[Recording]) -> Calibration | None:
    if args.model != "cameras" or args.measure:
        given = [name for name in CAMERA_OPTIONS if getattr(args, name)]
        if given:
            raise ValueError(f"--{given[0].replace('_', '-')} can only be used with --model cameras")
        return None
    bags = [path for recording in recordings if is_bag(path := Path(recording.path))]
    return open_calibration(bags, args.thermal_camera, args.rgb_camera, args.extrinsics, args.frames)


def _take(args: argparse.Namespace, calibration: Calibration) -> int:
    """Everything is known: nothing is estimated, and nothing measured."""
    args.out.parent.mkdir(parents=True, exist_ok=True)
    write_registration(calibration.pair([], args.distance), args.out, **_origin(args, "cameras"))
    print(f"wrote {args.out}; nothing was measured. To measure it, name recordings, or use --measure {args.out} later")
    return 0


def _origin(args: argparse.Namespace, model: str) -> dict[str, Any]:
    return {"command": args.command_line, "git": git_state(), "model": model}


def _estimated(
    args: argparse.Namespace, found: Collection, calibration: Calibration | None
) -> tuple[Estimate, dict[str, Estimate]]:
    if args.measure:
        known = read_registration(args.measure)
        model = "cameras" if isinstance(known, CameraPair) else "homography"
        if not found.views:
            raise ValueError("there are no views to measure it with")
        return estimate_of(model, found.views, known), {}
    if calibration is None:
        return estimate_plane(found.views, found.thermal_size, args.model)
    calibration.check_sizes(found.thermal_size, found.rgb_size)
    if calibration.extrinsics is None:
        estimate = estimate_cameras(found.views, calibration.thermal, calibration.rgb)
    else:
        pair = calibration.pair(found.views, args.distance)
        return estimate_of("cameras", found.views, pair), {}
    if args.distance:
        assert isinstance(estimate.registration, CameraPair)
        estimate = replace(estimate, registration=replace(estimate.registration, distance=args.distance))
    return estimate, {}


def _report(estimate: Estimate, compared: dict[str, Estimate]) -> None:
    if len(compared) > 1:
        for name, other in compared.items():
            figures = other.figures()
            print(
                f"  {name}: held out median {_px(figures['held_out'], 'median')}, p95 {_px(figures['held_out'], 'p95')}"
            )
    figures = estimate.figures()
    print(f"{estimate.model}: {figures['inliers']} of {figures['points']} points in {figures['views']} views fit")
    for name, text in (("residual", "residual"), ("held_out", "of views that were left out")):
        values = figures.get(name)
        if values is None:
            continue
        print(f"  {text}: median {_px(values, 'median')}, p95 {_px(values, 'p95')} (RGB pixels)")
    if isinstance(estimate.registration, CameraPair):
        x, y, z = 1e3 * estimate.registration.translation
        print(
            f"  translation {x:.0f}, {y:.0f}, {z:.0f} mm; distance where none is known {estimate.registration.distance:.2f} m"
        )
    for warning in estimate.warnings:
        print(f"  warning: {warning}")


def _px(values: dict[str, float], name: str) -> str:
    return f"{values[name]:.1f}" if name in values else "unknown"


def _write(args: argparse.Namespace, estimate: Estimate, compared: dict[str, Estimate], found: Collection) -> None:
    path: Path = args.out or args.measure
    figures: dict[str, Any] = estimate.figures()
    if args.out:
        path.parent.mkdir(parents=True, exist_ok=True)
        about = {
            **_origin(args, estimate.model),
            **figures,
            "compared": {name: other.figures()["held_out"] for name, other in compared.items()},
            "left_out": dict(found.left_out),
            "warnings": estimate.warnings,
        }
        write_registration(estimate.registration, path, **about)
        print(f"wrote {path}")
    picture = path.with_suffix(".png") if args.out else path.with_name(f"{path.stem}_measured.png")
    title = (
        f"{estimate.model}: {figures['inliers']} of {figures['points']} points in {figures['views']} views fit; "
        + ", ".join(
            f"{text} median {_px(figures[name], 'median')} px"
            for name, text in (("residual", "residual"), ("held_out", "of views left out"))
            if name in figures
        )
    )
    write_image(picture, estimate_picture(estimate, found.examples, found.rgb_size, title))
    print(f"look at {picture}")
