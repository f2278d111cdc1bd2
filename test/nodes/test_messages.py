# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from array import array

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from hypothesis import given
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from thermal_fld_ros.msg import FaceLandmarks
from thermal_fld_ros.nodes.messages import (
    array_from_image,
    face_message,
    field_from_array,
    image_from_array,
    image_from_cdr,
    image_from_picture,
    points_from_field,
)
from thermal_fld_ros.perception.decoding import ImageError
from thermal_fld_ros.perception.face import Face
from thermal_fld_ros.perception.pose import Pose
from thermal_fld_ros.perception.temperature import RegionTemperature
from thermal_fld_ros.recordings.messages import IMAGE, types

PIXELS = {
    "mono8": np.arange(12, dtype=np.uint8).reshape(3, 4),
    "mono16": (np.arange(12, dtype=np.uint16) * 5000).reshape(3, 4),
    "32FC1": np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4),
    "bgr8": np.arange(36, dtype=np.uint8).reshape(3, 4, 3),
    "bgra8": np.arange(48, dtype=np.uint8).reshape(3, 4, 4),
}


def over_the_wire(message):
    return deserialize_message(serialize_message(message), type(message))


@pytest.mark.parametrize("encoding", PIXELS)
def test_pixels_survive_the_way_into_a_message_and_out_of_it(encoding: str) -> None:
    pixels = PIXELS[encoding]
    image = over_the_wire(image_from_array(pixels, Header(frame_id="camera")))
    assert image.encoding == encoding and image.header.frame_id == "camera"
    assert (image.height, image.width, image.step) == (3, 4, pixels.strides[0])
    np.testing.assert_array_equal(array_from_image(image), pixels)


def test_slices_and_foreign_byte_order_survive_too() -> None:
    wide = np.arange(40, dtype=np.uint16).reshape(4, 10)
    for pixels in (wide[:, 2:7], wide.astype(">u2"), wide[::2, ::3], wide.T):
        np.testing.assert_array_equal(array_from_image(image_from_array(pixels, Header())), pixels)


def test_a_big_endian_image_is_read_as_it_is() -> None:
    pixels = np.arange(12, dtype=np.uint16).reshape(3, 4)
    image = image_from_array(pixels.byteswap(), Header())
    image.is_bigendian = 1
    np.testing.assert_array_equal(array_from_image(image), pixels)


def test_a_padded_step_is_skipped() -> None:
    image = image_from_array(np.full((2, 5), 9, np.uint8), Header())
    image.width = 3
    assert array_from_image(image).shape == (2, 3)


def test_what_is_no_image_is_named() -> None:
    with pytest.raises(ValueError, match="is not an image"):
        image_from_array(np.zeros((2, 2, 2)), Header())
    with pytest.raises(ValueError, match='encoding "h264"'):
        array_from_image(Image(encoding="h264", height=4, width=4, step=4))
    with pytest.raises(ValueError, match="data has 0 bytes, expected 32"):
        array_from_image(Image(encoding="mono16", height=4, width=4, step=8))


@pytest.mark.parametrize("count", [0, 1, 68])
def test_points_survive_both_ways(count: int) -> None:
    points = np.random.default_rng(0).uniform(-10, 700, (count, 2)).astype(np.float32)
    message = over_the_wire(FaceLandmarks(points=field_from_array(points)))
    assert isinstance(message.points, array) and len(message.points) == 2 * count
    np.testing.assert_array_equal(points_from_field(message.points), points)


def test_fields_take_slices_lists_and_other_types() -> None:
    assert list(field_from_array(np.arange(6.0).reshape(2, 3)[:, ::2])) == [0.0, 2.0, 3.0, 5.0]
    assert list(field_from_array([1, 2], "d")) == [1.0, 2.0]
    assert list(field_from_array([])) == []


def test_a_face_is_carried_completely() -> None:
    rng = np.random.default_rng(1)
    face = Face(
        id="f0007",
        score=0.75,
        roi=np.array([1.5, 2.5, 30.0, 40.0], np.float32),
        points=rng.uniform(0, 100, (68, 2)).astype(np.float32),
        confidence=rng.uniform(0, 1, 68).astype(np.float32),
        pose=Pose(np.array([0.1, 0.2, 0.9]), np.array([0.5, -0.5, 0.5, -0.5]), error=0.03125, approximate=True),
        regions={"nose": RegionTemperature(31.5, 0.2, 12), "chin": RegionTemperature(float("nan"), float("nan"), 0)},
    )
    message = over_the_wire(face_message(face, Header(frame_id="camera")))
    assert (message.header.frame_id, message.id, message.score, message.scheme) == ("camera", "f0007", 0.75, "ibug68")
    np.testing.assert_array_equal(message.roi, face.roi)
    np.testing.assert_array_equal(points_from_field(message.points), face.points)
    np.testing.assert_array_equal(message.confidence, face.confidence)
    assert message.pose_valid and message.pose_approximate and message.pose_error == 0.03125
    position, orientation = message.pose.position, message.pose.orientation
    assert [position.x, position.y, position.z] == [0.1, 0.2, 0.9]
    assert [orientation.x, orientation.y, orientation.z, orientation.w] == [0.5, -0.5, 0.5, -0.5]
    assert message.temperature_names == ["nose", "chin"]
    assert message.temperatures[0] == 31.5 and np.isnan(message.temperatures[1])
    assert message.temperature_noise[0] == np.float32(0.2) and list(message.temperature_pixels) == [12, 0]


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=9)
IMAGES = st.builds(
    Image,
    header=st.builds(
        Header,
        stamp=st.builds(Time, sec=st.integers(-(2**31), 2**31 - 1), nanosec=st.integers(0, 2**32 - 1)),
        frame_id=TEXT,
    ),
    height=st.integers(0, 2**32 - 1),
    width=st.integers(0, 2**32 - 1),
    encoding=TEXT,
    is_bigendian=st.integers(0, 255),
    step=st.integers(0, 2**32 - 1),
    data=st.binary(max_size=40).map(lambda data: array("B", data)),
)


@given(image=IMAGES)
def test_a_serialised_image_is_read_without_rclpy(image: Image) -> None:
    found = image_from_cdr(serialize_message(image))
    assert found.header == image.header
    assert bytes(found.data) == bytes(image.data) and found.is_bigendian == bool(image.is_bigendian)
    for name in ("height", "width", "encoding", "step"):
        assert getattr(found, name) == getattr(image, name)


def test_the_other_byte_order_is_read_too() -> None:
    store = types()
    stamp = store.types["builtin_interfaces/msg/Time"](7, 9)
    message = store.types[IMAGE](
        store.types["std_msgs/msg/Header"](stamp, "camera"), 2, 3, "mono8", 1, 3, np.arange(6, dtype=np.uint8)
    )
    found = image_from_cdr(bytes(store.serialize_cdr(message, IMAGE, little_endian=False)))
    assert (found.header.stamp.sec, found.header.frame_id, found.height, found.width) == (7, "camera", 2, 3)
    assert (found.encoding, found.is_bigendian, found.step, bytes(found.data)) == ("mono8", True, 3, bytes(range(6)))


@given(image=IMAGES, data=st.data())
def test_bytes_that_are_no_image_are_refused_or_read_and_nothing_else(image: Image, data: st.DataObject) -> None:
    serialised = bytearray(serialize_message(image))
    for _ in range(data.draw(st.integers(0, 4))):
        serialised[data.draw(st.integers(0, len(serialised) - 1))] = data.draw(st.integers(0, 255))
    serialised = serialised[: data.draw(st.integers(0, len(serialised)))]
    try:
        found = image_from_cdr(bytes(serialised))
    except ImageError as error:
        assert error.reason == "message"
    else:
        assert len(found.data) <= len(serialised)


PICTURES = {
    "mono8": np.arange(128 * 128, dtype=np.uint8).reshape(128, 128),
    "bgr8": np.arange(90 * 121 * 3, dtype=np.uint8).reshape(90, 121, 3),
}


@pytest.mark.parametrize("encoding", PICTURES)
def test_pictures_are_read_as_they_were(encoding: str) -> None:
    """Made by cv_bridge where it is installed, else as it makes them."""
    picture, header = PICTURES[encoding], Header(frame_id="thermal_optical")
    image = image_from_picture(picture, header)
    assert (image.header, image.encoding, image.height, image.width) == (header, encoding, *picture.shape[:2])
    assert image == image_from_array(picture, header, encoding)
    np.testing.assert_array_equal(array_from_image(image), picture)


@pytest.mark.parametrize("encoding", PICTURES)
def test_cv_bridge_reads_what_is_made_without_it(encoding: str) -> None:
    bridge = pytest.importorskip("cv_bridge", reason="cv_bridge is not installed").CvBridge()
    picture = PICTURES[encoding]
    image = image_from_array(picture, Header(), encoding)
    np.testing.assert_array_equal(bridge.imgmsg_to_cv2(image), picture)
    colour = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
    np.testing.assert_array_equal(bridge.imgmsg_to_cv2(image, "bgr8"), colour)
