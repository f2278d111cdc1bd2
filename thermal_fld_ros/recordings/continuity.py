# SPDX-License-Identifier: Apache-2.0
"""Whether the images of a folder follow each other in time, or are unrelated."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, pairwise

import numpy as np

from thermal_fld_ros.perception.cuts import likeness
from thermal_fld_ros.perception.decoding import Decoding, ImageError, ThermalFrame
from thermal_fld_ros.recordings.names import numbers_in, time_in
from thermal_fld_ros.recordings.source import RawImage, Source

PROBED = 16
"""Images at the beginning that are looked at."""

LEAST_LIKENESS = 0.9
"""Median correlation of neighbouring frames from which they are taken for a sequence: videos lie close to 1, portraits of different
people in the same pose well below."""


def follows_in_time(source: Source, decoding: Decoding) -> tuple[bool, str]:
    """Whether the images of a source are a sequence, and why, as part of a sentence.

    Anything but a folder is one. A folder is one if the names of its first images count up, or tell increasing times, and
    their pictures agree.
    """
    if not source.path.is_dir() or source.fps is not None:
        return True, "the input is a recording"
    images = [entry for entry in islice(source.entries(), PROBED) if isinstance(entry, RawImage)]
    if len(images) < 2:
        return False, "there are no two images to compare"
    if not _count_up([image.name for image in images]):
        return False, "the names do not count up"
    frames = _decoded(images, decoding)
    alike = [likeness(one, other) for one, other in pairwise(frames)]
    median = float(np.median(alike)) if alike else 0.0
    if median < LEAST_LIKENESS:
        return False, f"neighbouring pictures differ (correlation {median:.2f})"
    return True, "the names count up and neighbouring pictures agree"


def _count_up(names: Sequence[str]) -> bool:
    times = [time_in(name) for name in names]
    if all(time is not None for time in times):
        return all(one < other for one, other in pairwise(times))  # type: ignore[operator]
    numbers = [numbers_in(name) for name in names]
    return all(len(one) == len(other) and one < other for one, other in pairwise(numbers))


def _decoded(images: Sequence[RawImage], decoding: Decoding) -> list[ThermalFrame]:
    frames = []
    for image in images:
        try:
            frames.append(image.decode(decoding))
        except ImageError:  # told where it is wanted
            continue
    return frames
