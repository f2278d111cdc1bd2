# SPDX-License-Identifier: Apache-2.0
"""The plain form, a JSON or a CSV file beside the images: described in docs/datasets.md."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from thermal_fld_ros.datasets.sample import (
    SCHEMES,
    DataSet,
    DataSetError,
    LabelledFace,
    Sample,
    Scheme,
    face_from,
    image_file,
    number,
    read_json,
)
from thermal_fld_ros.perception.decoding import DEFAULTS, UNITS, Decoding
from thermal_fld_ros.perception.face import POINTS
from thermal_fld_ros.recordings.access import Frames
from thermal_fld_ros.recordings.opening import open_source
from thermal_fld_ros.recordings.source import RawImage, Reading, SourceError

SET_FIELDS = {
    "name",
    "about",
    "labels",
    "unit",
    "rotation",
    "inverted",
    "rows",
    "scheme",
    "scored",
    "every_face",
    "fps",
    "topic",
    "images",
}
IMAGE_FIELDS = {"image", "frame", "sequence", "stamp", "faces", "traps", "done"}
FACE_FIELDS = {"box", "points", "visible", "yaw", "glasses", "mask", "subject", "required"}


def read_plain(path: Path) -> DataSet:
    """A plain label file, .json or .csv."""
    if path.suffix.lower() == ".json":
        return _from_json(path)
    if path.suffix.lower() == ".csv":
        return _from_csv(path)
    raise DataSetError(f"{path}: expected a label file .json or .csv")


# --- JSON ------------------------------------------------------------------------------------------------------------


def _from_json(path: Path) -> DataSet:
    content = read_json(path)
    _check(content, SET_FIELDS, {"images"}, str(path))
    scheme = _scheme(content.get("scheme"), path)
    decoding = plain_decoding(content, path)
    fps = content.get("fps")
    counts: dict[str, int] = {}
    samples = []
    unfinished = 0
    for index, entry in enumerate(content["images"]):
        where = f"{path}, image {index}"
        _check(entry, IMAGE_FIELDS, {"image"}, where)
        if not entry.get("done", True):
            unfinished += 1
            continue
        sequence, stamp = entry.get("sequence"), entry.get("stamp")
        if sequence is not None and stamp is None and fps:
            stamp = counts.get(sequence, 0) / fps
        if sequence is not None:
            counts[sequence] = counts.get(sequence, 0) + 1
        faces = tuple(face_of(face, scheme, f"{where}, face {k}") for k, face in enumerate(entry.get("faces", [])))
        traps = tuple(face_from(f"{where}, trap {k}", box=box).box for k, box in enumerate(entry.get("traps", [])))
        place = entry["image"], entry.get("frame")
        name, read = image_at(path.parent, *place, where, topic=content.get("topic", ""))
        samples.append(Sample(name, read, faces, decoding, sequence, stamp, traps))
    scored = content.get("scored")
    return DataSet(
        content.get("name", path.stem),
        samples,
        scheme,
        content.get("labels", ""),
        content.get("about", ""),
        None if scored is None else _indices(scored, f'{path}: "scored"'),
        bool(content.get("every_face", True)),
        {"annotation not finished": unfinished} if unfinished else {},
    )


def _check(entry: Any, known: set[str], needed: set[str], where: str) -> None:
    if not isinstance(entry, dict):
        raise DataSetError(f"{where}: expected a JSON object")
    unknown, missing = sorted(set(entry) - known), sorted(needed - set(entry))
    if unknown or missing:
        what = f'unknown field "{unknown[0]}"' if unknown else f'no field "{missing[0]}"'
        raise DataSetError(f"{where}: {what}, expected {', '.join(sorted(known))}")


def _scheme(value: Any, path: Path) -> Scheme | None:
    if value is None:
        return None
    if isinstance(value, str):
        if value not in SCHEMES:
            raise DataSetError(
                f'{path}: "scheme" is "{value}", expected {", ".join(SCHEMES)} or a list of iBUG indices'
            )
        return SCHEMES[value]
    return _named(_indices(value, f'{path}: "scheme"'))


def _indices(value: Any, where: str) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(isinstance(index, int) and 0 <= index < POINTS for index in value):
        raise DataSetError(f"{where} is {value!r}, expected a list of iBUG indices 0 to {POINTS - 1}")
    return tuple(value)


def plain_decoding(content: dict[str, Any], path: Path) -> Decoding:
    """How the images of a label file are decoded; raises DataSetError."""
    unit = content.get("unit", "counts")
    if unit not in UNITS:
        raise DataSetError(f'{path}: unit "{unit}" is unknown, expected one of {", ".join(UNITS)}')
    rows = tuple(content.get("rows", (0, 0)))
    try:
        return Decoding(UNITS[unit], content.get("rotation", 0), rows, bool(content.get("inverted", False)))
    except (TypeError, ValueError) as error:
        raise DataSetError(f"{path}: {error}") from error


def face_of(entry: Any, scheme: Scheme | None, where: str) -> LabelledFace:
    """A face of the JSON form; `where` is for errors. Raises DataSetError."""
    _check(entry, FACE_FIELDS, set(), where)
    fields = dict(entry)
    points = fields.pop("points", None)
    if points is not None:
        points = [[np.nan, np.nan] if point is None else point for point in points]
    return face_from(where, points=points, scheme=scheme, **fields)


def image_at(
    folder: Path, name: str, frame: int | None, where: str, *, topic: str = ""
) -> tuple[str, Callable[[], RawImage]]:
    """Name and reader of an image file, or of one frame of a file or a bag's folder that holds several.

    Parameters
    ----------
    folder : Path
        That the name is relative to.
    name : str
    frame : int or None
        From 0; None: the file holds one image.
    where : str
        Of the labels, for errors.
    topic : str
        Of a bag with images on several topics.

    Returns
    -------
    (str, function); the function raises DataSetError or SourceError where the image cannot be read.

    Raises
    ------
    DataSetError
        There is no such file.
    """
    file = folder / name
    if frame is None:
        return name, image_file(file)
    if not file.exists():
        raise DataSetError(f"{file}: no such file; {where} names it")

    def read() -> RawImage:
        try:
            return _frames(file, topic)[frame]
        except SourceError as error:
            raise DataSetError(str(error)) from error
        except IndexError as error:
            raise DataSetError(f"{where}: frame {frame}, but {error}") from None

    return f"{name}[{frame}]", read


@lru_cache(maxsize=2)
def _frames(file: Path, topic: str) -> Frames:
    return Frames(open_source(file, Reading(topic)))


# --- CSV -------------------------------------------------------------------------------------------------------------

BOX = ("x", "y", "width", "height")


def _from_csv(path: Path) -> DataSet:
    """One row a face; an image without a face has one row without box and points."""
    if not path.is_file():
        raise DataSetError(f"{path}: no such file")
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        columns = list(reader.fieldnames or [])
        indices = sorted(int(name[1:]) for name in columns if re.fullmatch(r"x\d+", name))
        known = {"image", "frame", "sequence", "stamp", *BOX, "yaw", "glasses", "mask", "subject", "required"}
        known |= {f"{axis}{k}" for k in indices for axis in "xy"}
        wrong = sorted(set(columns) - known) or [f"y{k}" for k in indices if f"y{k}" not in columns]
        if "image" not in columns or wrong or any(k >= 68 for k in indices):
            raise DataSetError(
                f"{path}: the columns are {', '.join(columns)}; expected image, and any of frame, sequence, stamp, x, y, width, height, "
                "x0, y0 to x67, y67 (iBUG), yaw, glasses, mask, subject, required"
            )
        scheme = _named(indices)
        rows: dict[tuple[str, str], list[tuple[str, dict[str, str]]]] = {}
        for line, row in enumerate(reader, 2):
            rows.setdefault((row["image"], row.get("frame") or ""), []).append((f"{path}, line {line}", row))
    samples = []
    for (name, frame), mine in rows.items():
        where, first = mine[0]
        full, read = image_at(path.parent, name, int(number(frame, where)) if frame else None, where)
        faces = [_csv_face(row, indices, scheme, place) for place, row in mine]
        stamp = number(first["stamp"], where) if first.get("stamp") else None
        found = tuple(face for face in faces if face is not None)
        samples.append(Sample(full, read, found, DEFAULTS, first.get("sequence") or None, stamp))
    return DataSet(path.stem, samples, scheme)


def _named(indices: Sequence[int]) -> Scheme | None:
    if not indices:
        return None
    scheme = Scheme.of_indices(f"{len(indices)} points", indices)
    return next((known for known in SCHEMES.values() if known.groups == scheme.groups), scheme)


def _csv_face(row: dict[str, str], indices: list[int], scheme: Scheme | None, where: str) -> LabelledFace | None:
    def value(name: str) -> float:
        return number(row[name], where) if row.get(name) else np.nan

    box = [value(name) for name in BOX]
    points = [[value(f"x{k}"), value(f"y{k}")] for k in indices]
    has_box, has_points = bool(np.isfinite(box).all()), bool(np.isfinite(points).any())
    if not has_box and not has_points:
        return None
    flags = {name: _flag(row[name], where) for name in ("glasses", "mask", "required") if row.get(name)}
    return face_from(
        where,
        points=points if has_points else None,
        scheme=scheme,
        box=box if has_box else None,
        yaw=value("yaw") if row.get("yaw") else None,
        subject=row.get("subject") or "",
        **flags,
    )


def _flag(text: str, where: str) -> bool:
    words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    if text.strip().lower() not in words:
        raise DataSetError(f'{where}: "{text}" is not valid, expected yes or no')
    return words[text.strip().lower()]
