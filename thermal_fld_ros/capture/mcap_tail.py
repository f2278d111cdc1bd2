# SPDX-License-Identifier: Apache-2.0
"""Finishing an MCAP file whose writer was killed, in place (https://mcap.dev/spec).

Only chunked, uncompressed files, as rosbags writes them. A file that is whole gets the same end again.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

MAGIC = b"\x89MCAP0\r\n"
FOOTER, SCHEMA, CHANNEL, MESSAGE, CHUNK, MESSAGE_INDEX = 0x02, 0x03, 0x04, 0x05, 0x06, 0x07
CHUNK_INDEX, STATISTICS, DATA_END = 0x08, 0x0B, 0x0F
RECORD = struct.Struct("<BQ")
CHUNK_HEAD = struct.Struct("<QQQIIQ")
"""First and last time, size, checksum, length of the (empty) name of the compression, size once more."""


@dataclass
class Chunk:
    """A chunk and what its summary needs: place, end of the record, (time, offset) of the messages by channel, and their index."""

    start: int
    end: int
    first: int
    last: int
    size: int
    messages: dict[int, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    index_offsets: dict[int, int] = field(default_factory=dict)
    index_end: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether all of its message index is there, which is written after it."""
        return bool(self.messages) and self.index_offsets.keys() == self.messages.keys()


def finish_mcap(path: Path) -> int:
    """Cut off what is not whole and append index and footer.

    Returns
    -------
    int
        Messages in the file. A file of none stays as it is.

    Raises
    ------
    ValueError
        It is a compressed file.
    """
    with path.open("r+b", buffering=0) as file:
        definitions: dict[tuple[int, int], bytes] = {}
        chunks: list[Chunk] = []
        for opcode, content, length in _records(file, len(MAGIC), file.seek(0, 2)):
            if opcode == CHUNK and (not chunks or chunks[-1].is_whole):
                chunks.append(_read_chunk(file, content, length, definitions))
            elif opcode == MESSAGE_INDEX and chunks and not chunks[-1].is_whole:
                file.seek(content)
                (channel,) = struct.unpack("<H", file.read(2))
                chunks[-1].index_offsets[channel] = content - RECORD.size
                chunks[-1].index_end = content + length
            elif chunks:
                break
        if chunks and not chunks[-1].is_whole:
            chunks.pop()
        while chunks:
            try:
                _write_end(file, definitions, chunks)
                break
            except OSError:  # the disk is full: the last chunk makes room
                if len(chunks) == 1:
                    raise
                chunks.pop()
    return sum(len(entries) for chunk in chunks for entries in chunk.messages.values())


def _write_end(file: FileIO, definitions: dict[tuple[int, int], bytes], chunks: list[Chunk]) -> None:
    """Write what comes after these chunks in place of what is there."""
    end = chunks[-1].index_end
    file.truncate(end)
    file.seek(end)
    rest = memoryview(_summary(end, definitions, chunks))
    while rest:
        rest = rest[file.write(rest) :]


def _records(file: FileIO, begin: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Opcode, place and length of the content of each whole record between two places."""
    while begin + RECORD.size <= end:
        file.seek(begin)
        opcode, length = RECORD.unpack(file.read(RECORD.size))
        content = begin + RECORD.size
        if opcode == 0 or content + length > end:  # zeros: room that a lost disk write was to fill
            return
        yield opcode, content, length
        begin = content + length


def _read_chunk(file: FileIO, content: int, length: int, definitions: dict[tuple[int, int], bytes]) -> Chunk:
    file.seek(content)
    first, last, size, _, name_length, packed = CHUNK_HEAD.unpack(file.read(CHUNK_HEAD.size))
    if name_length:
        raise ValueError("compressed chunks are not supported")
    chunk = Chunk(content - RECORD.size, content + length, first, last, size)
    begin = content + CHUNK_HEAD.size
    for opcode, place, record_length in _records(file, begin, begin + packed):
        file.seek(place)
        if opcode == MESSAGE:
            channel, _, time = struct.unpack("<HIQ", file.read(14))
            chunk.messages[channel].append((time, place - RECORD.size - begin))
        elif opcode in (SCHEMA, CHANNEL):
            record = file.read(record_length)
            definitions.setdefault((opcode, struct.unpack_from("<H", record)[0]), _record(opcode, record))
    return chunk


def _record(opcode: int, content: bytes) -> bytes:
    return RECORD.pack(opcode, len(content)) + content


def _summary(end: int, definitions: dict[tuple[int, int], bytes], chunks: list[Chunk]) -> bytes:
    """Everything after the data, which ends at this place."""
    data_end = _record(DATA_END, struct.pack("<I", 0))
    counts: dict[int, int] = {channel: 0 for opcode, channel in definitions if opcode == CHANNEL}
    indexes = b""
    for chunk in chunks:
        for channel, entries in chunk.messages.items():
            counts[channel] += len(entries)
        offsets = b"".join(struct.pack("<HQ", *item) for item in chunk.index_offsets.items())
        indexes += _record(
            CHUNK_INDEX,
            struct.pack("<QQQQI", chunk.first, chunk.last, chunk.start, chunk.end - chunk.start, len(offsets))
            + offsets
            + struct.pack("<QIQQ", chunk.index_end - chunk.end, 0, chunk.size, chunk.size),
        )
    statistics = struct.pack(
        "<QHIIIIQQI",
        sum(counts.values()),
        sum(opcode == SCHEMA for opcode, _ in definitions),
        len(counts),
        0,
        0,
        len(chunks),
        min(chunk.first for chunk in chunks),
        max(chunk.last for chunk in chunks),
        10 * len(counts),
    ) + b"".join(struct.pack("<HQ", *item) for item in counts.items())
    known = b"".join(definitions[key] for key in sorted(definitions))  # schemas before channels
    footer = _record(FOOTER, struct.pack("<QQI", end + len(data_end), 0, 0))
    return data_end + known + indexes + _record(STATISTICS, statistics) + footer + MAGIC
