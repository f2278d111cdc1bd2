# SPDX-License-Identifier: Apache-2.0
"""What every reader gives: a `Source` of images as a camera's driver would publish them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.decoding import DEFAULTS, Decoding, ImageError, ThermalFrame, decode, message_array


class SourceError(ValueError):
    """An input that cannot be read; the message names it and says why.

    Attributes
    ----------
    name : str
        Of the image, as in `RawImage`, where the error is that of one.
    """

    def __init__(self, message: str, name: str = "") -> None:
        super().__init__(message)
        self.name = name


@dataclass(frozen=True, eq=False)
class RawImage:
    """An image as a camera's driver would publish it: the fields of `sensor_msgs/Image`.

    Attributes
    ----------
    data : uint8 buffer
        `step` bytes a row.
    height, width, encoding, step, is_bigendian
        As in the message.
    stamp : float or None
        Seconds, where the input has them.
    name : str
        Of the file, or of the input and the place in it.
    """

    data: Any
    height: int
    width: int
    encoding: str
    step: int
    is_bigendian: bool = False
    stamp: float | None = None
    name: str = ""

    @staticmethod
    def from_array(array: NDArray[Any], *, stamp: float | None = None, name: str = "") -> RawImage:
        """Of an array that `decode_array` takes; raises ImageError as it does."""
        pixels, encoding = message_array(array)
        pixels = np.ascontiguousarray(pixels)
        height, width = pixels.shape[:2]
        data = pixels.reshape(-1).view(np.uint8)
        return RawImage(data, height, width, encoding, pixels.nbytes // height, stamp=stamp, name=name)

    def decode(self, options: Decoding = DEFAULTS) -> ThermalFrame:
        """The frame; raises ImageError."""
        return decode(
            self.data,
            height=self.height,
            width=self.width,
            encoding=self.encoding,
            step=self.step,
            is_bigendian=self.is_bigendian,
            options=options,
        )


Entry = RawImage | SourceError
"""An image, or why one could not be read though those after it may be."""


@dataclass(frozen=True)
class Reading:
    """What an input does not say about itself.

    Attributes
    ----------
    topic : str
        Of a bag with images on several topics.
    axes : str
        Order of an array's axes: T (time), H (rows), W (columns) and C (colour), such as "HWT"; empty: by its shape.
    preview : bool
        Of radiometric JPEG files, read the coloured picture that other programs show, and not the temperatures.
    """

    topic: str = ""
    axes: str = ""
    preview: bool = False


DEFAULT_READING = Reading()


@dataclass(frozen=True)
class Source:
    """Images in order; each iteration starts from the beginning.

    Iterating over it raises SourceError at the first image that cannot be read. `entries` yields that error in the image's
    place and goes on.

    Attributes
    ----------
    path : Path
    kind : str
        What the input was taken for, in a few words.
    length : int or None
        Number of entries, None where only reading tells.
    entries : function
        Gives an iterator over images and errors.
    fps : float or None
        Images a second, where the input says so.
    unit : str or None
        Name of one of `decoding.UNITS`, where the input says so.
    notes : tuple of str
        What a person should know of how the input was read: a sentence each.
    """

    path: Path
    kind: str
    length: int | None
    entries: Callable[[], Iterator[Entry]]
    fps: float | None = None
    unit: str | None = None
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[RawImage]:
        for entry in self.entries():
            if isinstance(entry, SourceError):
                raise entry
            yield entry


def image_of_array(array: NDArray[Any], name: str, stamp: float | None = None) -> RawImage:
    """The image of an array; raises SourceError where it is none."""
    try:
        return RawImage.from_array(array, stamp=stamp, name=name)
    except ImageError as error:
        raise SourceError(f"{name}: {error}", name) from error


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Name the file where the operating system or numpy cannot read it: raises SourceError."""
    try:
        yield
    except SourceError:
        raise
    except (
        Exception
    ) as error:  # for a damaged file numpy, zipfile and zlib raise a dozen kinds, tokenize.TokenError among them
        raise SourceError(f"{path}: cannot be read: {error}") from error
