# SPDX-License-Identifier: Apache-2.0
"""Cameras that Linux knows as video devices (V4L2, most of them USB), read as they are and never through 8 bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.geometry import Size
from thermal_fld_ros.recordings.source import RawImage, SourceError

LAYOUTS = ("auto", "plain", "two_part")
"""How a buffer is to be read: by its size, whole, or only its lower half, as temperatures."""

TWO_PART: tuple[Size, ...] = ((256, 384),)
"""Width and height of buffers that hold a picture and, below it, as many rows of temperatures: InfiRay P2 Pro, Topdon TC001."""

CODES = ("Y16 ", "YUYV")
"""Pixel formats to ask for, the best first: 16 bit; and YUYV, whose two bytes a pixel are the temperatures of two-part cameras."""


class Capture(Protocol):
    """What of cv2.VideoCapture is used."""

    def isOpened(self) -> bool:  # noqa: D102, N802
        ...

    def set(self, property: int, value: float) -> bool:  # noqa: D102
        ...

    def get(self, property: int) -> float:  # noqa: D102
        ...

    def read(self) -> tuple[bool, Any]:  # noqa: D102
        ...

    def release(self) -> None:  # noqa: D102
        ...


@dataclass(frozen=True)
class DeviceOptions:
    """What is asked of a camera.

    Attributes
    ----------
    layout : str
        Of `LAYOUTS`.
    size : (int, int)
        Width and height of the buffer to ask for; (0, 0): the camera's own.
    rate : float
        Images a second to ask for; 0: the camera's own.
    """

    layout: str = "auto"
    size: Size = (0, 0)
    rate: float = 0.0


class Device:
    """An open camera.

    Parameters
    ----------
    path : str
        Such as /dev/video0.
    options : DeviceOptions
    opener : function
        Opens the path; OpenCV's V4L2 unless another is given.

    Attributes
    ----------
    about : str
        What the camera delivers, in words; empty before the first image.

    Raises
    ------
    SourceError
        There is no such camera, or it is in use.
    """

    def __init__(
        self, path: str, options: DeviceOptions = DeviceOptions(), opener: Callable[[str], Capture] | None = None
    ) -> None:
        self._path, self._options = path, options
        self._capture = (opener or _open_v4l2)(path)
        self.about = ""
        if not self._capture.isOpened():
            raise SourceError(
                f"{path}: cannot be opened as a video device. Does it exist (ls /dev/video*), may this user read it (group video), "
                "and does no other program use it?"
            )
        capture, (width, height) = self._capture, options.size
        for code in CODES:
            wanted = cv2.VideoWriter.fourcc(*code)
            capture.set(cv2.CAP_PROP_FOURCC, wanted)
            if int(capture.get(cv2.CAP_PROP_FOURCC)) == wanted:
                break
        if width and height:
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
        if options.rate:
            capture.set(cv2.CAP_PROP_FPS, options.rate)
        capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)  # hand out the driver's bytes

    def read(self) -> RawImage:
        """The next image, for which it waits; raises SourceError where none comes."""
        try:
            more, buffer = self._capture.read()
        except cv2.error as error:
            raise SourceError(f"{self._path}: OpenCV cannot read an image: {error}") from error
        if not more:
            raise SourceError(f"{self._path}: the camera sends no images. Was it unplugged?")
        size = (int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT)))
        image, about = image_of_buffer(np.asarray(buffer), self._options.layout, size, self._path)
        self.about = about
        return image

    def close(self) -> None:
        """Let go of the camera."""
        self._capture.release()


def _open_v4l2(path: str) -> Capture:
    capture: Capture = cv2.VideoCapture(path, cv2.CAP_V4L2)
    return capture


def image_of_buffer(buffer: NDArray[Any], layout: str, size: Size, name: str) -> tuple[RawImage, str]:
    """The image in an unconverted buffer of OpenCV's V4L2 backend, and a description of the part that was used.

    Parameters
    ----------
    buffer : (H, W) uint16 of Y16, (H, W, 2) uint8 of YUYV, (H, W) uint8 of GREY, (H, W, 3) uint8 of BGR, or (1, bytes) uint8
    layout : str
        Of `LAYOUTS`.
    size : (int, int)
        Width and height that the driver tells, for buffers without a shape.

    Raises
    ------
    SourceError
        The buffer is of no known kind.
    """
    buffer = _shaped(buffer, size, name)
    height, width = buffer.shape[:2]
    words = buffer.view("<u2")[..., 0] if buffer.ndim == 3 and buffer.shape[2] == 2 else buffer
    is_two_part = layout == "two_part" or (layout == "auto" and (width, height) in TWO_PART)
    if is_two_part and words.dtype.itemsize == 2:
        part = words[height // 2 :]
        about = f"the lower part of a two-part image of {width} x {height} px: temperatures, of unit kelvin_64 in InfiRay's cameras"
        return RawImage.from_array(np.ascontiguousarray(part), name=name), about
    if is_two_part:
        raise SourceError(
            f"{name}: layout two_part requires 2 bytes a pixel, but the buffer has type {buffer.dtype} and shape {buffer.shape}"
        )
    if buffer.ndim == 3 and buffer.shape[2] == 2:
        data = np.ascontiguousarray(buffer).reshape(-1)
        return RawImage(
            data, height, width, "yuv422_yuy2", 2 * width, name=name
        ), "YUYV, a picture without temperatures"
    kinds = {2: "16 bit", 1: "8 bit after gain control"}
    about = kinds[buffer.dtype.itemsize] if buffer.ndim == 2 else "a colour picture without temperatures"
    return RawImage.from_array(buffer, name=name), f"{about}, {width} x {height} px"


def _shaped(buffer: NDArray[Any], size: Size, name: str) -> NDArray[Any]:
    """Bytes without a shape, as some versions of OpenCV hand out Y16, as 16-bit pixels."""
    width, height = size
    known = buffer.dtype in (np.uint8, np.uint16) and (
        buffer.ndim == 2 or (buffer.ndim == 3 and buffer.shape[2] in (2, 3))
    )
    if known and buffer.shape[0] > 1:
        return buffer
    if buffer.dtype == np.uint8 and width > 0 and height > 0 and buffer.size == 2 * width * height:
        return np.ascontiguousarray(buffer).reshape(-1).view("<u2").reshape(height, width)
    raise SourceError(
        f"{name}: a buffer of {buffer.dtype} and shape {buffer.shape} for {width} x {height} px is of an unknown kind, expected Y16 or "
        "YUYV. `v4l2-ctl --list-formats-ext` lists the formats of the camera"
    )
