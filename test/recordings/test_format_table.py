# SPDX-License-Identifier: Apache-2.0
"""The table of formats in docs/input.md says what the readers read."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from input_files import ROS1_TYPES, image_message, write_bag, write_ros1_bag, write_table
from rosbags.rosbag2 import StoragePlugin

from thermal_fld_ros.recordings.opening import FORMATS, format_table, open_source
from thermal_fld_ros.recordings.source import SourceError
from thermal_fld_ros.recordings.video import EXPORTS

DOCUMENT = Path(__file__).parents[2] / "docs/input.md"
IMAGE = np.random.default_rng(0).integers(0, 255, (48, 64)).astype(np.uint8)


def test_the_table_in_the_document_is_that_of_the_code() -> None:
    assert format_table() in DOCUMENT.read_text(), (
        "python -m thermal_fld_ros.recordings.opening prints the table for docs/input.md"
    )


def test_no_file_is_of_two_formats() -> None:
    suffixes = [suffix for one in FORMATS for suffix in one.suffixes]
    assert len(set(suffixes)) == len(suffixes)
    assert not set(suffixes) & set(EXPORTS), "what is read needs no export"


@pytest.mark.parametrize(("name", "suffix"), [(one.name, suffix) for one in FORMATS for suffix in one.suffixes])
def test_every_file_in_the_table_is_read(tmp_path: Path, name: str, suffix: str) -> None:
    source = open_source(written(tmp_path, name, suffix))
    images = list(source)
    assert len(images) == source.length == 1
    assert (images[0].width, images[0].height) == (64, 48)


@pytest.mark.parametrize(("name", "suffix"), [(one.name, suffix) for one in FORMATS for suffix in one.suffixes])
@pytest.mark.parametrize("share", [0.02, 0.6, 0.99])
def test_a_file_that_was_cut_is_named_and_nothing_else_is_raised(
    tmp_path: Path, name: str, suffix: str, share: float
) -> None:
    path = written(tmp_path, name, suffix)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    try:
        images = list(open_source(path))
    except SourceError as error:
        assert path.name in str(error)
    else:  # of texts and videos the beginning may be whole
        assert name in ("table", "video") and len(images) <= 1


@pytest.mark.parametrize("suffix", [suffix for one in FORMATS for suffix in one.suffixes])
@pytest.mark.parametrize(
    "content", [b"", b"rubbish", b"\xff\xd8\xff\xe1\x00\x20FLIR\x00\x01\x00\x00", bytes(range(256)) * 40]
)
def test_what_is_no_such_file_is_named(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=f"a{suffix}"):
        list(open_source(path))


def written(folder: Path, name: str, suffix: str) -> Path:
    """A file of one image."""
    path = folder / f"a{suffix}"
    if name == "table":
        write_table(path, [IMAGE.astype(float)])
        if suffix == ".tsv":
            path.write_text(path.read_text().replace(",", "\t"))
    elif name == "video":  # whose kind the content tells
        video = cv2.VideoWriter(str(folder / "a.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 48))
        video.write(np.repeat(IMAGE[..., None], 3, axis=2))
        video.release()
        if suffix != ".avi":
            shutil.move(folder / "a.avi", path)
    elif suffix == ".bag":
        write_ros1_bag(path, {"/image": [image_message(IMAGE.astype(np.uint16), 1.0, types=ROS1_TYPES)]})
    elif name == "bag":
        storage = StoragePlugin.MCAP if suffix == ".mcap" else StoragePlugin.SQLITE3
        bag = write_bag(folder / "bag", {"/image": [image_message(IMAGE.astype(np.uint16), 1.0)]}, storage)
        shutil.move(next(bag.glob(f"*{suffix}")), path)
    elif suffix == ".npy":
        np.save(path, IMAGE)
    elif suffix == ".npz":
        np.savez(path, frames=IMAGE[None])
    else:
        cv2.imwrite(str(path), IMAGE if suffix != ".ppm" else np.repeat(IMAGE[..., None], 3, axis=2))
    return path
