# SPDX-License-Identifier: Apache-2.0
"""The same frames give the same bits, and however many they are, the memory stays."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from thermal_fld_ros.perception.decoding import UNITS, Decoding, decode_array
from thermal_fld_ros.perception.pipeline import Pipeline

Effort = Callable[[int, int], int]
CLIP = Path(__file__).parents[2] / "resource/demo_clip.npz"
CENTIKELVIN = Decoding(unit=UNITS["centikelvin"])


def frames(count: int) -> Iterator[np.ndarray]:
    clip = np.load(CLIP)["frames"]
    for number in range(count):
        yield clip[number % len(clip)]


def digest(count: int) -> str:
    """Of all that the pipeline, with one thread, finds in the demo's clip."""
    pipeline, whole = Pipeline(), hashlib.sha256()
    for number, pixels in enumerate(frames(count)):
        for face in pipeline(decode_array(pixels, CENTIKELVIN), number / 30):
            whole.update(repr((face.id, face.score, face.temperatures)).encode())
            for values in (face.roi, face.points, face.confidence):
                whole.update(values.tobytes())
    return whole.hexdigest()


def test_the_same_frames_give_the_same_bits_here_and_in_another_process(effort: Effort) -> None:
    count = effort(60, 2000)
    here = [digest(count), digest(count)]
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\nfrom test_determinism import digest; print(digest({count}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {*here, done.stdout.strip()} == {here[0]}


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.slow
def test_memory_is_flat_over_many_frames(effort: Effort) -> None:
    """A leak of a hundred bytes a frame would show."""
    pipeline = Pipeline()
    warm_up, count = effort(300, 5000), effort(600, 100_000)
    for number, pixels in enumerate(frames(warm_up + count)):
        pipeline(decode_array(pixels, CENTIKELVIN), number / 30)
        if number == warm_up:
            before = resident()
    grown = resident() - before
    assert grown < 4_000_000, f"{grown} bytes more after {count} frames"
