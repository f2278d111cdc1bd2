# SPDX-License-Identifier: Apache-2.0
"""The one entry to all inputs, and the table of their formats.

>>> source = open_source("recording.npz")
>>> for image in source:
...     frame = image.decode(Decoding(unit=UNITS["centikelvin"]))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from thermal_fld_ros.recordings import arrays, bag, flir, folder, images, tables, tiff, video
from thermal_fld_ros.recordings.source import DEFAULT_READING, Reading, Source, SourceError


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Attributes
    ----------
    name : str
        For people.
    suffixes : tuple of str
        By which it is known, in small letters; what has none of any format is tried as a video.
    open : function
    about : str
        What of it is read.
    extra : str
        The package's extra that it needs.
    """

    name: str
    suffixes: tuple[str, ...]
    open: Callable[[Path, Reading], Source]
    about: str
    extra: str = ""


FORMATS = (
    Format(
        "image", tuple(one for one in images.SUFFIXES if one not in flir.SUFFIXES), images.open_image, "8 or 16 bit"
    ),
    Format(
        "JPEG",
        flir.SUFFIXES,
        flir.open_jpeg,
        "the radiometric ones of FLIR cameras in degC, by the constants in the file; without the extra, or with `--preview`, "
        "their picture",
        flir.EXTRA,
    ),
    Format(
        "TIFF",
        tiff.SUFFIXES,
        tiff.open_tiff,
        "every page; 8 or 16 bit, signed ones too, or floating point",
    ),
    Format(
        "numpy array",
        arrays.SUFFIXES,
        arrays.open_arrays,
        "(H, W), (T, H, W) or (H, W, T), colour as (..., 3) in BGR; in an `.npz` the array named `frames`, or the only one, and "
        "`stamps` (T,) in seconds, `fps` and `unit` beside it",
    ),
    Format(
        "table",
        tables.SUFFIXES,
        tables.open_table,
        "temperatures as FLIR Tools, ResearchIR and PI Connect export them: comma, or semicolon or tab with a decimal comma, "
        "headings, one image or many",
    ),
    Format(
        "video", video.SUFFIXES, video.open_video, "what OpenCV reads; grey ones of 10 to 16 bit (FFV1) with all bits"
    ),
    Format(
        "bag",
        bag.SUFFIXES,
        bag.open_bag,
        "rosbag2 (its folder or a file of it) and ROS 1; `sensor_msgs/Image`, and `CompressedImage` of any format of "
        "image_transport, `compressedDepth` too",
    ),
)


def open_source(path: str | Path, options: Reading = DEFAULT_READING) -> Source:
    """Open an input by what it is: a file of one of `FORMATS`, a folder of images or tables, or a bag's folder.

    Raises
    ------
    SourceError
        There is no such input, or no image in it. What is damaged further inside is met while iterating.
    """
    path = Path(path)
    if not path.exists():
        raise SourceError(f"{path}: no such file or folder")
    if path.is_dir():
        return bag.open_bag(path, options) if bag.is_bag(path) else folder.open_folder(path, options, _open_file)
    return _open_file(path, options)


def format_table() -> str:
    """`FORMATS` in Markdown, as it stands in docs/input.md; `python -m thermal_fld_ros.recordings.opening` prints it."""
    lines = ["| format | files | read of it | needs |", "|---|---|---|---|"]
    for one in FORMATS:
        needs = f"extra `{one.extra}`" if one.extra else ""
        lines.append(f"| {one.name} | {', '.join(f'`{suffix}`' for suffix in one.suffixes)} | {one.about} | {needs} |")
    return "\n".join(lines) + "\n"


def _open_file(path: Path, options: Reading) -> Source:
    if not path.is_file():  # opening a pipe waits for its other end, and a device may never end
        raise SourceError(f"{path}: not a regular file")
    suffix = path.suffix.lower()
    known = next((one for one in FORMATS if suffix in one.suffixes), None)
    return (known.open if known else video.open_video)(path, options)


if __name__ == "__main__":
    print(format_table(), end="")
