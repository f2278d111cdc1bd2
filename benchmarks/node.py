# SPDX-License-Identifier: Apache-2.0
"""Latency and losses of the detector node over DDS, beside those of a bare rclpy node.

    python benchmarks/node.py [--input RECORDING] [--models FOLDER] [--seconds 20] [--rounds 2] [--out FILE]

This process publishes 640 x 512 frames of 16 bit at 30 Hz, as a camera would, and takes the time from just before `publish` to
the result's arrival. In turn it is answered by a bare node, which answers each image with an empty FaceLandmarksArray, and by the
detector, each in a process of its own. The figures in the documentation are those of an idle machine; the load average is
stored with the results.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
for profile in ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"):
    os.environ.setdefault(profile, str(ROOT / "config/fastdds.xml"))

import numpy as np  # noqa: E402
import rclpy  # noqa: E402
import rclpy.time  # noqa: E402
from pipeline import FPS, SIZE, back_and_forth, machine, to_size  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from thermal_fld_ros.msg import FaceLandmarksArray  # noqa: E402
from thermal_fld_ros.nodes import qos  # noqa: E402
from thermal_fld_ros.nodes.messages import image_from_array  # noqa: E402
from thermal_fld_ros.perception.models import DETECTOR_FILE, LANDMARKS_FILE  # noqa: E402
from thermal_fld_ros.recordings.opening import open_source  # noqa: E402

MOST_TIMES_BARE = 3.0
MOST_MEGABYTES = 300.0
MOST_SECONDS_TO_START = 60.0
WARM_UP = 30
"""Frames that do not count: the first detection, caches, allocations."""

BARE = """
import rclpy
from sensor_msgs.msg import Image
from thermal_fld_ros.msg import FaceLandmarksArray
from thermal_fld_ros.nodes import qos

rclpy.init()
node = rclpy.create_node("bare")
publisher = node.create_publisher(FaceLandmarksArray, "face_landmarks", qos.results())
node.create_subscription(
    Image, "image", lambda image: publisher.publish(FaceLandmarksArray(header=image.header)), qos.images()
)
try:
    rclpy.spin(node)
except KeyboardInterrupt:
    pass
"""


class Camera:
    """Publishes the images and takes the time until each is answered."""

    def __init__(self, images: list[Image]) -> None:
        self._images = images
        self._node = rclpy.create_node("camera")
        self._publisher = self._node.create_publisher(Image, "image", qos.images())
        self._node.create_subscription(FaceLandmarksArray, "face_landmarks", self._on_result, qos.results())
        self._sent: dict[int, float] = {}
        self._answered: dict[int, float] = {}
        self._faces: list[int] = []
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._executor.spin)
        self._thread.start()

    def close(self) -> None:
        self._executor.shutdown()
        self._thread.join()
        self._node.destroy_node()

    def measure(self, seconds: float) -> dict[str, Any]:
        """Publish until the node answers, then for some seconds at `FPS`."""
        self._sent, self._answered, self._faces = {}, {}, []
        index = 0
        latest = time.monotonic() + MOST_SECONDS_TO_START
        while not self._answered:
            if time.monotonic() > latest:
                raise RuntimeError(f"no answer within {MOST_SECONDS_TO_START:.0f} s")
            self._publish(index)
            index += 1
            time.sleep(0.1)
        first = index + WARM_UP
        last = first + round(seconds * FPS)
        due = time.monotonic()
        for current in range(index, last):
            due += 1.0 / FPS
            time.sleep(max(due - time.monotonic(), 0.0))
            self._publish(current)
        time.sleep(1.0)
        if not any(i in self._answered for i in range(first, last)):
            raise SystemExit("no image was answered while measuring")
        latencies = [self._answered[i] - self._sent[i] for i in range(first, last) if i in self._answered]
        return {
            "sent": last - first,
            "answered": len(latencies),
            "with_a_face": sum(count > 0 for count in self._faces[-len(latencies) :]),
            "latency_ms": {
                "median": round(1e3 * float(np.median(latencies)), 3),
                "p99": round(1e3 * float(np.percentile(latencies, 99)), 3),
            },
        }

    def _publish(self, index: int) -> None:
        image = self._images[back_and_forth(index, len(self._images))]
        image.header.stamp = rclpy.time.Time(seconds=1 + index / FPS).to_msg()
        image.header.frame_id = str(index)
        self._sent[index] = time.monotonic()
        self._publisher.publish(image)

    def _on_result(self, result: FaceLandmarksArray) -> None:
        self._answered[int(result.header.frame_id)] = time.monotonic()
        self._faces.append(len(result.faces))


def answer_with(command: list[str], camera: Camera, seconds: float) -> dict[str, Any]:
    """Start the answering process, measure, and end it."""
    process = subprocess.Popen([sys.executable, *command], cwd=ROOT, start_new_session=True)
    try:
        figures = camera.measure(seconds)
        figures["memory_mb"] = resident_megabytes(process.pid)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
    return figures


def resident_megabytes(pid: int) -> float:
    """Peak of the process's resident memory."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return round(int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024 / 1e6, 1)  # type: ignore[index]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--input", type=Path, default=ROOT / "resource/demo_clip.npz", help="16-bit recording with a face"
    )
    parser.add_argument("--models", type=Path, help="folder of the two models, default: the shipped ones")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=2, help="how often both are measured in turn")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/node.json")
    args = parser.parse_args()

    rclpy.init()
    frames = [to_size(image.decode().pixels).decode().pixels for image in open_source(args.input)]
    camera = Camera([image_from_array(pixels, Header()) for pixels in frames])
    parameters = ["-p", "unit:=centikelvin"]
    if args.models:
        for name, file in (("detector_model", DETECTOR_FILE), ("landmark_model", LANDMARKS_FILE)):
            parameters += ["-p", f"{name}:={args.models / file}"]
    commands = {
        "bare": ["-c", BARE],
        "detector": ["-m", "thermal_fld_ros.nodes.detector", "--ros-args", *parameters],
    }
    try:
        rounds = [
            {name: answer_with(command, camera, args.seconds) for name, command in commands.items()}
            for _ in range(args.rounds)
        ]
    finally:
        camera.close()
        rclpy.shutdown()
    result = {"machine": machine(), "input": args.input.name, "size": SIZE, "rate_hz": FPS, "rounds": rounds}
    result["summary"] = summary(rounds)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for number, figures in enumerate(rounds, 1):
        for name, values in figures.items():
            print(f"round {number} {name:9} {values}")
    print(result["summary"])


def summary(rounds: list[dict[str, dict[str, Any]]]) -> dict[str, Any]:
    """The worst round against the targets."""
    times = max(r["detector"]["latency_ms"]["median"] / r["bare"]["latency_ms"]["median"] for r in rounds)
    memory = max(r["detector"]["memory_mb"] for r in rounds)
    lost = sum(r["detector"]["sent"] - r["detector"]["answered"] for r in rounds)
    return {
        "median_times_bare": round(times, 2),
        "frames_lost": lost,
        "memory_mb": memory,
        "targets_met": bool(times <= MOST_TIMES_BARE and memory < MOST_MEGABYTES and lost == 0),
    }


if __name__ == "__main__":
    main()
