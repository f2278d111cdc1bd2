# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from thermal_fld_ros.recordings.access import KEPT_IMAGES, Frames
from thermal_fld_ros.recordings.source import Entry, RawImage, Source, SourceError


class Recording:
    """Images whose pixels are their place; the one at `broken` cannot be read."""

    def __init__(self, count: int, broken: int = -1) -> None:
        self.passes = self.read = 0
        self.count, self.broken = count, broken
        self.frames = Frames(Source(Path("a.avi"), "video", None, self.entries))

    def entries(self) -> Iterator[Entry]:
        self.passes += 1
        for place in range(self.count):
            self.read += 1
            yield SourceError("torn") if place == self.broken else RawImage.from_array(np.full((2, 3), place, np.uint8))

    def value(self, place: int) -> int:
        return int(self.frames[place].decode().pixels[0, 0])


def test_ascending_order_is_one_pass_and_reads_no_further_than_asked() -> None:
    recording = Recording(100)
    assert [recording.value(place) for place in (3, 3, 10, 40, 38)] == [3, 3, 10, 40, 38]
    assert (recording.passes, recording.read) == (1, 41)
    assert recording.value(40 - KEPT_IMAGES) == 40 - KEPT_IMAGES
    assert recording.passes == 2


def test_a_broken_image_is_told_each_time_and_those_behind_it_are_read() -> None:
    recording = Recording(6, broken=2)
    assert recording.value(4) == 4
    for _ in range(2):
        with pytest.raises(SourceError, match="torn"):
            recording.frames[2]
    assert recording.value(5) == 5


@pytest.mark.parametrize("place", [6, -1])
def test_a_place_that_is_none(place: int) -> None:
    recording = Recording(6)
    for _ in range(2):
        with pytest.raises(IndexError, match=r"a.avi has 6 images"):
            recording.frames[place]
    assert recording.value(0) == 0
