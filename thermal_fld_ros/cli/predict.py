# SPDX-License-Identifier: Apache-2.0
"""Find faces and their landmarks in images, folders, videos, .npy/.npz arrays and rosbag2 recordings.

  thermal-fld predict recording.mp4 --json faces.jsonl --overlay faces.mp4

ROS is not needed. --json writes one JSON object per frame:

  {"frame": i, "stamp": seconds or null, "source": name, "width": w, "height": h, "shutter": "live", "faces": [{"id", "score",
   "roi": [x, y, w, h], "points": [[x, y] x 68], "confidence": [68], "temperatures": {region: degC or null}}]}

Without --json and --overlay, these lines go to standard output. Coordinates are pixels of the
incoming image, the origin at the centre of its top-left pixel. A frame that cannot be decoded has "error" instead of "faces".
"shutter" is "live", "repeated" (the camera sent its last image again; the faces are repeated, too), or "frozen" or "flat" (the shutter is
closed, and no faces are looked for).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import sys
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.cli._progress import Progress
from thermal_fld_ros.perception.decoding import UNITS, Decoding, ImageError, ThermalFrame, Unit
from thermal_fld_ros.perception.face import Face
from thermal_fld_ros.perception.geometry import Size
from thermal_fld_ros.perception.models import PROVIDERS, ModelError
from thermal_fld_ros.perception.overlay import draw, legible_scale
from thermal_fld_ros.perception.pictures import Picture, write_image
from thermal_fld_ros.perception.pipeline import Pipeline, PipelineOptions, with_models
from thermal_fld_ros.recordings.continuity import follows_in_time
from thermal_fld_ros.recordings.description import described
from thermal_fld_ros.recordings.opening import open_source
from thermal_fld_ros.recordings.source import Entry, RawImage, Reading, Source, SourceError

FALLBACK_FPS = 30.0
OUTPUT_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
VIDEO_CODES = {".mp4": "mp4v", ".avi": "MJPG", ".mkv": "mp4v", ".mov": "mp4v"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "input", type=Path, help="image, folder, TIFF, video, .npy, .npz, CSV or bag (docs/input.md lists them all)"
    )
    parser.add_argument(
        "--list",
        action="store_true",
        help="only print how the input is read: images, size, type, unit, range, stamps",
    )
    parser.add_argument("--topic", default="", help="image topic of a bag that has several")
    parser.add_argument(
        "--axes", default="", help="order of an array's axes, such as THW or HWT (default: by its shape)"
    )
    parser.add_argument(
        "--preview",
        action="store_true",
        help="read the preview picture of radiometric JPEG files instead of the temperatures",
    )
    parser.add_argument(
        "--unit",
        help=f"{', '.join(UNITS)}, or SCALE,OFFSET (degC = raw * SCALE + OFFSET); default: what the input says, else counts",
    )
    parser.add_argument(
        "--rotate",
        type=int,
        default=0,
        choices=(0, 90, 180, 270),
        help="clockwise rotation in degrees that turns the image upright",
    )
    parser.add_argument("--inverted", action="store_true", help="warm pixels are dark in these images")
    parser.add_argument(
        "--rows", type=int, nargs=2, default=(0, 0), metavar=("TOP", "BOTTOM"), help="rows to drop, e.g. telemetry"
    )
    parser.add_argument("--fps", type=float, help="images a second of an input without stamps (default: 30)")
    related = parser.add_mutually_exclusive_group()
    related.add_argument(
        "--independent", action="store_true", help="treat the images as unrelated: do not track faces between them"
    )
    related.add_argument(
        "--sequence",
        action="store_true",
        help="treat the images as a sequence: track faces between them (default for a folder: decided by its names and pictures)",
    )
    parser.add_argument(
        "--no-shutter",
        dest="shutter",
        action="store_false",
        help="also look for faces in frozen, flat and repeated frames",
    )
    parser.add_argument(
        "--strict", action="store_true", help="exit status 1 if any frame could not be read (default: if none could)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help='one JSON object a line; "-" is standard output')
    parser.add_argument(
        "--overlay",
        type=Path,
        metavar="FILE_OR_FOLDER",
        help=f"draw the faces: a video ({', '.join(VIDEO_CODES)}), an image file for a single image, or else a folder of PNGs",
    )
    parser.add_argument("--models", type=Path, metavar="FOLDER", help="use the two ONNX files in this folder")
    parser.add_argument(
        "--provider",
        default=PipelineOptions.provider,
        choices=("auto", *PROVIDERS),
        help="where the networks run; one that is not available is an error (default: auto, which is CUDA if available, else the CPU)",
    )
    parser.add_argument(
        "--threads", type=int, default=PipelineOptions.threads, help="threads of each network (default: %(default)s)"
    )


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    try:
        source = open_source(args.input, Reading(args.topic, args.axes, args.preview))
        unit = parse_unit(args.unit or source.unit or "counts")
        decoding = Decoding(unit, args.rotate, tuple(args.rows), args.inverted)
        if args.list:
            return _list(source, decoding, args)
        for note in source.notes:
            print(f"{source.path}: {note}", file=sys.stderr)
        options = PipelineOptions(
            provider=args.provider,
            require_provider=args.provider != "auto",
            threads=args.threads,
            shutter=args.shutter,
        )
        pipeline = Pipeline(with_models(options, args.models) if args.models else options)
        return _predict(args, source, decoding, pipeline, _independent(args, source, decoding))
    except (SourceError, ModelError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def parse_unit(text: str) -> Unit:
    """A preset's name or "SCALE,OFFSET"; raises ValueError."""
    if text in UNITS:
        return UNITS[text]
    try:
        scale, offset = map(float, text.split(","))
    except ValueError:
        raise ValueError(f'unit "{text}" is unknown, expected {", ".join(UNITS)}, or SCALE,OFFSET') from None
    return Unit("custom", scale, offset)


def _list(source: Source, decoding: Decoding, args: argparse.Namespace) -> int:
    why = (
        "as --unit says"
        if args.unit
        else "as the input says"
        if source.unit
        else "as neither --unit nor the input says"
    )
    lines = described(source, decoding, why)
    for heading, text in lines:
        print(f"{heading:<13} {text}")
    return 0


def _independent(args: argparse.Namespace, source: Source, decoding: Decoding) -> bool:
    """Whether the images are unrelated; for a folder it is said what was chosen, and why."""
    if args.independent or args.sequence:
        return bool(args.independent)
    related, why = follows_in_time(source, decoding)
    if source.path.is_dir():
        kind, other = ("a sequence", "--independent") if related else ("unrelated images", "--sequence")
        print(f"{source.path}: read as {kind}, because {why} (use {other} to change this)", file=sys.stderr)
    return not related


def _predict(
    args: argparse.Namespace, source: Source, decoding: Decoding, pipeline: Pipeline, independent: bool
) -> int:
    fps = args.fps or source.fps or FALLBACK_FPS
    found = frames = failed = closed = 0
    with contextlib.ExitStack() as stack:
        pictures = stack.enter_context(_Pictures(args.overlay, fps, source.length)) if args.overlay else None
        lines = _open_lines(args, stack)
        progress = stack.enter_context(Progress(source.length))
        for index, entry in enumerate(source.entries()):
            record: dict[str, Any] = _image_record(entry, index)
            try:
                frame = _decoded(entry, decoding)
            except SourceError as error:
                record["error"] = f"unreadable: {error}"
                progress.say(str(error))
                failed += 1
            except ImageError as error:
                record["error"] = f"{error.reason}: {error}"
                progress.say(f"{record['source']}: {error}", once=error.reason)
                failed += 1
            else:
                for warning in frame.warnings() if frames == failed else ():
                    progress.say(f"{record['source']}: {warning}")
                if independent:
                    pipeline.reset()
                faces = pipeline(frame, index / fps if record["stamp"] is None else record["stamp"])
                record["shutter"] = pipeline.shutter_state.value
                record["faces"] = [_face_record(face) for face in faces]
                found += bool(faces)
                closed += pipeline.shutter_state.closed
                if pictures:
                    pictures.add(draw(frame, faces, legible_scale(frame.image_size)), Path(record["source"]).stem)
            if lines:
                lines.write(json.dumps(record, allow_nan=False) + "\n")
            frames += 1
            progress.step()
    skipped = f", {closed} from a closed shutter (use --no-shutter to include them)" if closed else ""
    print(f"{frames} frames, faces in {found}{skipped}, {failed} could not be decoded", file=sys.stderr)
    return 1 if frames == failed or (args.strict and failed) else 0


def _decoded(entry: Entry, decoding: Decoding) -> ThermalFrame:
    if isinstance(entry, SourceError):
        raise entry
    return entry.decode(decoding)


def _open_lines(args: argparse.Namespace, stack: contextlib.ExitStack) -> IO[str] | None:
    """The output for JSON: a file, or standard output if requested or if nothing else is written."""
    if args.json is None:
        return None if args.overlay else sys.stdout
    if str(args.json) == "-":
        return sys.stdout
    args.json.parent.mkdir(parents=True, exist_ok=True)
    return stack.enter_context(args.json.open("w", encoding="utf-8"))


def _image_record(entry: Entry, index: int) -> dict[str, Any]:
    record: dict[str, Any] = {"frame": index, "stamp": None, "source": entry.name, "width": None, "height": None}
    if isinstance(entry, RawImage):
        record |= {"stamp": entry.stamp, "width": entry.width, "height": entry.height}
    return record


def _face_record(face: Face) -> dict[str, Any]:
    return {
        "id": face.id,
        "score": round(face.score, 4),
        "roi": _rounded(face.roi, 2),
        "points": _rounded(face.points, 2),
        "confidence": _rounded(face.confidence, 4),
        "temperatures": {
            region: None if math.isnan(value) else round(value, 2) for region, value in face.temperatures.items()
        },
    }


def _rounded(array: NDArray[np.float32], digits: int) -> list[Any]:
    rounded: list[Any] = array.astype(np.float64).round(digits).tolist()
    return rounded


class _Pictures:
    """Writes overlays to a video, to a single image file or into a folder, by what the path looks like."""

    def __init__(self, path: Path, fps: float, length: int | None) -> None:
        self._path, self._fps = path, fps
        self._suffix = path.suffix.lower()
        self._video: cv2.VideoWriter | None = None
        self._size: Size | None = None
        self._count = 0
        if self._suffix in OUTPUT_SUFFIXES and length != 1:
            raise ValueError(f"{path}: one image file cannot hold {length or 'many'} frames: name a folder or a video")
        is_file = self._suffix in VIDEO_CODES or self._suffix in OUTPUT_SUFFIXES
        (path.parent if is_file else path).mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> _Pictures:
        return self

    def __exit__(self, *_: object) -> None:
        if self._video:
            self._video.release()

    def add(self, picture: Picture, name: str) -> None:
        """Write the next picture; `name` becomes part of a file's name in a folder."""
        if self._suffix in VIDEO_CODES:
            self._add_to_video(picture)
        elif self._suffix in OUTPUT_SUFFIXES:
            write_image(self._path, picture)
        else:
            readable = "".join(character if character.isalnum() or character in "-_" else "_" for character in name)
            write_image(self._path / f"{self._count:06d}_{readable.strip('_')}.png", picture)
        self._count += 1

    def _add_to_video(self, picture: Picture) -> None:
        if self._video is None or self._size is None:
            self._size = (picture.shape[1], picture.shape[0])
            code = cv2.VideoWriter.fourcc(*VIDEO_CODES[self._suffix])
            self._video = cv2.VideoWriter(str(self._path), code, self._fps, self._size)
            if not self._video.isOpened():
                raise OSError(f"{self._path}: OpenCV cannot write this kind of video")
        self._video.write(_fit(picture, self._size))


def _fit(picture: Picture, size: Size) -> Picture:
    """The picture within `size` (width, height), black around it: all frames of a video have one size."""
    height, width = picture.shape[:2]
    if (width, height) == size:
        return picture
    shrink = min(size[0] / width, size[1] / height)
    width, height = round(width * shrink), round(height * shrink)
    fitted = np.zeros((size[1], size[0], 3), dtype=np.uint8)
    fitted[:height, :width] = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return fitted
