# SPDX-License-Identifier: Apache-2.0
"""The pixels of a `sensor_msgs/CompressedImage`, in all forms in which image_transport publishes it.

- `compressed`: a PNG, JPEG or TIFF of 8 or 16 bit. Its `format` names the codec, with or without the encoding of the image before
  and words between: "jpeg", "png", "16UC1; png compressed ". What the data begin with counts, not what it says.
- `compressedDepth`, which is how image_transport sends 16UC1 and 32FC1: twelve bytes of parameters, then a PNG or RVL code. Floating
  point is quantised there by its inverse.
"""

from __future__ import annotations

import struct
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.decoding import ImageError

DEPTH = "compressedDepth"
TRANSPORTS = ("auto", "raw", "compressed")
"""Ways in which a topic may carry images: by its name, as sensor_msgs/Image, as CompressedImage."""

VIDEO = ("h264", "h265", "hevc", "av1", "vp9", "theora", "ffmpeg")
"""Codecs whose messages are no images by themselves."""

_PNG = b"\x89PNG\r\n\x1a\n"
_PARAMETERS = struct.Struct("<iff")
_RVL_SIZE = struct.Struct("<II")
_LARGEST = 100_000_000
"""Pixels of an image; a larger number is damage."""


def is_compressed(transport: str, topic: str) -> bool:
    """Whether a topic carries CompressedImage: as stated, or ("auto") by the name that image_transport gives such topics."""
    return transport == "compressed" or (transport == "auto" and topic.endswith(("/compressed", f"/{DEPTH}")))


def decompressed_image(data: Any, form: str) -> NDArray[Any]:
    """The image as `decoding.decode_array` takes it.

    Parameters
    ----------
    data : bytes or any uint8 buffer
        As in the message.
    form : str
        The message's `format`.

    Returns
    -------
    (H, W) uint8, uint16 or float32, or (H, W, 3 or 4) uint8 in OpenCV's order. A raw value is what it was before the compression,
    but for what the codec itself loses.

    Raises
    ------
    ImageError
        Of reason "compressed": it cannot be read.
    """
    head, pixels = coded_pixels(data, form)
    if not (head.size and form.strip().startswith("32FC1")):
        return pixels
    _, a, b = _PARAMETERS.unpack(head.tobytes())
    with np.errstate(divide="ignore"):
        inverse = np.float32(a) / (pixels.astype(np.float32) - np.float32(b))
    return np.where(pixels == 0, np.float32(np.nan), inverse)


def coded_pixels(data: Any, form: str) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """What precedes the code of a compressed image (the parameters of compressedDepth, or nothing), and the pixels in the code.

    Raises ImageError as `decompressed_image` does.
    """
    if any(codec in form.lower() for codec in VIDEO):
        raise ImageError(
            "compressed",
            f'an image of format "{form}" is part of a video, which loses temperatures: expected PNG, JPEG, TIFF or {DEPTH}, '
            "or raw images (ros2 run image_transport republish)",
        )
    content = np.frombuffer(data, np.uint8)
    start = _PARAMETERS.size
    # Old versions of compressed_depth_image_transport name the image's encoding only.
    if DEPTH.lower() not in form.lower() and content[start : start + len(_PNG)].tobytes() != _PNG:
        return content[:0], _coded(content, form)
    if content.size <= start:
        raise ImageError(
            "compressed", f'an image of format "{form}" has {content.size} bytes, expected more than {start}'
        )
    head, code = content[:start], content[start:]
    return head, _rvl(code, form) if "rvl" in form.lower() else _coded(code, form)


def read_code(content: NDArray[np.uint8]) -> NDArray[Any] | None:
    """The pixels of the content of a PNG, JPEG, TIFF or any other file that OpenCV reads; None where it is not whole."""
    if not content.size or _is_cut_jpeg(content):
        return None
    try:
        array: NDArray[Any] | None = cv2.imdecode(content, cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    return array


def _is_cut_jpeg(content: NDArray[np.uint8]) -> bool:
    """Whether a JPEG lacks its end; some versions of OpenCV fill what is missing with grey and say nothing."""
    if content[:2].tobytes() != b"\xff\xd8":
        return False
    whole = content.tobytes()
    return whole.rfind(b"\xff\xd9") < whole.rfind(b"\xff\xda")


def _coded(content: NDArray[np.uint8], form: str) -> NDArray[Any]:
    array = read_code(content)
    if array is None:
        raise ImageError(
            "compressed",
            f'a compressed image of format "{form}" and {content.size} bytes cannot be read: expected a whole PNG, JPEG or TIFF, '
            f"or a format with {DEPTH}",
        )
    return array


def _rvl(coded: NDArray[np.uint8], form: str) -> NDArray[np.uint16]:
    """Runs of zeros and of differences between neighbours (A. D. Wilson, "Fast Lossless Depth Image Compression", 2017)."""
    wrong = ImageError("compressed", f'an image of format "{form}" and {coded.size} bytes is not complete RVL data')
    if coded.size < _RVL_SIZE.size:
        raise wrong
    width, height = _RVL_SIZE.unpack_from(coded.data)
    numbers = _rvl_numbers(coded[_RVL_SIZE.size :])
    if width * height > _LARGEST:
        raise wrong
    pixels = np.zeros(width * height, np.uint16)
    pixel = place = previous = 0
    while pixel < len(pixels):
        if place + 2 > len(numbers):
            raise wrong
        zeros, count = int(numbers[place]), int(numbers[place + 1])
        place, pixel = place + 2, pixel + zeros
        folded = numbers[place : place + count]
        if len(folded) < count or pixel + count > len(pixels) or not zeros + count:
            raise wrong
        values = previous + np.cumsum((folded >> 1) ^ -(folded & 1))
        pixels[pixel : pixel + count] = values
        previous = int(values[-1]) if count else previous
        place, pixel = place + count, pixel + count
    return pixels.reshape(height, width)


def _rvl_numbers(code: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Numbers of any length: groups of three bits, the lowest first, each in a nibble whose fourth bit says that more follow.

    Nibbles fill 32-bit words from the top.
    """
    words = code[: code.size // 4 * 4].view("<u4")
    nibbles = ((words[:, None] >> np.arange(28, -4, -4, dtype=np.uint32)) & 15).reshape(-1).astype(np.int64)
    ends = np.flatnonzero(nibbles < 8) + 1
    if not len(ends):
        return np.empty(0, np.int64)
    starts = np.concatenate([[0], ends[:-1]])
    nibbles = nibbles[: ends[-1]]
    place = np.arange(len(nibbles)) - np.repeat(starts, ends - starts)
    parts = np.where(place < 11, (nibbles & 7) << np.minimum(3 * place, 30), 0)  # what is longer is damaged
    return np.asarray(np.add.reduceat(parts, starts), np.int64)
