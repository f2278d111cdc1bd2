# SPDX-License-Identifier: Apache-2.0
"""RGB images: from messages, and crops of them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.decoding import ENCODINGS, ImageError, decode_array, message_pixels
from thermal_fld_ros.perception.geometry import Affine, Size
from thermal_fld_ros.recordings.source import RawImage

Rgb = NDArray[np.uint8]

# ROS names the first two pixels of the first row, OpenCV the second and third pixel of the second.
BAYER = {
    "bayer_rggb8": cv2.COLOR_BayerBG2RGB,
    "bayer_bggr8": cv2.COLOR_BayerRG2RGB,
    "bayer_gbrg8": cv2.COLOR_BayerGR2RGB,
    "bayer_grbg8": cv2.COLOR_BayerGB2RGB,
}
TO_RGB = {
    "mono8": cv2.COLOR_GRAY2RGB,
    "8UC1": cv2.COLOR_GRAY2RGB,
    "rgb8": None,
    "bgr8": cv2.COLOR_BGR2RGB,
    "8UC3": cv2.COLOR_BGR2RGB,
    "rgba8": cv2.COLOR_RGBA2RGB,
    "bgra8": cv2.COLOR_BGRA2RGB,
    "8UC4": cv2.COLOR_BGRA2RGB,
    "yuv422": cv2.COLOR_YUV2RGB_UYVY,
    "uyvy": cv2.COLOR_YUV2RGB_UYVY,
    "yuv422_yuy2": cv2.COLOR_YUV2RGB_YUY2,
    "yuyv": cv2.COLOR_YUV2RGB_YUY2,
    **BAYER,
}


def rgb_pixels(image: RawImage) -> Rgb:
    """The pixels (H, W, 3) RGB of an image; raises ImageError."""
    if image.encoding not in TO_RGB:
        known = ", ".join(TO_RGB)
        raise ImageError("encoding", f'encoding "{image.encoding}" is not an RGB encoding, expected one of {known}')
    encoding = image.encoding if image.encoding in ENCODINGS else "mono8"
    pixels = message_pixels(
        image.data, height=image.height, width=image.width, encoding=encoding, step=image.step, is_bigendian=False
    )
    code = TO_RGB[image.encoding]
    pixels = np.ascontiguousarray(pixels)
    if code is None:
        return pixels
    try:
        return np.asarray(cv2.cvtColor(pixels, code), np.uint8)
    except cv2.error as error:
        raise ImageError("size", f"{image.width} x {image.height} pixels cannot be {image.encoding}") from error


def turned_upright(image: Rgb, rotation: int) -> tuple[Rgb, Affine]:
    """An image turned clockwise by 0, 90, 180 or 270 degrees, and the map from its pixels before to those after."""
    upright = Affine.quarter_turns(rotation, (image.shape[1], image.shape[0]))
    return np.ascontiguousarray(np.rot90(image, -rotation // 90)), upright


def sampled_colour(image: Rgb, crop: Affine, size: Size) -> Rgb:
    """A crop (H, W, 3) of an RGB image through a map from the crop's pixels to the image's, as thermal images are sampled."""
    channels = [decode_array(np.ascontiguousarray(image[:, :, k])).sample(crop, size) for k in range(3)]
    return np.stack(channels, axis=-1)
