# SPDX-License-Identifier: Apache-2.0
"""Labels that a person gives to images of their own: the images to label, and the label file in the plain form (docs/datasets.md)."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermal_fld_ros.datasets.plain import face_of, image_at, plain_decoding
from thermal_fld_ros.datasets.sample import SCHEMES, DataSetError, Scheme, read_json
from thermal_fld_ros.files import write_bytes
from thermal_fld_ros.perception.decoding import Decoding, ThermalFrame
from thermal_fld_ros.perception.geometry import Affine, box_around
from thermal_fld_ros.recordings import arrays, bag, folder, tables, tiff
from thermal_fld_ros.recordings.opening import open_source
from thermal_fld_ros.recordings.source import RawImage, Reading, SourceError

LABEL_FILE_DEFAULTS: dict[str, Any] = {
    "unit": "counts",
    "rotation": 0,
    "rows": [0, 0],
    "inverted": False,
    "scheme": "sftl54",
    "topic": "",
}
"""What holds for all images of a label file, as in the plain form."""

MULTI_IMAGE_SUFFIXES = (*tiff.SUFFIXES, *tables.SUFFIXES, *arrays.SUFFIXES)
"""Files of a folder that may hold more than one image."""

DIGITS = 3  # of a pixel

LabelEntry = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """Where an image lies.

    Attributes
    ----------
    file : Path
        Absolute; a bag may be a folder.
    frame : int or None
        From 0; None: the file holds one image.
    """

    file: Path
    frame: int | None = None


def places_in(source: Path, topic: str = "") -> list[Place]:
    """All images of what `open_source` reads, in its order; raises SourceError."""
    if source.is_dir() and not bag.is_bag(source):
        return [place for file in folder.files_of(source) for place in _of_folder(file)]
    return _of_file(source, topic)


def _of_folder(file: Path) -> list[Place]:
    """A file that cannot be read is a place, too, so that the page can show the reason."""
    try:
        return _of_file(file, "") if file.suffix.lower() in MULTI_IMAGE_SUFFIXES else [Place(_settled(file))]
    except SourceError:
        return [Place(_settled(file))]


def _of_file(file: Path, topic: str) -> list[Place]:
    source = open_source(file, Reading(topic))
    count = sum(1 for _ in source.entries()) if source.length is None else source.length
    path = _settled(file)
    single = count == 1 and path.is_file() and file.suffix.lower() not in bag.SUFFIXES
    return [Place(path)] if single else [Place(path, k) for k in range(count)]


def chosen(places: Sequence[Place], every: int = 1, count: int | None = None) -> list[Place]:
    """Every `every`-th of the places, or `count` of them, evenly spread from the first to the last."""
    if count is None:
        return list(places[::every])
    spread = np.linspace(0, len(places) - 1, min(count, len(places))).round().astype(int)
    return [places[k] for k in np.unique(spread)]


class Annotation:
    """A label file in the making, and the images that it is about.

    The file is the state: it is read and written as a whole with each change, so an interrupted annotation goes on where it was, and
    what is in it of other images stays. All coordinates that go in and out are those of the upright image.

    Parameters
    ----------
    out : Path
        The label file; made with the first change.
    places : sequence of Place
        Images to label. Those that the file already labels and which lie in the same files come on top.
    settings : mapping
        Those of `LABEL_FILE_DEFAULTS` that are given; the others are the file's, else the default.

    Attributes
    ----------
    out : Path
    settings : dict
        All of `LABEL_FILE_DEFAULTS`.
    scheme : Scheme
    places : list of Place

    Raises
    ------
    DataSetError
        The file cannot be used, or was made with other settings.
    """

    def __init__(
        self, out: Path, places: Sequence[Place], settings: Mapping[str, Any], labels: str = "by hand"
    ) -> None:
        self.out, self._lock, self._labels = out, threading.Lock(), labels
        held = read_labels(out) if out.exists() else {}
        self.settings = settings_of(out, held, settings)
        self.scheme: Scheme = SCHEMES[self.settings["scheme"]]
        self._decoding: Decoding = plain_decoding(self.settings, out)
        files = {place.file for place in places}
        labelled = by_place(out, held)
        self.places = sorted({*places, *(place for place in labelled if place.file in files)}, key=_order(places))
        if not self.places:
            raise DataSetError(f"{out}: there is no image to annotate")

    # --- what the page asks for ------------------------------------------------------------------------------------

    def listed(self) -> list[LabelEntry]:
        """Name, number of faces and state ("open", "unfinished" or "done") of each image, in order."""
        entries = self._entries()
        return [
            {
                "name": self._name(place),
                "faces": len(entries[place].get("faces", [])) if place in entries else 0,
                "state": "open"
                if not _begun(entries.get(place))
                else "done"
                if entries[place].get("done", True)
                else "unfinished",
            }
            for place in self.places
        ]

    def labels(self, number: int) -> LabelEntry:
        """Size and labels of an image: `width`, `height`, `faces` (box, points, visible, subject, required, all filled in), `done`.

        Raises
        ------
        LookupError, SourceError, DataSetError, ImageError
            There is no such image, or it cannot be read.
        """
        place = self.places[number]
        frame = self._frame(place)
        entry = self._entries().get(place, {"faces": [], "done": False})
        width, height = frame.upright_size
        faces = [self._shown(face, frame.upright_to_image.inverse()) for face in entry.get("faces", [])]
        return {"width": width, "height": height, "faces": faces, "done": entry.get("done", True)}

    def pixels(self, number: int) -> NDArray[np.uint16]:
        """The upright image (height, width), warm bright, its range spread over all 16 bits; raises as `labels` does."""
        frame = self._frame(self.places[number])
        raw = frame.sample(Affine.identity(), frame.upright_size).astype(np.float64)
        low, high = float(raw.min()), float(raw.max())
        levels = (raw - low) * (65535.0 / max(high - low, 1e-9))
        return np.rint(65535.0 - levels if frame.inverted else levels).astype(np.uint16)

    def save(self, number: int, faces: Any, done: Any) -> None:
        """Put the labels of an image into the file.

        Parameters
        ----------
        number : int
        faces : list of dict
            As `labels` gives them.
        done : bool
            Whether the image is finished; one that is not is kept, but no part of the data set yet.

        Raises
        ------
        LookupError, ValueError, TypeError
            These are no labels of an image.
        OSError
            The file cannot be written; it is as it was.
        """
        place = self.places[number]
        if not isinstance(faces, list) or not isinstance(done, bool):
            raise ValueError("expected a list of faces, and whether the image is done")
        to_image = self._frame(place).upright_to_image
        stored = [self._stored(face, to_image, f"face {k}") for k, face in enumerate(faces)]
        with self._lock:
            content = self._content()
            entries = by_place(self.out, content)
            entry = entries.get(place) or self._named(place)
            entries[place] = {key: value for key, value in entry.items() if key != "done"} | {"faces": stored}
            if not done:
                entries[place]["done"] = False
            order = _order(self.places)
            content["images"] = [entries[key] for key in sorted(entries, key=order)]
            write_bytes(self.out, _text(content).encode())

    # --- the file --------------------------------------------------------------------------------------------------

    def _content(self) -> LabelEntry:
        """The file's content; what is told of all images even if there is no file yet, or only boxes in it."""
        told = {
            key: value for key, value in self.settings.items() if value != LABEL_FILE_DEFAULTS[key] or key == "scheme"
        }
        if self.out.exists():
            return told | read_labels(self.out)
        return {"name": self.out.stem, "labels": self._labels, **told, "images": []}

    def _entries(self) -> dict[Place, LabelEntry]:
        with self._lock:
            content = self._content()
        return by_place(self.out, content)

    # --- images and faces ------------------------------------------------------------------------------------------

    def _named(self, place: Place) -> LabelEntry:
        name = os.path.relpath(place.file, self.out.parent.resolve())
        return {"image": name} if place.frame is None else {"image": name, "frame": place.frame}

    def _name(self, place: Place) -> str:
        return place.file.name if place.frame is None else f"{place.file.name}[{place.frame}]"

    def _frame(self, place: Place) -> ThermalFrame:
        read: Callable[[], RawImage]
        _, read = image_at(place.file.parent, place.file.name, place.frame, str(self.out), topic=self.settings["topic"])
        with self._lock:  # images of a recording are read one after another
            image = read()
        return image.decode(self._decoding)

    def _shown(self, face: LabelEntry, to_upright: Affine) -> LabelEntry:
        label = face_of(face, self.scheme, str(self.out))
        count = len(self.scheme)
        points = np.full((count, 2), np.nan) if label.points is None else to_upright(label.points)
        filled = {
            "box": _rounded(_mapped_box(to_upright, label.box)),
            "points": _points(points),
            "visible": [True] * count if label.visible is None else label.visible.tolist(),
            "subject": label.subject,
            "required": label.required,
        }
        return face | filled

    def _stored(self, face: Any, to_image: Affine, where: str) -> LabelEntry:
        label = face_of(face, self.scheme, where)
        if not isinstance(label.subject, str) or not isinstance(label.required, bool):
            raise ValueError(f"{where}: expected a text as subject, and true or false as required")
        others = {key: value for key, value in face.items() if key not in ("points", "visible", "subject", "required")}
        entry = others | {"box": _rounded(_mapped_box(to_image, label.box))}
        if label.points is not None and np.isfinite(label.points).any():
            entry["points"] = _points(to_image(label.points))
            if label.visible is not None and not label.visible.all():
                entry["visible"] = label.visible.tolist()
        if label.subject:
            entry["subject"] = label.subject
        if not label.required:
            entry["required"] = False
        return entry


def read_labels(path: Path) -> LabelEntry:
    """The content of a label file; raises DataSetError where it has none of the plain form."""
    content = read_json(path)
    images = content.get("images") if isinstance(content, dict) else None
    if not isinstance(images, list) or not all(isinstance(entry, dict) and "image" in entry for entry in images):
        raise DataSetError(f'{path}: not a label file: expected a JSON object with a list "images"')
    return dict(content)


def _begun(entry: LabelEntry | None) -> bool:
    return entry is not None and (entry.get("done", True) or bool(entry.get("faces")))


def place_of(path: Path, entry: LabelEntry) -> Place:
    """Where an image of a label file lies."""
    return Place(_settled(path.parent / entry["image"]), entry.get("frame"))


def by_place(path: Path, content: LabelEntry) -> dict[Place, LabelEntry]:
    """The images of a label file; raises DataSetError where it labels one twice."""
    entries = {place_of(path, entry): entry for entry in content.get("images", [])}
    if len(entries) < len(content.get("images", [])):
        raise DataSetError(f"{path}: an image is labelled twice, expected once")
    return entries


def finished(path: Path, content: LabelEntry) -> list[Place]:
    """The images of a label file that are finished, in its order."""
    return [place for place, entry in by_place(path, content).items() if entry.get("done", True)]


def _settled(path: Path) -> Path:
    """An absolute path to compare by; a link to a file stays that, as its name is the one that the user knows."""
    return path.resolve() if path.name in ("", "..") else path.parent.resolve() / path.name


def settings_of(path: Path, held: Mapping[str, Any], given: Mapping[str, Any]) -> LabelEntry:
    """Settings of a label file that holds some already; raises DataSetError where it was made with others."""
    settings = LABEL_FILE_DEFAULTS | {key: held[key] for key in LABEL_FILE_DEFAULTS if key in held}
    for key, value in given.items():
        new = not held or (key == "scheme" and key not in held)  # a file of boxes may still get points
        if not new and value != settings[key]:
            raise DataSetError(
                f"{path}: the file was made with {key} {settings[key]}, not {value}: choose another --out"
            )
        settings[key] = value
    if not isinstance(settings["scheme"], str) or settings["scheme"] not in SCHEMES:
        raise DataSetError(f"{path}: scheme {settings['scheme']!r}, expected one of {', '.join(SCHEMES)}")
    return settings


def _order(places: Sequence[Place]) -> Callable[[Place], tuple[int, str, int]]:
    """Sort key: files in the order of `places`, others behind them; images of a file in its order."""
    ranks: dict[Path, int] = {}
    for place in places:
        ranks.setdefault(place.file, len(ranks))
    return lambda place: (ranks.get(place.file, len(ranks)), str(place.file), place.frame or 0)


def _mapped_box(affine: Affine, box: ArrayLike) -> NDArray[np.float64]:
    """A box after quarter turns and shifts, which keep it one."""
    x, y, width, height = np.asarray(box, dtype=np.float64).tolist()
    return box_around(affine([[x, y], [x + width, y + height]]))


def _rounded(values: NDArray[np.float64]) -> list[float]:
    return [round(float(value), DIGITS) for value in values]


def _points(points: NDArray[np.float64]) -> list[list[float] | None]:
    return [_rounded(point) if np.isfinite(point).all() else None for point in points]


def _text(content: LabelEntry) -> str:
    """JSON with a line an image; raises ValueError where a number is none."""
    head = json.dumps({key: value for key, value in content.items() if key != "images"}, allow_nan=False)
    images = ",\n".join("  " + json.dumps(entry, allow_nan=False) for entry in content["images"])
    return head[:-1] + (", " if len(head) > 2 else "") + '"images": [\n' + images + "\n]}\n"
