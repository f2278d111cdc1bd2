# SPDX-License-Identifier: Apache-2.0
"""Send the detector node a great many images over DDS and watch its memory, threads and open files.

    python benchmarks/soak.py [--frames 100000] [--rate 60] [--out FILE]

The node runs in a process of its own with its default parameters. Each image is sent after the previous one was answered, and at most
`rate` a second, so a busy machine makes the run longer and changes nothing else. The demo's clip is played back and forth; its
true landmarks tell whether the node still finds the faces where they are. Ctrl-C ends the run early and writes what it has shown.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from node import ROOT, processor_seconds  # sets up DDS: keep it first

import numpy as np  # isort: skip
import rclpy
import rclpy.time
from pipeline import back_and_forth, machine
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from thermal_fld_ros.msg import FaceLandmarksArray
from thermal_fld_ros.nodes import qos
from thermal_fld_ros.nodes.messages import image_from_array, points_from_field
from thermal_fld_ros.provenance import git_state

CLIP = ROOT / "resource/demo_clip.npz"
FPS = 30.0
SAMPLES = 100
"""How often memory, threads and open files are read."""

MOST_SECONDS_TO_START = 60.0
MOST_SECONDS_TO_ANSWER = 10.0
MOST_GROWTH = 4_000_000
"""Bytes from the second tenth of the run, when all caches are filled, to the last one."""


class Camera:
    """Publishes an image and waits for its answer."""

    def __init__(self, images: list[Image]) -> None:
        self._images = images
        self._node = rclpy.create_node("camera")
        self._publisher = self._node.create_publisher(Image, "image", QoSProfile(depth=1))
        self._node.create_subscription(FaceLandmarksArray, "face_landmarks", self._on_result, qos.results())
        self._result: FaceLandmarksArray | None = None
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)

    def ask(self, index: int, seconds: float) -> FaceLandmarksArray | None:
        """The answer to the image of an index, or None if it does not come within this time."""
        image = self._images[back_and_forth(index, len(self._images))]
        image.header.stamp = rclpy.time.Time(seconds=1 + index / FPS).to_msg()
        latest = time.monotonic() + seconds
        self._publisher.publish(image)
        while (left := latest - time.monotonic()) > 0:
            self._executor.spin_once(left)
            if self._result is not None and self._result.header.stamp == image.header.stamp:
                return self._result
        return None

    def _on_result(self, result: FaceLandmarksArray) -> None:
        self._result = result


def state_of(pid: int) -> dict[str, int]:
    """Resident bytes, threads and open files of a process."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {
        "resident_bytes": int(status["VmRSS"].split()[0]) * 1024,
        "threads": int(status["Threads"]),
        "open_files": len(list(Path(f"/proc/{pid}/fd").iterdir())),
    }


def error(result: FaceLandmarksArray | None, truth: np.ndarray) -> float:
    """Mean distance of the nearest face's landmarks to the true ones, in % of the root of the face's area.

    Infinite when no face was found, NaN when there was no answer.
    """
    if result is None:
        return math.nan
    found = [np.linalg.norm(points_from_field(face.points) - truth, axis=1).mean() for face in result.faces]
    return float(100.0 * min(found) / np.sqrt(np.prod(np.ptp(truth, axis=0)))) if found else math.inf


def soak(camera: Camera, truth: np.ndarray, frames: int, rate: float, pid: int) -> dict[str, Any]:
    """Ask for all frames in turn; what came back and what the process held meanwhile."""
    started = time.monotonic()
    while camera.ask(0, 1.0) is None:
        if time.monotonic() > started + MOST_SECONDS_TO_START:
            raise SystemExit(f"no answer within {MOST_SECONDS_TO_START:.0f} s")
    errors: list[float] = []
    samples: list[dict[str, int]] = []
    every = max(frames // SAMPLES, 1)
    began, used = time.monotonic(), processor_seconds(pid)
    with contextlib.suppress(KeyboardInterrupt):
        for index in range(1, frames + 1):
            due = time.monotonic() + 1.0 / rate
            errors.append(error(camera.ask(index, MOST_SECONDS_TO_ANSWER), truth[back_and_forth(index, len(truth))]))
            if index % every == 0:
                samples.append({"frame": index, "seconds": round(time.monotonic() - began), **state_of(pid)})
                print(samples[-1], flush=True)
            time.sleep(max(due - time.monotonic(), 0.0))
    return figures(np.array(errors), samples, time.monotonic() - began, processor_seconds(pid) - used)


def figures(errors: np.ndarray, samples: list[dict[str, int]], seconds: float, cpu_seconds: float) -> dict[str, Any]:
    """What a run shows: errors by frame (infinite without a face, NaN without an answer) and the states of the process."""
    frames, tenth = len(errors), max(len(samples) // 10, 1)
    found = np.isfinite(errors)
    memory = [sample["resident_bytes"] for sample in samples]
    return {
        "frames": frames,
        "answered": int((~np.isnan(errors)).sum()),
        "with_a_face": int(found.sum()),
        "error_percent": {
            "first_tenth": round(float(errors[: frames // 10][found[: frames // 10]].mean()), 3),
            "last_tenth": round(float(errors[-(frames // 10) :][found[-(frames // 10) :]].mean()), 3),
            "largest": round(float(errors[found].max()), 3),
        },
        "seconds": round(seconds),
        "frames_per_second": round(frames / seconds, 1),
        "cpu_ms_per_frame": round(1e3 * cpu_seconds / frames, 2),
        "growth_bytes": int(np.median(memory[-tenth:]) - np.median(memory[tenth : 2 * tenth])),
        "growth_threads": samples[-1]["threads"] - samples[0]["threads"],
        "growth_open_files": samples[-1]["open_files"] - samples[0]["open_files"],
        "samples": samples,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=60.0, help="images a second at most")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/soak.json")
    args = parser.parse_args()
    clip = np.load(CLIP)
    about = {"machine": machine(), "git": git_state(), "input": CLIP.name, "rate_hz": args.rate}

    rclpy.init()
    header = Header(frame_id="thermal_optical")
    camera = Camera([image_from_array(pixels, header) for pixels in clip["frames"]])
    parameters = ["--ros-args", "-p", "unit:=centikelvin", "-p", "image_reliability:=reliable"]
    node = subprocess.Popen(
        [sys.executable, "-m", "thermal_fld_ros.nodes.detector", *parameters], cwd=ROOT, start_new_session=True
    )
    try:
        measured = soak(camera, clip["points"], args.frames, args.rate, node.pid)
    finally:
        node.send_signal(signal.SIGINT)
        status = node.wait(30)
    flat = measured["growth_bytes"] < MOST_GROWTH and measured["growth_open_files"] <= 0 >= measured["growth_threads"]
    result = {**about, "exit_status": status, "memory_is_flat": bool(flat), **measured}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({key: value for key, value in result.items() if key != "samples"}, indent=1))
    return 0 if flat and status == 0 and measured["answered"] == args.frames else 1


if __name__ == "__main__":
    sys.exit(main())
