# SPDX-License-Identifier: Apache-2.0
"""Inputs of `predict` and of all that reads files: what cannot be read is named and costs nothing else."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from thermal_fld_ros.__main__ import main
from thermal_fld_ros.recordings.opening import open_source
from thermal_fld_ros.recordings.source import SourceError

SCENE = np.random.default_rng(0).integers(29_000, 31_000, (120, 160)).astype(np.uint16)


def png_that_claims(width: int, height: int) -> bytes:
    """A small PNG of 16 bit whose header says so."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


def test_what_is_bad_in_a_folder_is_named_and_the_rest_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (0, 1, 7):
        cv2.imwrite(str(tmp_path / f"a{number}.png"), SCENE + number)
    (tmp_path / "a2.png").write_bytes(png_that_claims(60_000, 60_000))
    np.savez(tmp_path / "archive.npz", frames=SCENE)
    (tmp_path / "archive.npz").rename(tmp_path / "a3.npy")
    (tmp_path / "a4.png").mkdir()
    (tmp_path / "a5.png").write_bytes(b"")
    os.mkfifo(tmp_path / "a6.png")
    cv2.imwrite(str(tmp_path / "a²8.png"), SCENE)  # a digit to Python, and no number
    entries = list(open_source(tmp_path).entries())
    named = [str(entry) for entry in entries if isinstance(entry, SourceError)]
    assert [name for name in ("a2.png", "a5.png") if any(name in error for error in named)] == ["a2.png", "a5.png"]
    good = [entry for entry in entries if not isinstance(entry, SourceError)]
    assert {"a0.png", "a1.png", "a7.png", "a²8.png"} <= {entry.name for entry in good}
    assert main(["predict", str(tmp_path)]) == 0
    told = capsys.readouterr().err
    assert "a2.png" in told and "a5.png" in told and f"{len(named)} could not be decoded" in told


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ({"fps": np.array([1.0, 2.0])}, "fps is array"),
        ({"fps": np.array(np.nan)}, "fps is array"),
        ({"fps": np.array(-5)}, "fps is array"),
        ({"fps": np.array("x")}, "fps is array"),
        ({"stamps": np.array([{"a": 1}], dtype=object)}, "Object arrays cannot be loaded"),
        ({"stamps": np.array(["a"])}, "stamps are of type <U1, expected finite numbers"),
        ({"stamps": np.array([np.inf])}, "stamps are of type float64, expected finite numbers"),
        ({"stamps": np.zeros((1, 1))}, r"stamps have shape \(1, 1\)"),
        ({"unit": np.array([1, 2])}, 'unit ".*" is unknown'),
        ({"frames": np.array([{"a": 1}], dtype=object)}, "Object arrays cannot be loaded"),
    ],
)
def test_what_is_wrong_in_an_archive_is_named(
    tmp_path: Path, arrays: dict[str, Any], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "clip.npz"
    np.savez(file, **{"frames": SCENE[None], **arrays})
    with pytest.raises(SourceError, match=text) as error:
        open_source(file)
    assert str(file) in str(error.value)
    assert main(["predict", str(file)]) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("name", ["x.png", "x.npy", "x.npz", "x.mp4", "x.db3", "x.mcap", "x.csv", "x.tiff", "x"])
def test_a_pipe_is_refused_and_nothing_is_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(SourceError, match=f"{name}: not a regular file"):
        open_source(tmp_path / name)
