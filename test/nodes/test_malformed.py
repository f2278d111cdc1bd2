# SPDX-License-Identifier: Apache-2.0
"""Images that cannot be used: each is named, counted by its reason, and the node lives on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from node_rig import Rig
from sensor_msgs.msg import Image

from thermal_fld_ros.nodes.messages import field_from_array, image_from_array

Break = Callable[[Image], None]


def changed(**fields: object) -> Break:
    def change(image: Image) -> None:
        for name, value in fields.items():
            setattr(image, name, value)

    return change


def with_pixels(pixels: np.ndarray) -> Break:
    def change(image: Image) -> None:
        other = image_from_array(pixels, image.header)
        for name in ("height", "width", "encoding", "step", "data", "is_bigendian"):
            setattr(image, name, getattr(other, name))

    return change


EMPTY = field_from_array([], "B")
NAN = np.full((240, 320), np.nan, np.float32)

MALFORMED: dict[str, tuple[Break, str, str]] = {
    "step shorter than a row": (changed(step=639), "step", "step is 639 bytes, expected at least 640"),
    "step 0": (changed(step=0), "step", "step is 0 bytes"),
    "short data": (changed(height=241), "short_data", "data has 153600 bytes, expected 154240"),
    "no data": (changed(data=EMPTY), "short_data", "data has 0 bytes, expected 153600"),
    "enormous step": (changed(step=2**32 - 1), "short_data", "expected 1030792150800"),
    "zero size": (changed(height=0, width=0), "size", "the image is 0 x 0 pixels"),
    "zero height": (changed(height=0), "size", "the image is 320 x 0 pixels"),
    "zero width": (changed(width=0), "size", "the image is 0 x 240 pixels"),
    "unknown encoding": (changed(encoding="bayer_rggb16"), "encoding", 'encoding "bayer_rggb16" is not supported'),
    "no encoding": (changed(encoding=""), "encoding", 'encoding "" is not supported'),
    "all NaN": (with_pixels(NAN), "not_finite", "100% of the pixels are NaN or infinite"),
    "all infinite": (with_pixels(NAN + np.float32(np.inf)), "not_finite", "100% of the pixels"),
    "100 megapixels": (
        changed(height=10_000, width=10_000, step=20_000),
        "max_pixels",
        "the image has 100000000 pixels, expected at most 16000000",
    ),
    "2^64 pixels": (changed(height=2**32 - 1, width=2**32 - 1), "max_pixels", "expected at most 16000000"),
    "palette as temperatures": (with_pixels(np.zeros((240, 320, 3), np.uint8)), "unit", "shows a colour palette"),
    "fewer rows than are cropped": (with_pixels(np.zeros((3, 320), np.uint16)), "rows", "image has only 3"),
}


def test_malformed_images_are_named_and_counted_and_the_node_lives_on(rig: Rig) -> None:
    rig.start_connected(rows_top=2, rows_bottom=1)
    counts: Counter[str] = Counter()
    for name, (break_it, reason, text) in MALFORMED.items():
        image = image_from_array(rig.scene(), rig.header())
        break_it(image)
        rig.publish(image)
        counts[reason] += 1
        values = rig.wait_for_status(lambda status, values, text=text: text in status.message)
        assert values[f"images refused: {reason}"] == str(counts[reason]), name
        if counts[reason] == 1:  # more of the same reason are throttled in the log
            rig.wait_for_log(text)
        assert rig.detect(rig.scene()).faces, f"alive after {name}"
    assert values["images refused"] == str(len(MALFORMED))


@pytest.mark.parametrize("shape", [(1, 1), (1, 2000), (2000, 1), (3, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_odd_but_valid_images_are_answered(rig: Rig, shape: tuple[int, int], dtype: type) -> None:
    rig.start_connected(unit="counts")
    result = rig.detect(np.full(shape, 7, dtype))
    assert result.faces == [] and (result.image_height, result.image_width) == shape
    assert rig.wait_for_status(lambda status, values: True)["images refused"] == "0"


def test_what_is_refused_shows_in_the_status_and_the_log_is_throttled(rig: Rig) -> None:
    rig.start_connected()
    bad = image_from_array(rig.scene(), rig.header())
    bad.encoding = "jpeg"

    def refused_often() -> bool:
        values = rig.wait_for_status(
            lambda status, values: status.level == DiagnosticStatus.ERROR and 'encoding "jpeg"' in status.message
        )
        return int(values["images refused: encoding"]) >= 10

    rig.send_until(lambda: bad, refused_often, "ten refusals")
    assert len([line for line in rig.logs if "image refused" in line]) <= 3
    rig.detect(rig.scene())
    rig.wait_for_status(lambda status, values: status.level == DiagnosticStatus.OK)
