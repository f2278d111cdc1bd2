# SPDX-License-Identifier: Apache-2.0
"""Reading files that somebody else has named, and writing files that are whole at any time."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

LARGEST = 2_000_000_000
"""Bytes; an ONNX file cannot be larger either."""


def read_bytes(path: str | Path, largest: int = LARGEST) -> bytes:
    """The content of a regular file.

    Anything else that opens like a file may never end or never answer: a pipe, a device, a socket.

    Raises
    ------
    OSError
        It cannot be read, is no regular file, or has more than `largest` bytes.
    """
    # Without O_NONBLOCK opening a pipe waits for its other end.
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        if about.st_size > largest:
            raise OSError(errno.EFBIG, f"it has {about.st_size} bytes, expected at most {largest}", str(path))
        return file.read()


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write a file so that it is at any time the old one or the new one, whole, whatever fails on the way.

    Raises
    ------
    OSError
        It cannot be written; it is as it was.
    """
    temporary = path.with_name(path.name + ".tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def replace_text(path: Path, text: str) -> None:
    """Write a file so that it is at any time the old one or the new one."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def parse_json(text: str | bytes) -> Any:
    """What a JSON text holds; raises ValueError whatever is wrong with it, endless nesting and broken UTF-8 included."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
