# SPDX-License-Identifier: Apache-2.0
"""Makes the images and index lines of a data set from recordings, pair by pair; an interrupted run can be continued.

What became of each pair is a line of the recording's journal, written after its images; a line that was cut is written again. The first
line tells what the recording is, the last one that all of it was read.
"""

from __future__ import annotations

import fcntl
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.datasets.colour import Rgb, rgb_pixels, turned_upright
from thermal_fld_ros.datasets.sample import DataSetError
from thermal_fld_ros.labelling.labeller import Labeller, TaughtFace
from thermal_fld_ros.labelling.recordings import UNPAIRED, UNREADABLE, RecordedPair, Recording
from thermal_fld_ros.perception.decoding import KELVIN_ZERO, UNITS, Decoding, ImageError, ThermalFrame, Unit
from thermal_fld_ros.perception.geometry import Affine, box_around, extent
from thermal_fld_ros.perception.pictures import write_image
from thermal_fld_ros.provenance import git_state
from thermal_fld_ros.recordings.source import SourceError

JOURNALS = "journal"
JPEG_QUALITY = 95
REMEMBERED_FACES = 8
FROZEN = "thermal image frozen"
DUPLICATE = "hardly changed"

Region = tuple[slice, slice]


@dataclass(frozen=True)
class Storing:
    """What is kept of a pair.

    Attributes
    ----------
    frames : bool
        Whole images, instead of a part around each face.
    margin : float
        Around a face's box on each side, in its longer sides. With 1 the part is three times as large as the face: training's crops, of
        one and a half times the face, stay within it in nearly all of their random turns, zooms and shifts.
    min_change : float
        Mean displacement of the points since the face was kept last in this recording, at least, in units of sqrt(w h); 0: all are
        kept.
    """

    frames: bool = False
    margin: float = 1.0
    min_change: float = 0.0

    def __post_init__(self) -> None:
        if self.margin < 0.0 or self.min_change < 0.0:
            raise ValueError(f"margin {self.margin} and least change {self.min_change}: expected 0 or more")


def stored_unit(decoding: Decoding, dtype: np.dtype[Any]) -> Unit:
    """What the stored pixels of images of this type mean: floating-point temperatures become centikelvin."""
    if decoding.inverted:
        return UNITS["counts"]
    return UNITS["centikelvin"] if dtype.kind == "f" else decoding.unit


class Builder:
    """Adds recordings to the folder of a data set.

    Parameters
    ----------
    out : Path
    labeller : Labeller
    decoding : Decoding
        Of the thermal images.
    rgb_rotation : int
        Clockwise turn in degrees that brings the RGB images upright.
    max_gap : float
        Seconds between the images of a pair, at most.
    storing : Storing

    Attributes
    ----------
    damaged : list of str
        Images that cannot be read, and why, in the order in which they were met.
    """

    def __init__(
        self, out: Path, labeller: Labeller, decoding: Decoding, rgb_rotation: int, max_gap: float, storing: Storing
    ) -> None:
        self._out, self._labeller, self._decoding = out, labeller, decoding
        self._rotation, self._max_gap, self._storing = rgb_rotation, max_gap, storing
        self.damaged: list[str] = []

    def add(self, recording: Recording, command: str) -> Iterator[list[str]]:
        """Read the rest of a recording; yields what was left out of each pair, also of earlier runs, with the reason.

        Raises
        ------
        DataSetError
            Another recording of this name is in the data set, or another process is writing it.
        """
        about = {"episode": recording.name, "path": recording.path, "sha256": recording.digest(), **recording.about}
        head = {**about, "left_out": recording.left_out, "command": command, "git": git_state()}
        with _journal(self._out, recording.name, head) as (journal, lines):
            done = [line for line in lines if "pair" in line]
            kept: list[NDArray[np.float64]] = []
            for points in (_in_frame(face) for line in done for face in line["faces"]):
                _remember(points, kept)
            yield from (line["left_out"] for line in done)
            if "end" in lines[-1]:
                return
            before: RecordedPair | None = None
            for number, pair in enumerate(recording):
                if number >= len(done):
                    line = {"pair": number, **self._look(recording, number, pair, before, kept)}
                    _write(journal, line)
                    yield line["left_out"]
                before = pair
            _write(journal, {"end": True})

    def _look(
        self,
        recording: Recording,
        number: int,
        pair: RecordedPair,
        before: RecordedPair | None,
        kept: list[NDArray[np.float64]],
    ) -> dict[str, Any]:
        """The faces of a pair, and the reasons for those that were left out."""
        if pair.gap is not None and abs(pair.gap) > self._max_gap:
            return {"faces": [], "left_out": [UNPAIRED]}
        try:
            frame = pair.thermal.decode(self._decoding)
            pixels = stored_pixels(frame)
            rgb, upright = turned_upright(rgb_pixels(pair.rgb), self._rotation)
        except ImageError as error:
            return {"faces": [], "left_out": [f"{UNREADABLE}: {error.reason}"]}
        except SourceError as error:
            self.damaged.append(str(error))
            return {"faces": [], "left_out": [f"{UNREADABLE}: damaged"]}
        if before is not None and _same(before, pair):
            return {"faces": [], "left_out": [FROZEN]}
        unit = asdict(stored_unit(self._decoding, frame.pixels.dtype))
        found = self._labeller(frame, rgb, upright)
        left_out = [face for face in found if isinstance(face, str)]
        faces = []
        for place, face in enumerate(found):
            if isinstance(face, str):
                continue
            if _change(face.points, kept)[1] < self._storing.min_change:
                left_out.append(DUPLICATE)
                continue
            _remember(face.points, kept)
            name = f"{recording.name}/{number:06d}" + ("" if self._storing.frames else f"_{place}")
            faces.append({**self._store(name, face, pixels, rgb, recording, pair), "unit": unit})
        return {"faces": faces, "left_out": left_out}

    def _store(
        self, name: str, face: TaughtFace, pixels: NDArray[Any], rgb: Rgb, recording: Recording, pair: RecordedPair
    ) -> dict[str, Any]:
        """Write a face's images; its entry in the index and where the images were cut out."""
        here, there = self._regions(face, pixels.shape, rgb.shape)
        files = {"thermal": f"thermal/{name}.png", "rgb": f"rgb/{name}.jpg"}
        for file in files.values():
            (self._out / file).parent.mkdir(parents=True, exist_ok=True)
        write_image(self._out / files["thermal"], pixels[here])
        write_image(self._out / files["rgb"], rgb[there][:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        x, y = here[1].start, here[0].start
        to_rgb = Affine.translation(-there[1].start, -there[0].start) @ face.to_rgb @ Affine.translation(x, y)
        points = face.points - (x, y)
        entry: dict[str, Any] = {
            **files,
            "points": points.round(2).tolist(),
            "box": box_around(points).round(2).tolist(),
            "to_rgb": to_rgb.matrix.round(6).tolist(),
            "confidence": face.confidence.round(3).tolist(),
            "episode": recording.name,
            "evidence": face.evidence,
        }
        subject = pair.subject or recording.about.get("subject", "")
        entry |= {"subject": subject} if subject else {}
        entry |= {} if pair.stamp is None else {"stamp": round(pair.stamp, 6)}
        return {"at": [x, y], "entry": entry}

    def _regions(self, face: TaughtFace, thermal: tuple[int, ...], rgb: tuple[int, ...]) -> tuple[Region, Region]:
        """What of the two images is kept."""
        if self._storing.frames:
            return (slice(0, thermal[0]), slice(0, thermal[1])), (slice(0, rgb[0]), slice(0, rgb[1]))
        box = face.box
        reach = (0.5 + self._storing.margin) * box[2:].max()
        centre = box[:2] + box[2:] / 2
        here = _region(np.stack([centre - reach, centre + reach]), thermal)
        (top, bottom), (left, right) = ((part.start, part.stop - 1) for part in here)
        return here, _region(face.to_rgb([(left, top), (right, top), (left, bottom), (right, bottom)]), rgb)


def stored_pixels(frame: ThermalFrame) -> NDArray[Any]:
    """A frame's pixels as they are stored: upright, warm is bright, uint8 or uint16.

    Floating-point temperatures become centikelvin; raises ImageError for floating-point values that are none.
    """
    pixels = frame.pixels
    if pixels.dtype.kind == "f":
        if not frame.unit.radiometric:
            raise ImageError("unit", f'floating-point images of unit "{frame.unit.name}", expected temperatures')
        pixels = np.clip(np.rint((frame.celsius(pixels) - KELVIN_ZERO) * 100), 0, 65535).astype(np.uint16)
    if frame.inverted:
        pixels = np.iinfo(pixels.dtype).max - pixels
    turned = np.rot90(pixels, -frame.rotation // 90)
    return np.ascontiguousarray(turned, dtype=turned.dtype.newbyteorder("="))


def read_journals(out: Path) -> list[list[dict[str, Any]]]:
    """The lines of each recording's journal, by name."""
    return [_lines(path) for path in sorted((out / JOURNALS).glob("*.jsonl"))]


@contextmanager
def _journal(out: Path, name: str, head: dict[str, Any]) -> Iterator[tuple[IO[str], list[dict[str, Any]]]]:
    """The journal of a recording, open for more, and its lines so far."""
    path = out / JOURNALS / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataSetError(f"{out}: another process is writing {name}") from error
        lines = _lines(path)
        file.truncate(sum(len(_text(line).encode()) for line in lines))
        if not lines:
            _write(file, head)
            lines = [head]
        if lines[0]["sha256"] != head["sha256"]:
            raise DataSetError(
                f"{out}: the folder holds another recording named {name}, {lines[0]['path']}: name this one NAME={head['path']}"
            )
        yield file, lines


def _lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a journal."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    found = []
    for line in text.splitlines(keepends=True):
        if not line.endswith("\n"):
            break
        found.append(json.loads(line))
    return found


def _text(line: dict[str, Any]) -> str:
    return json.dumps(line, separators=(",", ":")) + "\n"


def _write(file: IO[str], line: dict[str, Any]) -> None:
    file.write(_text(line))
    file.flush()


def _in_frame(face: dict[str, Any]) -> NDArray[np.float64]:
    return np.array(face["entry"]["points"]) + face["at"]


def _change(points: NDArray[np.float64], kept: list[NDArray[np.float64]]) -> tuple[int, float]:
    """Which kept face is nearest, and the mean distance of the points to it in units of sqrt(w h)."""
    apart = [float(np.linalg.norm(points - other, axis=1).mean()) / extent(points) for other in kept]
    return (int(np.argmin(apart)), min(apart)) if apart else (0, math.inf)


def _remember(points: NDArray[np.float64], kept: list[NDArray[np.float64]]) -> None:
    """Remember the points of a face that was kept, in place of those of the nearest face so far."""
    nearest, apart = _change(points, kept)
    if apart < 1.0:  # the same face, elsewhere
        kept.pop(nearest)
    kept.append(points)
    del kept[:-REMEMBERED_FACES]


def _same(one: RecordedPair, other: RecordedPair) -> bool:
    """Whether the thermal images are the same to the last bit: a closed shutter, a camera that hangs."""
    try:
        return np.array_equal(one.thermal.data, other.thermal.data)
    except SourceError:
        return False


def _region(points: NDArray[np.float64], shape: tuple[int, ...]) -> Region:
    """Whole pixels of an image that hold points (N, 2), as far as they lie in it."""
    low, high = points.min(axis=0), points.max(axis=0)
    columns, rows = (slice(math.floor(max(low[k], 0)), math.ceil(min(high[k], shape[1 - k] - 1)) + 1) for k in (0, 1))
    return rows, columns
