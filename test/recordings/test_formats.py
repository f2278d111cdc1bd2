# SPDX-License-Identifier: Apache-2.0
"""Files as people have them: exports of programs, and recordings that are not quite whole."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from input_files import (
    ROS1_TYPES,
    compressed_depth,
    compressed_message,
    image_message,
    png,
    raw_from_celsius,
    write_bag,
    write_deep_video,
    write_radiometric_jpeg,
    write_ros1_bag,
    write_table,
)
from rosbags.rosbag2 import StoragePlugin

from thermal_fld_ros.capture.bag import BagError, recover
from thermal_fld_ros.recordings.names import natural_key, time_in
from thermal_fld_ros.recordings.opening import open_source
from thermal_fld_ros.recordings.source import RawImage, Reading, SourceError


def frames(count: int = 4, size: tuple[int, int] = (64, 48), dtype: Any = np.uint16) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (29000 + rng.integers(0, 2000, (count, size[1], size[0]))).astype(dtype)


def pixels(path: Path, **options: Any) -> list[np.ndarray]:
    return [image.decode().pixels for image in open_source(path, Reading(**options))]


# TIFF


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_every_page_of_a_tiff_is_an_image(tmp_path: Path, dtype: Any) -> None:
    expected = (frames(40) - 28900).astype(dtype)
    cv2.imwritemulti(str(tmp_path / "stack.tif"), list(expected))
    source = open_source(tmp_path / "stack.tif")
    assert (source.length, source.kind) == (40, "TIFF of 40 pages")
    np.testing.assert_array_equal(pixels(tmp_path / "stack.tif"), expected)
    assert [image.name for image in source][:2] == ["stack.tif[0]", "stack.tif[1]"]


def test_a_stack_that_only_imagej_reads_is_refused_with_what_to_do(tmp_path: Path) -> None:
    """Above 4 GB ImageJ writes one page and the other images behind it, and tells their number in the description."""
    cv2.imwrite(str(tmp_path / "one.tif"), frames()[0])
    content = (tmp_path / "one.tif").read_bytes()
    (tmp_path / "large.tif").write_bytes(content + b"ImageJ=1.53t\nimages=3000\nframes=3000\n\0")
    with pytest.raises(SourceError, match=r"large.tif: ImageJ wrote 3000 images behind one page.*Image Sequence"):
        open_source(tmp_path / "large.tif")


def test_a_folder_counts_the_pages_of_its_files(tmp_path: Path) -> None:
    cv2.imwritemulti(str(tmp_path / "a.tif"), list(frames(3)))
    cv2.imwrite(str(tmp_path / "b.png"), frames()[0])
    source = open_source(tmp_path)
    assert source.length == len(list(source)) == 4


# Video


def test_a_video_of_16_bit_keeps_them(tmp_path: Path) -> None:
    expected = frames()
    write_deep_video(tmp_path / "clip.mkv", list(expected))
    source = open_source(tmp_path / "clip.mkv")
    assert (source.kind, source.length) == ("video of 16 bit", 4)
    np.testing.assert_array_equal(pixels(tmp_path / "clip.mkv"), expected)


@pytest.mark.parametrize("suffix", [".seq", ".ravi", ".mat"])
def test_what_only_its_maker_reads_is_refused_with_what_to_do(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a{suffix}").write_bytes(b"\0" * 100)
    with pytest.raises(SourceError, match=r"export|save"):
        open_source(tmp_path / f"a{suffix}")


# FLIR


CELSIUS = np.linspace(20.0, 40.0, 48 * 64).reshape(48, 64)


def test_a_radiometric_jpeg_gives_its_temperatures(tmp_path: Path) -> None:
    path = write_radiometric_jpeg(tmp_path / "IR_0001.jpg", raw_from_celsius(CELSIUS))
    source = open_source(path)
    (image,) = source
    assert (source.unit, source.notes) == ("celsius", ())
    assert (image.encoding, image.width, image.height) == ("32FC1", 64, 48)
    np.testing.assert_allclose(image.decode().pixels, CELSIUS, atol=0.1)


def test_the_preview_of_a_radiometric_jpeg_is_an_option(tmp_path: Path) -> None:
    write_radiometric_jpeg(tmp_path / "IR_0001.jpg", raw_from_celsius(CELSIUS))
    source = open_source(tmp_path / "IR_0001.jpg", Reading(preview=True))
    (image,) = source
    assert (image.encoding, image.width, source.unit) == ("bgr8", 128, None)


def test_without_the_library_the_preview_is_read_and_the_library_named(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "flyr", None)  # as where it is not installed
    write_radiometric_jpeg(tmp_path / "IR_0001.jpg", raw_from_celsius(CELSIUS))
    for path in (tmp_path / "IR_0001.jpg", tmp_path):
        source = open_source(path)
        assert [image.encoding for image in source] == ["bgr8"]
        assert "pip install flyr" in source.notes[-1]


@pytest.mark.parametrize("mark", [b"FFF\x00", b"FFX\x00"])
def test_a_radiometric_jpeg_that_announces_endless_records_is_refused_at_once(tmp_path: Path, mark: bytes) -> None:
    path = write_radiometric_jpeg(tmp_path / "IR_0001.jpg", raw_from_celsius(CELSIUS))
    head, found, rest = path.read_bytes().partition(b"FFF\x00")
    path.write_bytes(head + mark + rest[:24] + b"\x40\x00\x00\x00" + rest[28:])
    assert found
    with pytest.raises(SourceError, match="1073741824 records"):
        list(open_source(path).entries())


def test_a_folder_of_radiometric_jpegs_has_their_unit(tmp_path: Path) -> None:
    for number in range(2):
        write_radiometric_jpeg(tmp_path / f"IR_000{number}.jpg", raw_from_celsius(CELSIUS))
    source = open_source(tmp_path)
    assert source.unit == "celsius"
    assert [image.encoding for image in source] == ["32FC1"] * 2


# Tables


@pytest.mark.parametrize("style", ["comma", "semicolon", "researchir"])
@pytest.mark.parametrize("count", [1, 3])
def test_tables_of_temperatures(tmp_path: Path, style: str, count: int) -> None:
    expected = [CELSIUS + k for k in range(count)]
    source = open_source(write_table(tmp_path / "export.csv", expected, style))
    assert (source.length, source.unit) == (count, "celsius")
    np.testing.assert_allclose([image.decode().pixels for image in source], expected, atol=1e-3)
    assert bool(source.notes) == (style == "comma" and count == 1), "where no heading names the unit that is said"


def test_a_table_in_fahrenheit_is_converted(tmp_path: Path) -> None:
    path = write_table(tmp_path / "export.csv", [CELSIUS * 1.8 + 32.0])
    path.write_text("Image,°F\n" + path.read_text())
    source = open_source(path)
    assert source.unit == "celsius" and "Fahrenheit" in source.notes[0]
    np.testing.assert_allclose(next(iter(source)).decode().pixels, CELSIUS, atol=1e-3)


def test_a_table_of_labels_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("image,x,y\n" + "a.png,1,2\n" * 20)
    with pytest.raises(SourceError, match="no image in this table"):
        open_source(tmp_path / "labels.csv")


def test_a_folder_of_tables(tmp_path: Path) -> None:
    for number in (1, 10, 2):
        write_table(tmp_path / f"frame_{number}.csv", [CELSIUS + number])
    source = open_source(tmp_path)
    assert [image.name for image in source] == ["frame_1.csv", "frame_2.csv", "frame_10.csv"]
    assert source.unit == "celsius"


# Axes


def test_the_layout_of_matlab_is_recognised_and_said(tmp_path: Path) -> None:
    expected = frames(20, (160, 120))
    np.save(tmp_path / "clip.npy", expected.transpose(1, 2, 0))
    source = open_source(tmp_path / "clip.npy")
    assert source.length == 20
    assert "read as (H, W, T), 20 images of 160 x 120" in source.notes[0]
    np.testing.assert_array_equal(pixels(tmp_path / "clip.npy"), expected)


@pytest.mark.parametrize("shape", [(160, 120, 160), (30, 2, 30)])
def test_axes_that_may_be_either_are_asked_for(tmp_path: Path, shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).integers(0, 9, shape).astype(np.uint16)
    np.save(tmp_path / "clip.npy", array)
    with pytest.raises(SourceError, match="--axes THW or --axes HWT"):
        open_source(tmp_path / "clip.npy")
    np.testing.assert_array_equal(pixels(tmp_path / "clip.npy", axes="hwt"), array.transpose(2, 0, 1))


def test_axes_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "clip.npy", frames())
    for axes in ("HW", "THX", "TTH", "THWC"):
        with pytest.raises(SourceError, match=f'the axes "{axes}" do not fit'):
            open_source(tmp_path / "clip.npy", Reading(axes=axes))


def test_stamps_tell_which_axis_is_time(tmp_path: Path) -> None:
    np.savez(tmp_path / "clip.npz", frames=np.zeros((160, 120, 160), np.uint16), stamps=np.arange(160.0))
    assert open_source(tmp_path / "clip.npz").length == 160


# Folders


def test_a_folder_goes_on_behind_a_damaged_file_and_leaves_out_what_systems_write(tmp_path: Path) -> None:
    for name, frame in zip("abc", frames(3), strict=True):
        cv2.imwrite(str(tmp_path / f"{name}.png"), frame)
    (tmp_path / "b.png").write_bytes((tmp_path / "b.png").read_bytes()[:500])
    (tmp_path / "._a.png").write_bytes(b"Mac OS X")
    (tmp_path / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
    source = open_source(tmp_path)
    entries = list(source.entries())
    assert [type(entry) for entry in entries] == [RawImage, SourceError, RawImage]
    assert "b.png: not an image that OpenCV can read" in str(entries[1])
    assert source.notes == ("1 hidden files (._*, of macOS) are left out",)
    with pytest.raises(SourceError, match=r"b\.png"):
        list(source)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp"])
def test_a_file_that_was_cut_is_no_image(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    cv2.imwrite(str(path), (frames()[0] >> 7).astype(np.uint8))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(SourceError, match=f"a{suffix}"):
        list(open_source(path))


def test_a_folder_without_images_names_the_folders_below_that_have_some(tmp_path: Path) -> None:
    (tmp_path / "session").mkdir()
    cv2.imwrite(str(tmp_path / "session/a.png"), frames()[0])
    with pytest.raises(SourceError, match=r"no images in this folder, but there are some in session \(1\)"):
        open_source(tmp_path)


def test_times_in_names_are_stamps(tmp_path: Path) -> None:
    for k, frame in enumerate(frames(3)):
        cv2.imwrite(str(tmp_path / f"frame_{1700000000000 + 111 * k}.png"), frame)
    source = open_source(tmp_path)
    assert [image.stamp for image in source] == pytest.approx([1.7e9, 1.7e9 + 0.111, 1.7e9 + 0.222])
    assert "the stamps are taken from the names" in source.notes


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("frame_1700000000", 1.7e9),
        ("frame_1700000000250_thermal", 1.7e9 + 0.25),
        ("1700000000250000", 1.7e9 + 0.25),
        ("cam0/1700000000250000000", 1.7e9 + 0.25),
        ("1700000000.250000", 1.7e9 + 0.25),
        ("1700000000_250000000", 1.7e9 + 0.25),
        ("20231114_221320_250", 1.7e9 + 0.25),
        ("2023-11-14T22-13-20.250", 1.7e9 + 0.25),
        ("IR_20231114_221320", 1.7e9),
        ("frame_000123", None),
        ("s01_e02_0000000123", None),
        ("20231399_221320", None),
    ],
)
def test_times_in_names(name: str, expected: float | None) -> None:
    found = time_in(name)
    assert found is None if expected is None else found == pytest.approx(expected, abs=1e-6)


def test_natural_order() -> None:
    assert sorted(["a10", "a9", "b1"], key=natural_key) == ["a9", "a10", "b1"]


# Bags


def messages(count: int = 3, **options: Any) -> list[Any]:
    return [image_message(frame, 10.0 + k, **options) for k, frame in enumerate(frames(count))]


def test_a_bag_of_ros_1(tmp_path: Path) -> None:
    path = write_ros1_bag(tmp_path / "a.bag", {"/thermal/image": messages(types=ROS1_TYPES)})
    source = open_source(path)
    assert (source.kind, source.length) == ("bag of ROS 1, topic /thermal/image", 3)
    assert [image.stamp for image in source] == pytest.approx([10.0, 11.0, 12.0])
    np.testing.assert_array_equal(pixels(path), frames(3))


@pytest.mark.parametrize("storage", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
@pytest.mark.parametrize("state", ["missing", "without a storage"])
def test_a_folder_whose_metadata_is_no_use_is_read_by_its_files(
    tmp_path: Path, storage: StoragePlugin, state: str
) -> None:
    bag = write_bag(tmp_path / "bag", {"/thermal/image": messages()}, storage)
    metadata = bag / "metadata.yaml"
    if state == "missing":
        metadata.unlink()
    else:  # what `ros2 bag reindex` has written where it was not told the storage
        text = metadata.read_text().splitlines()
        metadata.write_text("\n".join("  storage_identifier: ''" if "storage_id" in line else line for line in text))
    source = open_source(bag)
    np.testing.assert_array_equal(pixels(bag), frames(3))
    assert "metadata.yaml" in source.notes[0] and "ros2 bag reindex" in source.notes[0]


def test_the_files_of_a_split_bag_follow_each_other(tmp_path: Path) -> None:
    """As after a killed recording whose metadata.yaml was never written."""
    whole = messages(4)
    (tmp_path / "bag").mkdir()
    for number in range(2):
        part = write_bag(
            tmp_path / f"part{number}", {"/thermal/image": whole[2 * number : 2 * number + 2]}, start=2 * number
        )
        next(part.glob("*.mcap")).rename(tmp_path / f"bag/bag_{number}.mcap")
    source = open_source(tmp_path / "bag")
    assert source.length == 4
    assert [image.stamp for image in source] == pytest.approx([10.0, 11.0, 12.0, 13.0])


def test_images_beside_a_bag_are_images(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "bag", {"/thermal/image": messages()})
    (bag / "metadata.yaml").unlink()
    cv2.imwrite(str(bag / "a.png"), frames()[0])
    assert open_source(bag).kind == "folder of 1 .png"


def test_an_mcap_without_a_profile_is_read(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "bag", {"/thermal/image": messages()})
    (file,) = bag.glob("*.mcap")
    content = file.read_bytes()
    assert content[17:25] == b"\x04\0\0\0ros2"
    library_length = int.from_bytes(content[25:29], "little")
    bare = b"\0\0\0\0" + (library_length + 4).to_bytes(4, "little") + b"ros2" + content[29 : 29 + library_length]
    file.write_bytes(content[:17] + bare + content[29 + library_length :])
    assert file.stat().st_size == len(content)
    np.testing.assert_array_equal(pixels(bag), frames(3))
    assert open_source(bag).notes == ("the MCAP file names no profile and is read as a bag of ROS 2",)


@pytest.mark.parametrize(
    ("is_of_the_capture_node", "cure"), [(True, "python -m thermal_fld_ros recover"), (False, "mcap recover")]
)
def test_a_recording_that_was_cut_names_the_cure(tmp_path: Path, is_of_the_capture_node: bool, cure: str) -> None:
    bag = write_bag(tmp_path / "bag", {"/thermal/image": messages()})
    (file,) = bag.glob("*.mcap")
    file.write_bytes(file.read_bytes()[:-100])
    (bag / "metadata.yaml").unlink()
    if is_of_the_capture_node:
        (bag / "manifest.json").write_text('{"state": "recording"}')
    with pytest.raises(SourceError, match=f"invalid. Its recording was cut short.*{cure} {bag}"):
        open_source(bag)
    if not is_of_the_capture_node:
        with pytest.raises(BagError, match=f"not a recording of the capture node.*mcap recover {file} -o"):
            recover(bag)


def test_a_compressed_image_that_is_damaged_does_not_end_the_bag(tmp_path: Path) -> None:
    (first, second) = (png(frame) for frame in frames(2))
    topics = {"/image/compressed": [compressed_message(data, "png") for data in (first, first[:-200], second)]}
    entries = list(open_source(write_bag(tmp_path / "bag", topics)).entries())
    assert [type(entry) for entry in entries] == [RawImage, SourceError, RawImage]


def test_depth_transport_in_a_bag(tmp_path: Path) -> None:
    data = compressed_depth(png(frames()[0]))
    bag = write_bag(tmp_path / "bag", {"/image/compressedDepth": [compressed_message(data, "16UC1; compressedDepth")]})
    np.testing.assert_array_equal(pixels(bag)[0], frames()[0])
