# SPDX-License-Identifier: Apache-2.0
"""Between messages and numpy: images, points, faces.

rclpy checks every element of a primitive array field unless it is given an `array.array` of the right type, and hands out such arrays;
both directions here go through its buffer, so that no loop over elements runs in Python.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from thermal_fld_ros.msg import FaceLandmarks
from thermal_fld_ros.perception.compression import decompressed_image
from thermal_fld_ros.perception.decoding import (
    Decoding,
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


def decoded(image: Image | CompressedImage, options: Decoding) -> tuple[ThermalFrame, str]:
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
