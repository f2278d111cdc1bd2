# SPDX-License-Identifier: Apache-2.0
import array
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from thermal_fld_ros.recordings.opening import open_source
from thermal_fld_ros.recordings.source import RawImage, Reading, SourceError

TYPES = get_typestore(Stores.ROS2_JAZZY)
STAMPS = [10.0, 10.1, 10.25]


def frames(count: int = 3, dtype: type = np.uint16, size: tuple[int, int] = (16, 12)) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 250, (count, size[1], size[0])).astype(dtype)


def pixels(images: list[RawImage]) -> list[np.ndarray]:
    return [image.decode().pixels for image in images]


def write_bag(path: Path, topics: dict[str, list[Any]], storage: StoragePlugin = StoragePlugin.MCAP) -> Path:
    with Writer(path, version=9, storage_plugin=storage) as writer:
        for topic, messages in topics.items():
            kind = messages[0].__msgtype__
            connection = writer.add_connection(topic, kind, typestore=TYPES)
            for index, message in enumerate(messages):
                writer.write(connection, 1_000_000_000 * (100 + index), TYPES.serialize_cdr(message, kind))
    return path


def header(stamp: float) -> Any:
    time = TYPES.types["builtin_interfaces/msg/Time"](sec=int(stamp), nanosec=round(stamp % 1 * 1e9))
    return TYPES.types["std_msgs/msg/Header"](stamp=time, frame_id="thermal")


def image_message(frame: np.ndarray, stamp: float, big: bool = False) -> Any:
    order = ">" if big else "<"
    return TYPES.types["sensor_msgs/msg/Image"](
        header=header(stamp),
        height=frame.shape[0],
        width=frame.shape[1],
        encoding="mono16",
        is_bigendian=big,
        step=2 * frame.shape[1],
        data=np.frombuffer(frame.astype(frame.dtype.newbyteorder(order)).tobytes(), np.uint8),
    )


# Images and folders


@pytest.mark.parametrize(
    ("suffix", "dtype", "encoding"),
    [
        (".png", np.uint8, "mono8"),
        (".png", np.uint16, "mono16"),
        (".tiff", np.float32, "32FC1"),
        (".npy", np.uint16, "mono16"),
    ],
)
def test_one_image(tmp_path: Path, suffix: str, dtype: type, encoding: str) -> None:
    (frame,) = frames(1, dtype)
    path = tmp_path / f"face{suffix}"
    if suffix == ".npy":
        np.save(path, frame)
    else:
        cv2.imwrite(str(path), frame)
    source = open_source(path)
    (image,) = source
    assert source.length == 1
    assert (image.encoding, image.width, image.height, image.stamp, image.name) == (encoding, 16, 12, None, path.name)
    np.testing.assert_array_equal(image.decode().pixels, frame)


def test_a_colour_image_is_bgr(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "palette.png"), np.full((4, 5, 3), (255, 0, 0), np.uint8))
    (image,) = open_source(tmp_path / "palette.png")
    assert image.encoding == "bgr8"
    assert (image.decode().pixels == 29).all()  # the luma of blue


def test_a_folder_is_read_in_natural_order_and_only_its_images(tmp_path: Path) -> None:
    for number in (10, 9, 1):
        cv2.imwrite(str(tmp_path / f"frame_{number}.png"), np.full((3, 4), number, np.uint8))
    (tmp_path / "labels.json").write_text("{}")
    source = open_source(tmp_path)
    assert source.length == 3
    for _ in range(2):  # a source can be read again
        assert [image.name for image in source] == ["frame_1.png", "frame_9.png", "frame_10.png"]
    assert [frame[0, 0] for frame in pixels(list(source))] == [1, 9, 10]


# Arrays


def test_an_archive_with_stamps(tmp_path: Path) -> None:
    expected = frames()
    np.savez_compressed(tmp_path / "clip.npz", frames=expected, stamps=STAMPS, other=np.zeros(3))
    source = open_source(tmp_path / "clip.npz")
    images = list(source)
    assert source.length == 3
    assert [image.stamp for image in images] == STAMPS
    assert [image.name for image in images] == ["clip.npz[0]", "clip.npz[1]", "clip.npz[2]"]
    np.testing.assert_array_equal(pixels(images), expected)


def test_an_archive_with_a_rate(tmp_path: Path) -> None:
    np.savez(tmp_path / "clip.npz", frames=frames(), fps=10.0, unit="centikelvin")
    source = open_source(tmp_path / "clip.npz")
    assert (source.fps, source.unit) == (10.0, "centikelvin")
    assert [image.stamp for image in source] == pytest.approx([0.0, 0.1, 0.2])


@pytest.mark.parametrize(
    ("shape", "dtype", "count", "encoding"),
    [
        ((12, 16), np.uint16, 1, "mono16"),
        ((5, 12, 16), np.uint16, 5, "mono16"),
        ((12, 16, 3), np.uint8, 1, "bgr8"),
        ((5, 12, 16, 3), np.uint8, 5, "bgr8"),
        ((5, 12, 9), np.uint16, 5, "mono16"),
        ((5, 12, 16), np.int64, 5, "mono16"),
        ((5, 12, 16), ">u2", 5, "mono16"),
        ((5, 12, 16), np.float64, 5, "32FC1"),
    ],
)
def test_arrays(tmp_path: Path, shape: Any, dtype: Any, count: int, encoding: str) -> None:
    expected = np.random.default_rng(0).integers(0, 250, shape).astype(dtype)
    np.save(tmp_path / "clip.npy", expected)
    images = list(open_source(tmp_path / "clip.npy"))
    assert len(images) == count
    assert {image.encoding for image in images} == {encoding}
    if encoding != "bgr8":
        np.testing.assert_array_equal(np.reshape(pixels(images), shape), expected)


# Video


def test_a_video(tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 48))
    for value in (50, 100, 150):
        writer.write(np.full((48, 64, 3), value, np.uint8))
    writer.release()
    source = open_source(path)
    images = list(source)
    assert (source.length, source.fps) == (3, 10.0)
    assert [image.stamp for image in images] == pytest.approx([0.0, 0.1, 0.2])
    assert [round(float(frame.mean()), -1) for frame in pixels(images)] == [50, 100, 150]


# Bags


@pytest.mark.parametrize("storage", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
@pytest.mark.parametrize("big", [False, True])
def test_a_bag(tmp_path: Path, storage: StoragePlugin, big: bool) -> None:
    expected = frames()
    messages = [image_message(frame, stamp, big) for frame, stamp in zip(expected, STAMPS, strict=True)]
    bag = write_bag(tmp_path / "bag", {"/thermal/image": messages}, storage)
    file = next(file for file in bag.iterdir() if file.suffix in (".mcap", ".db3"))
    for path in (bag, file):
        source = open_source(path)
        images = list(source)
        assert (source.length, source.fps) == (3, pytest.approx(1.0))
        assert [image.stamp for image in images] == pytest.approx(STAMPS)
        np.testing.assert_array_equal(pixels(images), expected)


def test_a_bag_without_stamps_has_those_of_its_recording(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "bag", {"/image": [image_message(frame, 0.0) for frame in frames()]})
    assert [image.stamp for image in open_source(bag)] == pytest.approx([100.0, 101.0, 102.0])


def test_a_bag_with_compressed_images(tmp_path: Path) -> None:
    (frame,) = frames(1)
    data = np.asarray(cv2.imencode(".png", frame)[1]).reshape(-1)
    message = TYPES.types["sensor_msgs/msg/CompressedImage"](
        header=header(5.0), format="16UC1; png compressed", data=data
    )
    (image,) = open_source(write_bag(tmp_path / "bag", {"/image/compressed": [message]}))
    np.testing.assert_array_equal(image.decode().pixels, frame)


def test_a_bag_with_several_image_topics_needs_a_choice(tmp_path: Path) -> None:
    (frame,) = frames(1)
    bag = write_bag(tmp_path / "bag", {"/a": [image_message(frame, 1.0)], "/b": [image_message(frame, 2.0)]})
    with pytest.raises(SourceError, match="images on /a, /b: choose one topic"):
        open_source(bag)
    assert [image.stamp for image in open_source(bag, Reading(topic="/b"))] == [2.0]
    with pytest.raises(SourceError, match="there are no images on /c, but on: /a, /b"):
        open_source(bag, Reading(topic="/c"))


def test_a_bag_without_images_is_refused(tmp_path: Path) -> None:
    text = TYPES.types["std_msgs/msg/String"](data="hello")
    with pytest.raises(SourceError, match="no images in this bag"):
        open_source(write_bag(tmp_path / "bag", {"/text": [text]}))


# What cannot be read


def broken(tmp_path: Path, name: str, content: bytes = b"rubbish") -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.npy", "a.npz", "a.mp4", "a.mcap", "a.db3", "a.txt"])
@pytest.mark.parametrize("content", [b"", b"rubbish", b"PK\x03\x04 rubbish"])
def test_rubbish_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    path = broken(tmp_path, name, content)
    with pytest.raises(SourceError, match=name):
        list(open_source(path))


def test_absent_and_empty_inputs_are_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        open_source(tmp_path / "absent.npz")
    with pytest.raises(SourceError, match="no images in this folder"):
        open_source(tmp_path)


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ({}, "found nothing"),
        ({"a": frames(), "b": frames()}, 'expected an array named "frames", found a, b'),
        ({"frames": np.zeros((0, 4, 4))}, "holds no images"),
        ({"frames": np.zeros(7)}, "holds no images"),
        ({"frames": frames(), "stamps": [1.0]}, r"expected \(3,\)"),
        ({"frames": np.array([[None]])}, "cannot be read"),
        ({"frames": frames(), "unit": "furlong"}, 'unit "furlong" is unknown'),
    ],
)
def test_archives_without_images_are_named(tmp_path: Path, arrays: dict[str, Any], text: str) -> None:
    np.savez(tmp_path / "clip.npz", **arrays)
    with pytest.raises(SourceError, match=text):
        list(open_source(tmp_path / "clip.npz"))


def test_an_image_can_be_published_as_it_is() -> None:
    """The fields are those of sensor_msgs/Image, the data a flat byte buffer."""
    image = RawImage.from_array(frames()[0][:, ::2])
    assert array.array("B", image.data.tobytes()).itemsize * len(image.data) == image.step * image.height
    assert image.step == 2 * image.width
