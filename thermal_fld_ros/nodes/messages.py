# SPDX-License-Identifier: Apache-2.0
"""Between messages and numpy: images, points, faces.

rclpy checks every element of a primitive array field unless it is given an `array.array` of the right type, and hands out such arrays;
both directions here go through its buffer, so that no loop over elements runs in Python.
"""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import ArrayLike, NDArray
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from thermal_fld_ros.msg import FaceLandmarks
from thermal_fld_ros.perception.compression import decompressed_image
from thermal_fld_ros.perception.decoding import (
    Decoding,
    ImageError,
    ThermalFrame,
    decode,
    decode_array,
    message_array,
    message_pixels,
)
from thermal_fld_ros.perception.landmarker import SCHEME

try:
    from cv_bridge import CvBridge
except ImportError:  # not among the wheels of ROS 2 on PyPI
    CvBridge = None

if TYPE_CHECKING:
    from thermal_fld_ros.perception.pipeline import Face

TIME_JUMP = 0.5
"""Seconds by which stamps go back when a recording starts again; less is a driver's jitter."""


def field_from_array(values: ArrayLike, typecode: str = "f") -> array[Any]:
    """An array of any shape, flattened, as the value of a primitive array field.

    Parameters
    ----------
    typecode
        The field's element type as in `array.array`: "f" float32, "d" float64, "B" uint8.
    """
    field: array[Any] = array(typecode)
    field.frombytes(np.ascontiguousarray(values, dtype=typecode).reshape(-1).view(np.uint8).data)
    return field


def points_from_field(field: Any) -> NDArray[np.float32]:
    """`FaceLandmarks.points` as an (N, 2) view: x, y in px of the incoming image."""
    return np.frombuffer(field, dtype=np.float32).reshape(-1, 2)


def image_from_array(pixels: NDArray[Any], header: Header, encoding: str = "") -> Image:
    """An image message of an array, as `message_array` takes them; `encoding` where another than its fits (rgb8, 16UC1).

    Raises ImageError where the array is no image.
    """
    pixels, fitting = message_array(pixels)
    pixels = np.ascontiguousarray(pixels)
    height, width = pixels.shape[:2]
    image = Image(header=header, height=height, width=width, encoding=encoding or fitting, step=pixels.strides[0])
    image.data = field_from_array(pixels.reshape(-1).view(np.uint8), "B")
    return image


@dataclass(frozen=True, eq=False)
class ReceivedImage:
    """The fields of a serialised `sensor_msgs/Image`; `data` is a view of the bytes that it came in."""

    header: Header
    height: int
    width: int
    encoding: str
    is_bigendian: bool
    step: int
    data: memoryview


def image_from_cdr(serialised: bytes) -> ReceivedImage:
    """Read a `sensor_msgs/Image` in CDR (OMG DDS-RTPS 10, plain CDR of version 1, either byte order) without copying its pixels.

    rclpy's own conversion copies them twice. Raises ImageError with the reason "message" where the bytes are none.
    """
    try:
        order = "<" if serialised[1] & 1 else ">"
        seconds, nanoseconds, length = struct.unpack_from(f"{order}iII", serialised, 4)
        frame_id, place = _text(serialised, 16, length)
        place += -place % 4
        height, width, length = struct.unpack_from(f"{order}III", serialised, place)
        encoding, place = _text(serialised, place + 12, length)
        is_bigendian = bool(serialised[place])
        place += 1 + -(place + 1) % 4
        step, size = struct.unpack_from(f"{order}II", serialised, place)
        place += 8
        if len(serialised) < place + size:
            raise ValueError(
                f"the message ends after {len(serialised)} bytes, but its data would end after {place + size}"
            )
    except (struct.error, IndexError, ValueError) as error:
        raise ImageError("message", f"the received bytes are not a sensor_msgs/Image: {error}") from error
    header = Header(stamp=Time(sec=seconds, nanosec=nanoseconds), frame_id=frame_id)
    return ReceivedImage(
        header, height, width, encoding, is_bigendian, step, memoryview(serialised)[place : place + size]
    )


def _text(serialised: bytes, place: int, length: int) -> tuple[str, int]:
    """A CDR string, whose length counts a 0 at its end, and the place behind it. Some write an empty one without the 0."""
    end = place + length
    if length == 0:
        return "", end
    if not length <= len(serialised) - place or serialised[end - 1] != 0:
        raise ValueError(f"expected a string of {length} bytes at byte {place}")
    return serialised[place : end - 1].decode(), end


def image_from_picture(picture: NDArray[np.uint8], header: Header) -> Image:
    """A picture for people or for libraries that read mono8 and bgr8 only; by cv_bridge where it is installed."""
    encoding = "mono8" if picture.ndim == 2 else "bgr8"
    if CvBridge is None:
        return image_from_array(picture, header, encoding)
    return CvBridge().cv2_to_imgmsg(picture, encoding, header)


def array_from_image(image: Image) -> NDArray[Any]:
    """The pixels of an image message, as they are: an (H, W) or (H, W, C) view of its data. Raises ImageError where it has none."""
    return message_pixels(
        image.data,
        height=image.height,
        width=image.width,
        encoding=image.encoding,
        step=image.step,
        is_bigendian=bool(image.is_bigendian),
    )


def received(kind: type[Image | CompressedImage], serialised: bytes) -> ReceivedImage | CompressedImage:
    """Read a message that was taken as it came; raises ImageError with the reason "message" where the bytes are none of its kind."""
    if kind is Image:
        return image_from_cdr(serialised)
    try:
        return deserialize_message(serialised, kind)
    except RuntimeError as error:
        raise ImageError("message", "the received bytes are not a sensor_msgs/CompressedImage") from error


def decoded(image: Image | ReceivedImage | CompressedImage, options: Decoding) -> tuple[ThermalFrame, str]:
    """The frame of either message, and the encoding of its pixels; raises ImageError."""
    if isinstance(image, CompressedImage):
        pixels, encoding = message_array(decompressed_image(image.data, image.format))
        return decode_array(pixels, options), encoding
    frame = decode(
        image.data,
        height=image.height,
        width=image.width,
        encoding=image.encoding,
        step=image.step,
        is_bigendian=bool(image.is_bigendian),
        options=options,
    )
    return frame, image.encoding


def face_message(face: Face, header: Header) -> FaceLandmarks:
    """A face as a message; points and box in px of the incoming image."""
    message = FaceLandmarks(header=header, id=face.id, score=float(face.score), scheme=SCHEME)
    message.roi = np.asarray(face.roi, dtype=np.float32)
    message.points = field_from_array(face.points)
    message.confidence = field_from_array(face.confidence)
    if face.pose is not None:
        message.pose_valid, message.pose_approximate = True, face.pose.approximate
        message.pose_error = float(face.pose.error)
        position, orientation = message.pose.position, message.pose.orientation
        position.x, position.y, position.z = (float(value) for value in face.pose.position)
        orientation.x, orientation.y, orientation.z, orientation.w = (float(value) for value in face.pose.orientation)
    regions = face.regions.values()
    message.temperature_names = list(face.regions)
    message.temperatures = field_from_array([region.celsius for region in regions])
    message.temperature_noise = field_from_array([region.noise for region in regions])
    message.temperature_pixels = field_from_array([region.pixels for region in regions], "I")
    return message
