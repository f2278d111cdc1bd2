# SPDX-License-Identifier: Apache-2.0
"""Bags of ROS 2 (MCAP and SQLite) and of ROS 1."""

from __future__ import annotations

import io
import sqlite3
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from thermal_fld_ros.perception.compression import decompressed_image
from thermal_fld_ros.perception.decoding import ImageError
from thermal_fld_ros.recordings.folder import image_files
from thermal_fld_ros.recordings.manifest import is_unfinished, mcap_cure
from thermal_fld_ros.recordings.names import natural_key
from thermal_fld_ros.recordings.source import Entry, RawImage, Reading, Source, SourceError, image_of_array

SUFFIXES = (".mcap", ".db3", ".bag")
METADATA = "metadata.yaml"
IMAGE_TYPES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
MCAP_MAGIC = b"\x89MCAP0\r\n"
ROS1_MAGIC = b"#ROSBAG V2.0"


def is_bag(path: Path) -> bool:
    """Whether this is a bag: a file of one, or a folder with one; without its metadata.yaml a folder that also has images is none."""
    if path.is_dir():
        return (path / METADATA).is_file() or (bool(_storage_files(path)) and not image_files(path))
    return path.suffix.lower() in SUFFIXES


def open_bag(path: Path, options: Reading) -> Source:
    """The images of one topic."""
    with bag_reader(path) as reader:
        counts = topics_of(reader, IMAGE_TYPES)
        seconds = 1e-9 * reader.duration if sum(counts.values()) else 0.0
        kind = "bag of ROS 2" if reader.is2 else "bag of ROS 1"
        notes = bag_notes(path, reader)
    topic = options.topic
    if not topic:
        if len(counts) != 1:
            found = (
                f"there are images on {', '.join(sorted(counts))}: choose one topic"
                if counts
                else "no images in this bag"
            )
            raise SourceError(f"{path}: {found}")
        topic = next(iter(counts))
    if topic not in counts:
        raise SourceError(f"{path}: there are no images on {topic}, but on: {', '.join(sorted(counts)) or 'no topic'}")

    def entries() -> Iterator[Entry]:
        with bag_reader(path) as reader:
            chosen = [connection for connection in reader.connections if connection.topic == topic]
            for index, (connection, time, data) in enumerate(reader.messages(chosen)):
                message = reader.deserialize(data, connection.msgtype)
                try:
                    yield image_of_message(message, f"{topic}[{index}]", time)
                except SourceError as error:
                    yield error

    fps = (counts[topic] - 1) / seconds if counts[topic] > 1 and seconds > 0 else None
    return Source(path, f"{kind}, topic {topic}", counts[topic], entries, fps, notes=notes)


@contextmanager
def bag_reader(path: Path) -> Iterator[Any]:
    """Open a bag with rosbags, also one without message definitions; raises SourceError.

    A folder whose metadata.yaml is missing, or not what rosbags expects, is read by its files.
    """
    # Only bags need rosbags, and it takes longer to import than all the rest.
    from rosbags.highlevel import AnyReader
    from rosbags.typesys import Stores, get_typestore

    refused: list[str] = []
    reader = None
    for paths in _ways(path):
        try:
            is_ros1 = any(_begins_with(file, ROS1_MAGIC) for file in paths)
            # Bags of ROS 2 in sqlite3 did not carry their message definitions before Iron.
            types = get_typestore(Stores.ROS1_NOETIC if is_ros1 else Stores.ROS2_JAZZY)
            reader = AnyReader([_with_profile(file) for file in paths], default_typestore=types)
            reader.open()
            break
        except Exception as error:  # whatever a damaged file makes of a parser
            refused.append(str(error).rstrip(".") or type(error).__name__)
            reader = None
    if reader is None:
        raise SourceError(f"{path}: the bag cannot be read: {'; '.join(dict.fromkeys(refused))}{_cure(path)}")
    try:
        yield reader
    except _damage() as error:
        raise SourceError(f"{path}: the bag is damaged: {str(error).rstrip('.')}{_cure(path)}") from error
    finally:
        reader.close()


def _damage() -> tuple[type[Exception], ...]:
    """What rosbags raises on the way through a damaged bag: its own errors, and those of what it reads with."""
    from rosbags.highlevel import AnyReaderError
    from rosbags.rosbag1 import ReaderError as Ros1Error
    from rosbags.rosbag2 import ReaderError
    from rosbags.serde import SerdeError
    from rosbags.typesys import TypesysError

    found: list[type[Exception]] = [AnyReaderError, Ros1Error, ReaderError, SerdeError, TypesysError]
    found += [sqlite3.Error, AssertionError, struct.error]
    with suppress(ImportError):  # newer versions read SQLite with it
        import apsw

        found.append(apsw.Error)
    return (*found, OSError, EOFError, RuntimeError, OverflowError, MemoryError, LookupError, UnicodeDecodeError)


def bag_notes(path: Path, reader: Any) -> tuple[str, ...]:
    """What a person should know of how a bag was opened."""
    if any(isinstance(one, _Relabelled) for one in reader.paths):
        return ("the MCAP file names no profile and is read as a bag of ROS 2",)
    if path.is_dir() and list(reader.paths) != [path]:
        state = "cannot be used" if (path / METADATA).is_file() else "is missing"
        return (f"{METADATA} {state}: the bag is read by its files; `ros2 bag reindex {path}` writes a new one",)
    return ()


def _ways(path: Path) -> Iterator[list[Path]]:
    """What to try as the files of a bag, one after the other."""
    if not path.is_dir():
        yield [path]
        return
    if (path / METADATA).is_file():
        yield [path]
    files = _storage_files(path)
    if files:
        yield files


def _storage_files(folder: Path) -> list[Path]:
    files = [file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")]
    return sorted(files, key=lambda file: natural_key(file.name))


def _cure(path: Path) -> str:
    """What can be done about a bag that cannot be read."""
    files = _storage_files(path) if path.is_dir() else [path]
    folder = path if path.is_dir() else path.parent
    ros1 = next((file for file in files if _begins_with(file, ROS1_MAGIC)), None)
    if ros1 is not None:
        return f". If the bag of ROS 1 was cut short, run: rosbag reindex {ros1}"
    if is_unfinished(folder):
        return f". Its recording was cut short. To finish it, run: python -m thermal_fld_ros recover {folder}"
    cut = next((one for one in files if _begins_with(one, MCAP_MAGIC) and not _ends_with(one, MCAP_MAGIC)), None)
    if cut is not None:
        return f". Its recording was cut short; {mcap_cure(cut)}"
    if any(file.stat().st_size == 0 for file in files):
        return ". A file of it is empty: nothing was recorded, or the copy failed"
    return ""


def _begins_with(file: Path, magic: bytes) -> bool:
    if not file.is_file():
        return False
    with file.open("rb") as opened:
        return opened.read(len(magic)) == magic


def _ends_with(file: Path, magic: bytes) -> bool:
    with file.open("rb") as opened:
        opened.seek(max(0, file.stat().st_size - len(magic)))
        return opened.read() == magic


# --- MCAP without a profile


def _with_profile(file: Path) -> Path:
    """The file, or one that reads like it and names the profile of ROS 2, where its header names none.

    rosbags refuses those, though `ros2 bag` does not mind. The name of the writing library makes room for the profile, so that no
    offset in the file changes.
    """
    if not _begins_with(file, MCAP_MAGIC):
        return file
    with file.open("rb") as opened:
        head = opened.read(4096)
    start = len(MCAP_MAGIC) + 9  # behind the kind and the length of the first record
    try:
        (profile_length,) = struct.unpack_from("<I", head, start)
        (library_length,) = struct.unpack_from("<I", head, start + 4)
    except struct.error:
        return file
    library = head[start + 8 : start + 8 + library_length]
    profile = b"ros2"
    if profile_length or library_length < len(profile) or len(library) < library_length:
        return file
    shorter = library[len(profile) :]
    header = struct.pack("<I", len(profile)) + profile + struct.pack("<I", len(shorter)) + shorter
    return _Relabelled(file).beginning_with(head[:start] + header)


class _Relabelled(type(Path())):  # type: ignore[misc]
    """A path whose file is read with other first bytes."""

    head = b""

    def beginning_with(self, head: bytes) -> _Relabelled:
        self.head = head
        return self

    def open(self, *args: Any, **options: Any) -> Any:
        return io.BufferedReader(_Overlaid(self, self.head))


class _Overlaid(io.FileIO):
    def __init__(self, path: Path, head: bytes) -> None:
        super().__init__(str(path))
        self._head = head

    def readinto(self, buffer: Any) -> int | None:
        start = self.tell()
        count = super().readinto(buffer)
        overlay = self._head[start : start + (count or 0)]
        memoryview(buffer).cast("B")[: len(overlay)] = overlay
        return count


# --- messages


def stamp_of_message(message: Any, received: int) -> int:
    """Stamp in ns of a message that rosbags has read: the header's or, where that is unset, `received` (ns)."""
    stamp = message.header.stamp
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec) or received


def image_of_message(message: Any, name: str, received: int) -> RawImage:
    """The image of a message that rosbags has read, with the time of `stamp_of_message`; raises SourceError."""
    stamp = 1e-9 * stamp_of_message(message, received)
    if hasattr(message, "format"):
        try:
            return image_of_array(decompressed_image(message.data, message.format), name, stamp)
        except ImageError as error:
            raise SourceError(f"{name}: {error}", name) from error
    return RawImage(
        np.asarray(message.data),
        message.height,
        message.width,
        message.encoding,
        message.step,
        bool(message.is_bigendian),
        stamp,
        name,
    )


def topics_of(reader: Any, types: Sequence[str]) -> dict[str, int]:
    """Number of messages by topic, of topics of these types."""
    counts: dict[str, int] = {}
    for connection in reader.connections:
        if connection.msgtype in types:
            counts[connection.topic] = counts.get(connection.topic, 0) + connection.msgcount
    return counts
