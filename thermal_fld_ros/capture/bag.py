# SPDX-License-Identifier: Apache-2.0
"""A rosbag2 that is written file by file and is whole at any time.

rosbags' writer makes one file in a folder of its name. Here every file of a bag is made so, inside the bag's folder, and moved up when
it is finished; `metadata.yaml` lists the finished files. A process that is killed leaves them readable, and beside them one
unfinished file, of which `recover` keeps every message that was written (SQLite: up to the last flush).
"""

from __future__ import annotations

import fcntl
import importlib.metadata
import json
import os
import re
import shutil
import sqlite3
import struct
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any, Final

from thermal_fld_ros.capture.mcap_tail import finish_mcap
from thermal_fld_ros.files import replace_text
from thermal_fld_ros.recordings.manifest import (
    MANIFEST,
    RECOVERED,
    STORAGE_SUFFIXES,
    file_number,
    is_unfinished,
    mcap_cure,
    read_manifest,
    unfinished_files,
)
from thermal_fld_ros.recordings.messages import TF_STATIC, Topic, types

METADATA_VERSION: Final = 8
"""The newest that every ROS 2 from Humble on can play."""

ROSBAGS: Final = ((0, 11), (0, 12))
"""From the first version of rosbags to before the second: `BagWriter` relies on what their storages look like inside."""

KILLED = "killed: data that waited to be written is missing (SQLite: and up to one flush_period before; after a power failure: up to two)"
"""What the manifest of a recovered bag says of its end."""

DAMAGED = (ValueError, LookupError, EOFError, struct.error, sqlite3.DatabaseError)
"""What reading raises when a file's content is not what it should be."""

WRITE_ERRORS = (OSError, sqlite3.Error)
"""What writing raises when the disk is full, gone or broken."""


class BagError(ValueError):
    """A bag that cannot be used; the message names it and says why."""


def check_rosbags() -> None:
    """Raise `BagError` unless a rosbags is installed that `BagWriter` can write with."""
    lowest, beyond = (".".join(map(str, version)) for version in ROSBAGS)
    cure = f'pip install "rosbags>={lowest},<{beyond}"'
    try:
        installed = importlib.metadata.version("rosbags")
    except importlib.metadata.PackageNotFoundError as error:
        raise BagError(f"recording needs rosbags, which is not installed: {cure}") from error
    if not ROSBAGS[0] <= tuple(int(number) for number in re.findall(r"\d+", installed)[:2]) < ROSBAGS[1]:
        raise BagError(
            f"recording needs rosbags from {lowest} to before {beyond}, but {installed} is installed: {cure}"
        )


@dataclass
class BagFile:
    """A finished file: its name, bytes, messages by topic, and the times in ns of the first and the last."""

    name: str
    size: int
    counts: dict[str, int]
    start: int
    end: int


class BagWriter:
    """Writes groups of messages, each under one time.

    It may be made in another thread than the one that uses it.

    Parameters
    ----------
    folder
        The bag; made here, and never one that exists (FileExistsError).
    storage
        "mcap" or "sqlite3".
    topics
        What is recorded.
    split_bytes, split_seconds
        A file gets at most so large or long; 0: no limit.

    Raises
    ------
    BagError
        The installed rosbags is not one of `ROSBAGS`.

    Attributes
    ----------
    files : list of BagFile
        Those that are finished.
    written : int
        Bytes of messages.
    """

    def __init__(
        self, folder: Path, storage: str, topics: Sequence[Topic], split_bytes: int = 0, split_seconds: float = 0.0
    ) -> None:
        check_rosbags()
        self.folder = folder
        self.files: list[BagFile] = []
        self.written = 0
        self._storage, self._topics = storage, topics
        self._split_bytes, self._split_seconds = split_bytes, split_seconds
        self._writer: Any = None
        self._syncer = ThreadPoolExecutor(1, "thermal_fld_sync")
        self._sync: Future[None] | None = None
        folder.mkdir(parents=True)
        self._lock = _lock(folder)

    def write(self, time_ns: int, messages: Mapping[str, bytes]) -> None:
        """Append messages by topic, all with the same time. Raises one of `WRITE_ERRORS`."""
        size = sum(map(len, messages.values()))
        if self._is_full(size):
            self._finish()
        if self._writer is None:
            self._begin()
        for topic, data in messages.items():
            self._writer.write(self._connections[topic], time_ns, data)
        self._hand_over()
        self.written += size
        self._size += size

    def _hand_over(self) -> None:
        """Leave an MCAP file's messages to the operating system, so that a kill takes none of them, in chunks that are whole.

        SQLite has none but costly means to this; there it is the flush.
        """
        # rosbags offers no flush; these are attributes of its storages, therefore `check_rosbags`.
        storage = self._writer.storage
        if self._storage == "mcap":
            if storage.chunk.msgs:
                storage.close_chunk()
            storage.bio.flush()

    def flush(self) -> None:
        """Flush everything that was written to the disk, without stopping the writer.

        It waits for the flush before this one, and raises one of `WRITE_ERRORS` if that has failed.
        """
        if self._writer is None:
            return
        storage = self._writer.storage
        if self._storage == "sqlite3":
            storage.conn.commit()
            return
        self._wait_for_sync()
        self._sync = self._syncer.submit(os.fdatasync, storage.bio.fileno())

    def _wait_for_sync(self) -> None:
        sync, self._sync = self._sync, None
        if sync is not None:
            sync.result()

    def close(self) -> None:
        """Finish the bag. Raises one of `WRITE_ERRORS`."""
        if self._writer is None:
            self._begin()
        self._finish()
        self._release()

    def abandon(self) -> Recovery:
        """Close the unfinished file after an error and keep its intact part. Raises what `recover` does."""
        with suppress(Exception):
            self._wait_for_sync()
        if self._writer is not None:
            with suppress(Exception):
                self._writer.abort()
        self._release()
        return recover(self.folder)

    def _is_full(self, more: int) -> bool:
        if self._writer is None:
            return False
        too_large = self._split_bytes and self._size + more > self._split_bytes
        too_long = self._split_seconds and time.monotonic() - self._begun > self._split_seconds
        return bool(too_large or too_long)

    def _begin(self) -> None:
        from rosbags.rosbag2 import StoragePlugin, Writer

        path = self.folder / f"{self.folder.name}_{len(self.files)}"
        writer = Writer(path, version=METADATA_VERSION, storage_plugin=StoragePlugin[self._storage.upper()])
        writer.open()
        self._writer = writer
        self._connections = {
            topic.name: writer.add_connection(
                topic.name, topic.type, typestore=types(), offered_qos_profiles=_qos(topic)
            )
            for topic in self._topics
        }
        self._size, self._begun = 0, time.monotonic()

    def _finish(self) -> None:
        self.flush()
        self._wait_for_sync()
        self._writer.close()
        self.files.append(_take_up(self._writer.path))
        self._writer = None
        write_metadata(self.folder, self._storage, self.files, self._topics)

    def _release(self) -> None:
        self._syncer.shutdown()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def write_metadata(folder: Path, storage: str, files: Sequence[BagFile], topics: Sequence[Topic]) -> None:
    """Write `metadata.yaml` for these files of a bag."""
    from rosbags.rosbag2.metadata import dump_qos_v8
    from ruamel.yaml import YAML  # as rosbags, which brings it

    filled = [file for file in files if file.counts]
    start = min((file.start for file in filled), default=0)
    end = max((file.end for file in filled), default=0)

    def span(first: int, last: int) -> dict[str, Any]:
        return {"starting_time": {"nanoseconds_since_epoch": first}, "duration": {"nanoseconds": last - first}}

    content = {
        "version": METADATA_VERSION,
        "storage_identifier": storage,
        "relative_file_paths": [file.name for file in files],
        **span(start, end),
        "message_count": sum(sum(file.counts.values()) for file in files),
        "topics_with_message_count": [
            {
                "topic_metadata": {
                    "name": topic.name,
                    "type": topic.type,
                    "serialization_format": "cdr",
                    "offered_qos_profiles": dump_qos_v8(_qos(topic)),
                    "type_description_hash": types().hash_rihs01(topic.type),
                },
                "message_count": sum(file.counts.get(topic.name, 0) for file in files),
            }
            for topic in topics
        ],
        "compression_format": "",
        "compression_mode": "",
        "files": [
            {"path": file.name, **span(file.start, file.end), "message_count": sum(file.counts.values())}
            for file in files
        ],
        "custom_data": {"manifest": MANIFEST},
        "ros_distro": os.environ.get("ROS_DISTRO", "unknown"),
    }
    text = StringIO()
    YAML(typ="safe").dump({"rosbag2_bagfile_information": content}, text)
    replace_text(folder / "metadata.yaml", text.getvalue())


def _qos(topic: Topic) -> list[Any]:
    """What `ros2 bag play` publishes with; none: its default."""
    from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime

    if not topic.latched:
        return []
    no_limit = QosTime(0, 0)
    return [
        Qos(
            QosHistory.KEEP_LAST,
            100,
            QosReliability.RELIABLE,
            QosDurability.TRANSIENT_LOCAL,
            no_limit,
            no_limit,
            QosLiveliness.AUTOMATIC,
            no_limit,
            avoid_ros_namespace_conventions=False,
        )
    ]


@dataclass
class Recovery:
    """What `recover` did: files that were unfinished, and what the bag holds now, by topic.

    `damaged` are files that cannot be read, with the reason: they stay as they are, and are no part of the bag.
    """

    finished: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    damaged: dict[str, str] = field(default_factory=dict)


def recover(folder: Path) -> Recovery:
    """Finish the bag of a killed recording. A complete bag is left as it is; a file without messages is removed.

    It works in place and needs no more room than the index of the unfinished file. The manifest gets the state "recovered" and, as
    "recovered", the number of messages that there are by topic.

    Raises
    ------
    BagError
        The folder holds no bag of `BagWriter`, or it is still being written.
    """
    if not (unfinished_files(folder) or _finished_files(folder) or (folder / MANIFEST).is_file()):
        cut = next(iter(sorted(folder.glob("*.mcap"))), None)
        cure = f". If it was made by `ros2 bag record` and cut short: {mcap_cure(cut)}" if cut else ""
        raise BagError(
            f"{folder}: not a recording of the capture node: it contains neither {MANIFEST} nor {folder.name}_0{cure}"
        )
    try:
        lock = _lock(folder)
    except BlockingIOError as error:
        raise BagError(f"{folder}: the recording is still in progress") from error
    try:
        interrupted = is_unfinished(folder)
        result, files = Recovery(), []
        for path in (*_finished_files(folder), *unfinished_files(folder)):
            try:
                file = _describe(path) if path.parent == folder else _finish(path)
            except sqlite3.OperationalError:  # the disk's fault, not the file's
                raise
            except DAMAGED as error:
                result.damaged[path.name] = str(error) or type(error).__name__
                continue
            if file is not None:
                files.append(file)
                result.finished += [path.name] if path.parent != folder else []
        for file in files:
            for topic, count in file.counts.items():
                result.counts[topic] = result.counts.get(topic, 0) + count
        if interrupted or _listed(folder) != [file.name for file in files]:
            _remove_leftovers(folder)
            if files:
                storage = next(name for name, suffix in STORAGE_SUFFIXES.items() if files[-1].name.endswith(suffix))
                write_metadata(folder, storage, files, _topics(folder / files[-1].name))
            if (folder / MANIFEST).is_file():
                replace_text(folder / MANIFEST, json.dumps(_recovered(folder, result), indent=1) + "\n")
    finally:
        os.close(lock)
    return result


def _finish(path: Path) -> BagFile | None:
    """Finish a file and move it into the bag; if it holds no message, remove it and return None."""
    if (finish_mcap(path) if path.suffix == STORAGE_SUFFIXES["mcap"] else _roll_back(path)) == 0:
        shutil.rmtree(path.parent)
        return None
    return _take_up(path.parent)


def _recovered(folder: Path, result: Recovery) -> dict[str, Any]:
    """The manifest of a bag that was finished now; what it says of pairs is as of its last renewal, but for those that are there."""
    try:
        content = read_manifest(folder)
    except ValueError:  # cut by a power failure
        content = {}
    content |= {"state": RECOVERED, "ended_by": KILLED, "recovered": result.counts}
    if result.damaged:
        content["damaged"] = result.damaged
    if "pairs" in content:
        names = [content["topics"][role]["name"] for role in content["recorded"] if role != TF_STATIC]
        content["pairs"]["written"] = min((result.counts.get(name, 0) for name in names), default=0)
    return content


def _remove_leftovers(folder: Path) -> None:
    """What a kill between two steps leaves: temporary files, and folders of the writer whose file has been moved up or never was."""
    for path in folder.glob("*.tmp"):
        path.unlink()
    for path in folder.glob(f"{folder.name}_*"):
        if path.is_dir() and not any(file.suffix in STORAGE_SUFFIXES.values() for file in path.iterdir()):
            shutil.rmtree(path)


def _listed(folder: Path) -> list[str] | None:
    """The files that the bag's metadata.yaml names; None where there is none that can be read."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        content = YAML(typ="safe").load((folder / "metadata.yaml").read_text(encoding="utf-8"))
        return list(content["rosbag2_bagfile_information"]["relative_file_paths"])
    except (OSError, ValueError, YAMLError, LookupError, TypeError):
        return None


def _finished_files(folder: Path) -> list[Path]:
    """The finished files of a bag, in their order."""
    places = (
        path for path in folder.glob(f"{folder.name}_*") if path.suffix in STORAGE_SUFFIXES.values() and path.is_file()
    )
    return sorted(places, key=file_number)


def _lock(folder: Path) -> int:
    """Mark the bag as being written as long as this process lives."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    except OSError:  # a file system without locks
        pass
    return descriptor


def _take_up(path: Path) -> BagFile:
    """Move the one finished file of a folder of rosbags' writer beside that folder, which goes."""
    source = next(file for file in path.iterdir() if file.suffix in STORAGE_SUFFIXES.values())
    with source.open("rb") as file:
        os.fsync(file.fileno())
    target = path.parent / source.name
    source.rename(target)
    shutil.rmtree(path)
    return _describe(target)


def _describe(path: Path) -> BagFile:
    from rosbags.rosbag2 import Reader, ReaderError

    try:
        with Reader(path) as reader:
            counts = {connection.topic: connection.msgcount for connection in reader.connections if connection.msgcount}
            start, end = (reader.start_time, reader.end_time - 1) if counts else (0, 0)
    except ReaderError as error:
        raise BagError(f"{path}: {error}") from error
    return BagFile(path.name, path.stat().st_size, counts, start, end)


def _topics(path: Path) -> list[Topic]:
    from rosbags.rosbag2 import Reader

    with Reader(path) as reader:
        return [
            Topic(connection.topic, connection.msgtype, bool(getattr(connection.ext, "offered_qos_profiles", ())))
            for connection in reader.connections
        ]


def _roll_back(path: Path) -> int:
    """Let SQLite undo what was not committed; readers that open it as immutable would not. The messages that are left."""
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("SELECT count(*) FROM messages").fetchone()[0])
    except sqlite3.OperationalError:  # killed before the first commit: no such table
        return 0
    finally:
        connection.close()
