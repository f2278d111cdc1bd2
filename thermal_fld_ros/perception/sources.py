# SPDX-License-Identifier: Apache-2.0
"""Images from files: one image, a folder, a video, .npy and .npz arrays, a rosbag2.

>>> source = open_source("recording.npz")
>>> for image in source:
...     frame = image.decode(Decoding(unit=UNITS["centikelvin"]))
"""

from __future__ import annotations

import re
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.decoding import (
    DEFAULTS,
    UNITS,
    Decoding,
    ImageError,
    ThermalFrame,
    decode,
    message_array,
)

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".pgm", ".ppm", ".webp", ".npy"})
ARRAY_SUFFIXES = frozenset({".npy", ".npz"})
BAG_SUFFIXES = frozenset({".mcap", ".db3"})
IMAGE_TYPES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")


class SourceError(ValueError):
    """An input that cannot be read; the message names it and says why."""


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


@dataclass(frozen=True)
class Source:
    """Images in their order; each iteration starts anew.

    Attributes
    ----------
    path : Path
    length : int or None
        Number of images, None where only reading tells.
    fps : float or None
        Images a second, where the input says so.
    unit : str or None
        Name of one of `decoding.UNITS`, where the input says so.
    """

    path: Path
    length: int | None
    images: Callable[[], Iterator[RawImage]]
    fps: float | None = None
    unit: str | None = None

    def __iter__(self) -> Iterator[RawImage]:
        return self.images()


def open_source(path: str | Path, *, topic: str | None = None) -> Source:
    """Open an input by what it is.

    Parameters
    ----------
    path : path
        - an image (8 or 16 bit, or floating-point TIFF), or a folder of images (in natural order: 2 before 10);
        - a video;
        - .npy, (H, W) or (T, H, W), colour (.., 3) as BGR; .npz with such an array named `frames` (or a single array), and
          optionally `stamps` (T,) in seconds, `fps` and `unit` (the name of one of `decoding.UNITS`);
        - a rosbag2: its folder, or an .mcap or .db3 file, with sensor_msgs/Image or CompressedImage.
    topic : str, optional
        Of a bag with images on several topics.

    Raises
    ------
    SourceError
        There is no such input, or no image in it. What is damaged further inside is met while iterating.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if not path.exists():
        raise SourceError(f"{path}: no such file or folder")
    if is_bag(path):
        return _open_bag(path, topic)
    if path.is_dir():
        return _open_folder(path)
    if suffix in ARRAY_SUFFIXES:
        return _open_arrays(path)
    if suffix in IMAGE_SUFFIXES:
        return Source(path, 1, lambda: iter([_read_image(path)]))
    return _open_video(path)


def _open_folder(folder: Path) -> Source:
    images = (file for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)
    files = sorted(images, key=lambda file: natural_key(file.name))
    if not files:
        raise SourceError(f"{folder}: no images in this folder (looked for {', '.join(sorted(IMAGE_SUFFIXES))})")
    return Source(folder, len(files), lambda: map(_read_image, files))


def is_bag(path: Path) -> bool:
    """Whether this is a rosbag2: its folder, or an .mcap or .db3 file."""
    return path.suffix.lower() in BAG_SUFFIXES or (path / "metadata.yaml").is_file()


def natural_key(name: str) -> list[tuple[bool, int, str]]:
    """Sort key by which frame_2 comes before frame_10."""
    parts = re.split(r"(\d+)", name)
    return [(not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts if part]


def _read_image(path: Path) -> RawImage:
    if path.suffix.lower() == ".npy":
        return _of_array(_load(path), path.name)
    array = cv2.imdecode(np.fromfile(path, dtype=np.uint8), cv2.IMREAD_UNCHANGED) if path.stat().st_size else None
    if array is None:
        raise SourceError(f"{path}: not an image that OpenCV can read")
    return _of_array(array, path.name)


def _of_array(array: NDArray[Any], name: str, stamp: float | None = None) -> RawImage:
    try:
        return RawImage.from_array(array, stamp=stamp, name=name)
    except ImageError as error:
        raise SourceError(f"{name}: {error}") from error


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise SourceError(f"{path}: cannot be read: {error}") from error


def _load(path: Path) -> Any:
    with _reading(path):
        return np.load(path, mmap_mode="r" if path.suffix.lower() == ".npy" else None, allow_pickle=False)


def _open_arrays(path: Path) -> Source:
    loaded = _load(path)
    stamps: NDArray[Any] | None = None
    fps: float | None = None
    unit: str | None = None
    if isinstance(loaded, np.ndarray):
        frames = loaded
    else:
        with loaded:
            frames = _frames_of(path, loaded)
            stamps = loaded["stamps"] if "stamps" in loaded.files else None
            fps = float(loaded["fps"]) if "fps" in loaded.files else None
            unit = str(loaded["unit"]) if "unit" in loaded.files else None
    is_one = frames.ndim == 2 or (frames.ndim == 3 and frames.dtype == np.uint8 and frames.shape[2] in (3, 4))
    frames = frames[None] if is_one else frames
    if frames.ndim not in (3, 4) or len(frames) == 0:
        raise SourceError(f"{path}: an array of shape {frames.shape} holds no images, expected (T, H, W) or (H, W)")
    if stamps is not None and stamps.shape != (len(frames),):
        raise SourceError(f"{path}: stamps have shape {stamps.shape}, expected ({len(frames)},)")
    if unit is not None and unit not in UNITS:
        raise SourceError(f'{path}: unit "{unit}" is unknown, expected one of {", ".join(UNITS)}')

    def images() -> Iterator[RawImage]:
        for index, frame in enumerate(frames):
            stamp = float(stamps[index]) if stamps is not None else index / fps if fps else None
            yield _of_array(frame, path.name if is_one else f"{path.name}[{index}]", stamp)

    return Source(path, len(frames), images, fps, unit)


def _frames_of(path: Path, archive: Any) -> NDArray[Any]:
    name = "frames" if "frames" in archive.files else archive.files[0] if len(archive.files) == 1 else None
    if name is None:
        raise SourceError(f'{path}: expected an array named "frames", found {", ".join(archive.files) or "nothing"}')
    with _reading(path):
        frames: NDArray[Any] = archive[name]
    return frames


def _open_video(path: Path) -> Source:
    capture = cv2.VideoCapture(str(path))
    opened, count, fps = capture.isOpened(), capture.get(cv2.CAP_PROP_FRAME_COUNT), capture.get(cv2.CAP_PROP_FPS)
    capture.release()
    if not opened:
        raise SourceError(f"{path}: neither a known kind of file nor a video that OpenCV can read")

    def images() -> Iterator[RawImage]:
        capture = cv2.VideoCapture(str(path))
        try:
            index = 0
            while True:
                more, frame = capture.read()
                if not more:
                    return
                yield _of_array(frame, f"{path.name}[{index}]", index / fps if fps > 0 else None)
                index += 1
        finally:
            capture.release()

    return Source(path, int(count) if count > 0 else None, images, fps if fps > 0 else None)


def _open_bag(path: Path, topic: str | None) -> Source:
    with bag_reader(path) as reader:
        counts = {
            connection.topic: connection.msgcount
            for connection in reader.connections
            if connection.msgtype in IMAGE_TYPES
        }
        seconds = 1e-9 * reader.duration
    if topic is None:
        if len(counts) != 1:
            found = f"images on {', '.join(sorted(counts))}: choose one topic" if counts else "no images in this bag"
            raise SourceError(f"{path}: {found}")
        topic = next(iter(counts))
    if topic not in counts:
        raise SourceError(f"{path}: no images on {topic}, there are some on: {', '.join(sorted(counts)) or 'no topic'}")

    def images() -> Iterator[RawImage]:
        with bag_reader(path) as reader:
            chosen = [connection for connection in reader.connections if connection.topic == topic]
            for index, (connection, time, data) in enumerate(reader.messages(chosen)):
                message = reader.deserialize(data, connection.msgtype)
                yield image_of_message(message, f"{topic}[{index}]", time)

    fps = (counts[topic] - 1) / seconds if counts[topic] > 1 and seconds > 0 else None
    return Source(path, counts[topic], images, fps)


@contextmanager
def bag_reader(path: Path) -> Iterator[Any]:
    """Open a bag with rosbags, also one without message definitions; raises SourceError."""
    # Only bags need rosbags, and it takes longer to import than all the rest.
    from rosbags.highlevel import AnyReader, AnyReaderError
    from rosbags.rosbag2 import ReaderError
    from rosbags.typesys import Stores, get_typestore

    try:  # bags in sqlite3 did not carry their message definitions before Iron
        with AnyReader([path], default_typestore=get_typestore(Stores.ROS2_JAZZY)) as reader:
            yield reader
    except (AnyReaderError, ReaderError, sqlite3.DatabaseError) as error:
        raise SourceError(f"{path}: not a rosbag2 that can be read: {error}") from error


def image_of_message(message: Any, name: str, received: int) -> RawImage:
    """The image of a message that rosbags has read; its stamp is the header's or, where that is unset, `received` (ns)."""
    stamp = message.header.stamp.sec + 1e-9 * message.header.stamp.nanosec or 1e-9 * received
    if hasattr(message, "format"):
        array = cv2.imdecode(message.data, cv2.IMREAD_UNCHANGED)
        if array is None:
            raise SourceError(f'{name}: OpenCV cannot read this compressed image of format "{message.format}"')
        return _of_array(array, name, stamp)
    return RawImage(
        message.data,
        message.height,
        message.width,
        message.encoding,
        message.step,
        bool(message.is_bigendian),
        stamp,
        name,
    )
