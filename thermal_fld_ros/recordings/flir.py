# SPDX-License-Identifier: Apache-2.0
"""Radiometric JPEG files of FLIR cameras: a coloured picture for people, and the raw 14- or 16-bit image beside it."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path

import numpy as np

from thermal_fld_ros.recordings.images import open_image
from thermal_fld_ros.recordings.source import RawImage, Reading, Source, SourceError, image_of_array, reading

SUFFIXES = (".jpg", ".jpeg")
EXTRA = "flir"
_SEGMENT = re.compile(rb"\xff\xe1..FLIR\x00", re.DOTALL)
_MOST_RECORDS = 1000
"""In a file; flyr walks as many as the file says there are, up to 2^32 in a damaged one."""

_HEAD = 1 << 18


def open_jpeg(path: Path, options: Reading) -> Source:
    """A JPEG; of a radiometric one the temperatures in degC, by the constants in the file, unless the preview is asked for."""
    if options.preview or not is_radiometric(path):
        return open_image(path, options)
    try:
        import flyr  # noqa: F401
    except ImportError:
        plain = open_image(path, options)
        note = (
            "only the coloured preview of this file is read. To read its temperatures, install flyr "
            f'(pip install "thermal_fld_ros[{EXTRA}]", or pip install flyr)'
        )
        return Source(path, f"preview of {KIND}", 1, plain.entries, notes=(note,))
    return Source(path, KIND, 1, lambda: iter([_read(path)]), unit="celsius")


KIND = "radiometric JPEG of a FLIR camera"


def is_radiometric(path: Path) -> bool:
    """Whether a JPEG holds FLIR's raw image."""
    with reading(path), path.open("rb") as file:
        return _SEGMENT.search(file.read(_HEAD)) is not None


def _read(path: Path) -> RawImage:
    import flyr
    from flyr.flyr import extract_flir_app1

    with reading(path):
        content = path.read_bytes()
    try:
        header = extract_flir_app1(BytesIO(content)).read(32)
        if (records := int.from_bytes(header[28:], "big")) > _MOST_RECORDS:
            raise ValueError(f"{records} records")
        celsius = flyr.unpack(BytesIO(content)).celsius
    except Exception as error:  # whatever a damaged file makes of a parser
        raise SourceError(f"{path}: its temperatures cannot be read ({error}); --preview reads the picture") from error
    return image_of_array(np.asarray(celsius, np.float32), path.name)
