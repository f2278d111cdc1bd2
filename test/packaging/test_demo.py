# SPDX-License-Identifier: Apache-2.0
"""The demo as a person runs it: files made, clear errors, nothing left running."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

for required in ("rclpy", "ament_index_python"):
    pytest.importorskip(required)

from dummy_models import face_scene

ROOT = Path(__file__).parents[2]
MARK = "THERMAL_FLD_TEST_MARK"
LIMIT = 120


class Demo:
    """Runs scripts/demo.py and knows every process that came of it, by a mark in its environment."""

    def __init__(self, clip: Path, models: Path, output: Path) -> None:
        self.output = output
        self._mark = uuid.uuid4().hex
        self.environment = {**os.environ, MARK: self._mark, "PYTHONUNBUFFERED": "1"}
        self.command = [sys.executable, str(ROOT / "scripts/demo.py"), "--models", str(models), "--output", str(output)]
        self.command += ["--input", str(clip)]

    def run(self, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.command, *options], env=self.environment, capture_output=True, text=True, timeout=LIMIT
        )

    def start(self, *options: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.command, *options],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def processes(self) -> list[int]:
        """Everything alive that inherited the mark."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if f"{MARK}={self._mark}".encode() in (entry / "environ").read_bytes():
                        found.append(int(entry.name))
                except OSError:  # ended meanwhile
                    pass
        return found


@pytest.fixture
def demo(tmp_path: Path, dummy_models: Path) -> Iterator[Demo]:
    clip = tmp_path / "clip.npz"
    frames = [face_scene((160, 120), [(80.0 + i % 20, 60.0, 40.0)], seed=i) for i in range(60)]
    np.savez(clip, frames=np.stack(frames), fps=30.0)
    demo = Demo(clip, dummy_models, tmp_path / "output")
    yield demo
    for process in demo.processes():
        os.kill(process, signal.SIGKILL)


def test_demo_tells_what_it_saw_and_leaves_a_film(demo: Demo) -> None:
    done = demo.run("--unit", "centikelvin")
    assert done.returncode == 0, done.stdout + done.stderr

    summary = json.loads((demo.output / "summary.json").read_text())
    assert summary["results"] == summary["results_with_a_face"] > 0
    assert summary["images"] >= summary["results"]
    assert summary["most_faces"] == 1
    assert summary["rate_hz"] > 0
    assert summary["latency_ms"]["median"] >= summary["processing_ms"]["median"] > 0

    video = cv2.VideoCapture(str(demo.output / "landmarks.mp4"))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) > 0
    assert (video.get(cv2.CAP_PROP_FRAME_WIDTH), video.get(cv2.CAP_PROP_FRAME_HEIGHT)) == (640, 480)
    sheet = cv2.imread(str(demo.output / "contact_sheet.jpg"))
    assert sheet is not None
    for name in ("landmarks.mp4", "contact_sheet.jpg", "summary.json"):
        assert str(demo.output / name) in done.stdout
    assert not demo.processes()


@pytest.mark.slow
def test_film_of_a_rotated_camera_is_upright(demo: Demo) -> None:
    assert demo.run("--rotate", "90").returncode == 0
    video = cv2.VideoCapture(str(demo.output / "landmarks.mp4"))
    assert (video.get(cv2.CAP_PROP_FRAME_WIDTH), video.get(cv2.CAP_PROP_FRAME_HEIGHT)) == (480, 640)


@pytest.mark.parametrize(
    "number",
    [signal.SIGINT, *(pytest.param(other, marks=pytest.mark.slow) for other in (signal.SIGTERM, signal.SIGHUP))],
)
def test_interrupted_demo_leaves_nothing_running(demo: Demo, number: signal.Signals) -> None:
    process = demo.start("--rate", "2")
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if " frames " in line:
            break
    assert len(demo.processes()) == 4, "".join(seen)
    os.killpg(process.pid, number)
    rest, _ = process.communicate(timeout=LIMIT)
    assert process.returncode != 0
    assert not demo.processes(), "".join(seen) + rest
    assert (demo.output / "summary.json").exists()


@pytest.mark.slow
def test_impatient_interrupts_leave_nothing_running(demo: Demo) -> None:
    process = demo.start("--rate", "2")
    assert process.stdout is not None
    assert any(" frames " in line for line in process.stdout)
    for _ in range(4):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.05)
    process.communicate(timeout=LIMIT)
    assert process.returncode != 0
    assert not demo.processes()
    assert (demo.output / "summary.json").exists()


def test_node_that_dies_ends_the_demo(demo: Demo) -> None:
    process = demo.start("--rate", "2")
    assert process.stdout is not None
    assert any(" frames " in line for line in process.stdout)
    (detector,) = (pid for pid in demo.processes() if b"/detector\0" in Path(f"/proc/{pid}/cmdline").read_bytes())
    os.kill(detector, signal.SIGKILL)
    rest, _ = process.communicate(timeout=LIMIT)
    assert process.returncode != 0
    assert "detector has ended" in rest
    assert not demo.processes()


@pytest.mark.slow
def test_packaged_clip_and_models_show_faces(tmp_path: Path) -> None:
    """What a newcomer sees: the command without options."""
    output = tmp_path / "output"
    done = subprocess.run(
        ["bash", str(ROOT / "scripts/demo.sh"), "--output", str(output)], capture_output=True, text=True, timeout=LIMIT
    )
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads((output / "summary.json").read_text())
    assert summary["results_with_a_face"] > 0.8 * summary["results"] > 0


def test_input_that_is_not_there_is_named(demo: Demo, tmp_path: Path) -> None:
    done = demo.run("--input", str(tmp_path / "nothing.npz"))
    assert done.returncode != 0
    assert "nothing.npz" in done.stderr
    assert "Traceback" not in done.stderr


def test_input_without_images_is_named(demo: Demo, tmp_path: Path) -> None:
    empty = tmp_path / "empty.avi"
    cv2.VideoWriter(str(empty), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 48)).release()
    done = demo.run("--input", str(empty))
    assert done.returncode != 0
    assert "empty.avi: OpenCV can read no image in this video" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_input_of_which_every_image_is_refused_is_a_failure(demo: Demo, tmp_path: Path) -> None:
    """A picture of a palette, said to hold temperatures."""
    np.savez(tmp_path / "palette.npz", frames=np.zeros((20, 120, 160, 3), np.uint8), fps=30.0)
    done = demo.run("--input", str(tmp_path / "palette.npz"), "--unit", "centikelvin")
    assert done.returncode == 1
    assert "the detector gave no result for any of" in done.stderr
    assert "image refused" in done.stdout + done.stderr


def test_detector_that_cannot_start_ends_the_demo(demo: Demo, tmp_path: Path) -> None:
    done = demo.run("--models", str(tmp_path / "no_models"))
    assert done.returncode != 0
    assert "no_models" in done.stdout + done.stderr
    assert not demo.processes()
