# SPDX-License-Identifier: Apache-2.0
"""One form for labelled thermal images, whatever data set they come from.

Coordinates are pixels of the incoming image, the origin at the centre of its top-left pixel; a box is x, y, width, height.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermal_fld_ros.perception.decoding import DEFAULTS, UNITS, Decoding, ThermalFrame
from thermal_fld_ros.perception.face import POINTS
from thermal_fld_ros.perception.geometry import box_around
from thermal_fld_ros.recordings.opening import open_source
from thermal_fld_ros.recordings.source import RawImage, Reading

CENTIKELVIN = Decoding(unit=UNITS["centikelvin"])
JAW = range(17)


class DataSetError(ValueError):
    """A data set that cannot be used; the message names the file, what was wrong and what was expected."""


@dataclass(frozen=True)
class Scheme:
    """Which points a data set labels: each is the mean of some iBUG points (0 to 67), mostly of one.

    Attributes
    ----------
    name : str
    groups : tuple of tuples of int
        One a labelled point.
    """

    name: str
    groups: tuple[tuple[int, ...], ...]

    @staticmethod
    def of_indices(name: str, indices: Iterable[int]) -> Scheme:
        """A scheme whose points are iBUG points."""
        return Scheme(name, tuple((int(index),) for index in indices))

    def __len__(self) -> int:
        return len(self.groups)

    def select(self, points: ArrayLike) -> NDArray[np.float64]:
        """The scheme's points (..., K, 2) of 68 iBUG points (..., 68, 2)."""
        array = np.asarray(points, dtype=np.float64)
        return np.stack([array[..., list(group), :].mean(axis=-2) for group in self.groups], axis=-2)

    def places(self, indices: Iterable[int]) -> list[int]:
        """Where these iBUG points are among the labelled ones, in the scheme's order; those that are not labelled are left out."""
        wanted = set(indices)
        return [k for k, group in enumerate(self.groups) if len(group) == 1 and group[0] in wanted]

    @property
    def outlines_face(self) -> bool:
        """Whether the labelled points reach around the whole jaw and over the brows, so that their box is the face's box."""
        return len(self.places(JAW)) == len(JAW) and len(self.places(range(17, 27))) > 0


SCHEMES = {
    scheme.name: scheme
    for scheme in (
        Scheme.of_indices("ibug68", range(68)),
        Scheme.of_indices("ibug51", range(17, 68)),
        Scheme.of_indices("sftl54", [*range(48), 48, 51, 54, 57, 62, 66]),
        Scheme("tfw5", (tuple(range(36, 42)), tuple(range(42, 48)), (30,), (48,), (54,))),
    )
}


@dataclass(frozen=True, eq=False)
class LabelledFace:
    """A face as somebody labelled it.

    Attributes
    ----------
    box : (4,) float64
        The data set's own box, or the one around the points.
    points : (K, 2) float64 or None
        In the order of the data set's scheme; NaN where a point is not labelled.
    visible : (K,) bool or None
        Whether nothing lies in front of a point.
    yaw : float or None
        Degrees; the sign is the data set's own.
    glasses, mask : bool or None
        None: not told.
    subject : str
        Empty: not told.
    required : bool
        False: too small, turned away, cut by the border; it need not be found, and is no false face when it is found.
    turned_away : bool
        The back or the crown of a head: points that are found there are never right.
    """

    box: NDArray[np.float64]
    points: NDArray[np.float64] | None = None
    visible: NDArray[np.bool_] | None = None
    yaw: float | None = None
    glasses: bool | None = None
    mask: bool | None = None
    subject: str = ""
    required: bool = True
    turned_away: bool = False


@dataclass(frozen=True, eq=False)
class Sample:
    """A labelled image.

    Attributes
    ----------
    name : str
        Unique in its data set.
    read : function
        Gives the image.
    faces : tuple of LabelledFace
        Every face in it.
    decoding : Decoding
        What the image does not say of itself.
    sequence : str or None
        Images of the same sequence follow each other in the data set, and in time.
    stamp : float or None
        Seconds, in a sequence.
    traps : tuple of boxes
        Places that are no face but have been taken for one: what is found there is counted apart, too.
    """

    name: str
    read: Callable[[], RawImage]
    faces: tuple[LabelledFace, ...]
    decoding: Decoding = DEFAULTS
    sequence: str | None = None
    stamp: float | None = None
    traps: tuple[NDArray[np.float64], ...] = ()

    def frame(self) -> ThermalFrame:
        """The decoded image; raises ImageError or SourceError."""
        return self.read().decode(self.decoding)


@dataclass(frozen=True, eq=False)
class DataSet:
    """Labelled images.

    Attributes
    ----------
    name : str
    samples : list of Sample
    scheme : Scheme or None
        Of the points of all faces; None: boxes only.
    labels : str
        Who or what made the labels, in a few words: what an error against them means depends on it.
    about : str
        What the images are, in a sentence.
    scored : tuple of int or None
        The iBUG points to score, where the labels of others follow another convention and only tell where the face is; None: all.
    every_face : bool
        Whether every face is labelled; where not, nothing that is found is a false face.
    left_out : dict
        Count by reason of what the files hold and this does not.
    """

    name: str
    samples: list[Sample]
    scheme: Scheme | None = None
    labels: str = ""
    about: str = ""
    scored: tuple[int, ...] | None = None
    every_face: bool = True
    left_out: dict[str, int] = field(default_factory=dict)

    @cached_property
    def has_sequences(self) -> bool:
        """Whether any images follow each other in time."""
        return any(sample.sequence is not None for sample in self.samples)

    def places(self, indices: Iterable[int] = range(POINTS)) -> list[int]:
        """Where these iBUG points are among the labelled ones; those that are not labelled or not scored are left out."""
        wanted = set(indices) if self.scored is None else set(indices) & set(self.scored)
        return self.scheme.places(wanted) if self.scheme else []

    def extent(self, face: LabelledFace) -> NDArray[np.float64]:
        """The box (4,) that crops start from and errors are normalised by.

        It is the one around the labelled points where they outline the face (as the package's own box is), else the data set's.
        """
        if self.scheme is None or face.points is None or not self.scheme.outlines_face:
            return face.box
        return box_around(face.points[np.isfinite(face.points).all(axis=1)])


def face_from(
    where: str,
    *,
    points: ArrayLike | None = None,
    scheme: Scheme | None = None,
    box: ArrayLike | None = None,
    **others: Any,
) -> LabelledFace:
    """A face of what a label file says.

    Parameters
    ----------
    where : str
        File and line, for errors.
    points : (K, 2), optional
        NaN where a point is not labelled.
    scheme : Scheme, optional
        Of the points.
    box : (4,), optional
        x, y, width, height; default: around the points.
    others
        The other attributes of `LabelledFace`.

    Raises
    ------
    DataSetError
    """
    array: NDArray[np.float64] | None = None
    if points is not None:
        array = _numbers(points, where, "points")
        expected = (len(scheme) if scheme else 0, 2)
        if array.shape != expected:
            raise DataSetError(f"{where}: points of shape {array.shape}, expected {expected}")
        known = np.isfinite(array).all(axis=1)
        if known.sum() < 2 and box is None:
            raise DataSetError(f"{where}: the face has neither a box nor two labelled points")
    if box is None:
        if array is None:
            raise DataSetError(f"{where}: the face has neither a box nor points")
        own = box_around(array[np.isfinite(array).all(axis=1)])
    else:
        own = _numbers(box, where, "the box")
        if own.shape != (4,):
            raise DataSetError(f"{where}: a box of shape {own.shape}, expected x, y, width, height")
    if not (np.isfinite(own).all() and own[2] > 0 and own[3] > 0):
        raise DataSetError(f"{where}: the box {own.tolist()} has no extent, expected x, y, width, height above 0")
    visible = others.pop("visible", None)
    if visible is not None:
        visible = np.asarray(visible, dtype=bool)
        if array is None or visible.shape != (len(array),):
            raise DataSetError(f"{where}: visible has shape {visible.shape}, expected one value a point")
    return LabelledFace(own, array, visible, **others)


def _numbers(values: ArrayLike, where: str, what: str) -> NDArray[np.float64]:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataSetError(f"{where}: {what} cannot be read as numbers: {error}") from error


def number(text: Any, where: str) -> float:
    """A number of a label file; raises DataSetError."""
    try:
        value = float(text)
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise DataSetError(f"{where}: {text!r} is not a number")
    return value


def image_file(path: Path) -> Callable[[], RawImage]:
    """Reads one image file when called; raises DataSetError now where there is none."""
    if not path.is_file():
        raise DataSetError(f"{path}: no such image; the labels name it")
    # Labels are of what programs show, so of the picture in a radiometric JPEG.
    return lambda: next(iter(open_source(path, Reading(preview=True))))


def read_json(path: Path) -> Any:
    """A JSON file; raises DataSetError."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataSetError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise DataSetError(f"{path}: not JSON: {error}") from error


def files_in(folder: Path, pattern: str, what: str) -> list[Path]:
    """The files of a folder that match; raises DataSetError where there are none."""
    if not folder.is_dir():
        raise DataSetError(f"{folder}: no such folder, expected {what}")
    found = sorted(folder.glob(pattern))
    if not found:
        raise DataSetError(f"{folder}: no files {pattern}, expected {what}")
    return found
