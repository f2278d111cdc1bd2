# SPDX-License-Identifier: Apache-2.0
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from input_files import compressed_depth, png, rvl

from thermal_fld_ros.perception.compression import decompressed_image
from thermal_fld_ros.perception.decoding import ImageError

ROOT = Path(__file__).parents[2]
FRAME = np.random.default_rng(0).integers(28000, 31000, (24, 32)).astype(np.uint16)


def coded(suffix: str, frame: np.ndarray) -> np.ndarray:
    return cv2.imencode(suffix, frame)[1].reshape(-1)


@pytest.mark.parametrize("form", ["png", "16UC1; png compressed ", "mono16; png compressed mono16", "tiff", ""])
def test_codecs_without_loss(form: str) -> None:
    data = coded(".tiff" if form == "tiff" else ".png", FRAME)
    np.testing.assert_array_equal(decompressed_image(data, form), FRAME)


@pytest.mark.parametrize("form", ["jpeg", "mono8; jpeg compressed ", "bgr8; jpeg compressed bgr8"])
def test_jpeg(form: str) -> None:
    grey = (FRAME >> 7).astype(np.uint8)
    found = decompressed_image(coded(".jpg", grey), form)
    assert found.dtype == np.uint8 and found.shape == grey.shape
    assert abs(found.astype(int) - grey).mean() < 5


@pytest.mark.parametrize(
    "form", ["16UC1; compressedDepth", "16UC1; compressedDepth png", "mono16; compressedDepth png", "16UC1"]
)
def test_the_depth_transport_keeps_raw_values(form: str) -> None:
    np.testing.assert_array_equal(decompressed_image(compressed_depth(png(FRAME)), form), FRAME)


def test_the_depth_transport_of_floating_point() -> None:
    celsius = np.linspace(20.0, 40.0, 24 * 32, dtype=np.float32).reshape(24, 32)
    a, b = 100.0 * 101.0, 1.0 - 100.0 / 100.0  # as the plugin's encoder: depth_quantization 100, depth_max 100
    inverse = (a / celsius + b).astype(np.uint16)
    inverse[0, 0] = 0
    found = decompressed_image(compressed_depth(png(inverse), a, b), "32FC1; compressedDepth png")
    assert np.isnan(found[0, 0])
    np.testing.assert_allclose(found.reshape(-1)[1:], celsius.reshape(-1)[1:], rtol=5e-3)


@given(
    arrays(
        np.uint16, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.sampled_from([0, 1, 7, 8, 300, 65535])
    )
)
def test_rvl(frame: Any) -> None:
    found = decompressed_image(compressed_depth(rvl(frame)), "16UC1; compressedDepth rvl")
    np.testing.assert_array_equal(found, frame)


@given(
    st.binary(max_size=200),
    st.sampled_from(["16UC1; compressedDepth rvl", "16UC1; compressedDepth", "png", "32FC1; compressedDepth"]),
)
def test_damage_is_named(data: bytes, form: str) -> None:
    try:
        decompressed_image(np.frombuffer(data, np.uint8), form)
    except ImageError as error:
        assert error.reason == "compressed"
        assert form in str(error)


@pytest.mark.parametrize("form", ["png", "16UC1; compressedDepth", "16UC1; compressedDepth rvl"])
def test_data_that_was_cut_are_refused(form: str) -> None:
    whole = {"png": png(FRAME)}.get(form, compressed_depth(rvl(FRAME) if "rvl" in form else png(FRAME)))
    with pytest.raises(ImageError):
        decompressed_image(whole[: len(whole) // 2], form)


BOMB = """
import struct, zlib
import numpy as np
from thermal_fld_ros.perception.compression import decompressed_image
from thermal_fld_ros.perception.decoding import ImageError

def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

def png(side):  # of one bit a pixel, all of them black
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    data = zlib.compress(bytes(side * (1 + (side + 7) // 8)))
    return b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")

for side in (1000, 20_000):
    try:
        print(decompressed_image(np.frombuffer(png(side), np.uint8), "png").shape)
    except ImageError as error:
        print(error.reason, len(png(side)) < 100_000)
"""


def test_a_small_message_does_not_become_a_huge_image() -> None:
    """Of 400 megapixels; in a process of its own, as OpenCV reads its limit only once."""
    done = subprocess.run([sys.executable, "-c", BOMB], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.splitlines() == ["(1000, 1000)", "compressed True"]
