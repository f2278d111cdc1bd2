# SPDX-License-Identifier: Apache-2.0
"""What OpenCV's V4L2 hands out of common cameras, as images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fake_device import FakeCapture

from thermal_fld_ros.recordings.device import Device, DeviceOptions, image_of_buffer
from thermal_fld_ros.recordings.source import RawImage, SourceError


def values(size: tuple[int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(19000, 21000, size[::-1]).astype(np.uint16)


def read(capture: FakeCapture, **options: Any) -> tuple[RawImage, str]:
    device = Device("/dev/fake", DeviceOptions(**options), lambda path: capture)
    image = device.read()
    return image, device.about


@pytest.mark.parametrize("size", [(160, 120), (320, 256), (640, 512)])
def test_16_bit_stays_as_it_is(size: tuple[int, int]) -> None:
    """PureThermal and Boson with Y16."""
    capture = FakeCapture([values(size)], "Y16 ", size)
    image, about = read(capture)
    assert (image.encoding, image.width, image.height) == ("mono16", *size) and "16 bit" in about
    np.testing.assert_array_equal(image.decode().pixels, values(size))
    assert capture.properties[cv2.CAP_PROP_CONVERT_RGB] == 0


def test_16_bit_without_a_shape() -> None:
    capture = FakeCapture([values((160, 120)).view(np.uint8).reshape(1, -1)], "Y16 ", (160, 120))
    np.testing.assert_array_equal(read(capture)[0].decode().pixels, values((160, 120)))


def test_of_a_two_part_image_the_temperatures_are_taken() -> None:
    """P2 Pro and TC001 send YUYV of 256 x 384: a picture above, 1/64 K below."""
    temperatures = values((256, 192))
    buffer = np.zeros((384, 256, 2), np.uint8)
    buffer[192:] = temperatures.astype("<u2").view(np.uint8).reshape(192, 256, 2)
    image, about = read(FakeCapture([buffer], "YUYV", (256, 384)))
    assert (image.width, image.height) == (256, 192) and "kelvin_64" in about
    np.testing.assert_array_equal(image.decode().pixels, temperatures)


def test_the_layout_can_be_told() -> None:
    buffer = np.zeros((100, 80, 2), np.uint8)
    buffer[50:, :, 0] = 7
    image, _ = read(FakeCapture([buffer], "YUYV", (80, 100)), layout="two_part")
    assert image.height == 50 and (image.decode().pixels == 7).all()
    two_part = np.zeros((384, 256, 2), np.uint8)
    image, about = read(FakeCapture([two_part], "YUYV", (256, 384)), layout="plain")
    assert (image.encoding, image.height) == ("yuv422_yuy2", 384) and "without temperatures" in about


def test_a_size_and_a_rate_are_asked_for() -> None:
    capture = FakeCapture([values((320, 256))], "Y16 ", (320, 256))
    read(capture, size=(320, 256), rate=60.0)
    assert capture.properties[cv2.CAP_PROP_FRAME_WIDTH] == 320
    assert capture.properties[cv2.CAP_PROP_FPS] == 60.0


def test_what_cannot_be_opened_or_read_is_named() -> None:
    with pytest.raises(SourceError, match="/dev/fake: cannot be opened as a video device"):
        Device("/dev/fake", opener=lambda path: FakeCapture([], "Y16 ", (0, 0), opened=False))
    with pytest.raises(SourceError, match="sends no images"):
        read(FakeCapture([], "Y16 ", (160, 120)))
    with pytest.raises(SourceError, match=r"of an unknown kind.*v4l2-ctl"):
        image_of_buffer(np.zeros((1, 12345), np.uint8), "auto", (160, 120), "/dev/fake")


def test_opencv_has_no_such_device(tmp_path: Path) -> None:
    """The real opener, on what is no device."""
    with pytest.raises(SourceError, match="cannot be opened as a video device"):
        Device(str(tmp_path / "video9"))
