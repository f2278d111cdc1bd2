# SPDX-License-Identifier: Apache-2.0
"""How fast the capture node records, and what accidents leave.

    python benchmarks/capture.py [--seconds 15] [--disk DIR] [--memory /dev/shm] [--only throughput|faults] [--out FILE]

Throughput: two processes publish images of a thermal camera (640 x 512, 16 bit) and of an RGB camera (1280 x 720, bgr8), serialised
beforehand, with the profile config/fastdds.xml; the node records them. A pair is lost when its number is missing between the first and
the last that were recorded. Beside that: the writer without DDS, fed from memory, and `dd` of the recorded file with a flush at the end.
Once on a disk, once in memory, which shows what the disk has to do with it.

Faults: each is made on purpose while the node records at 10 Hz; then the bag is read with rosbags. Full disk and
read-only folder need root, to mount a small tmpfs.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "test")]
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
for profile in ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"):
    os.environ[profile] = str(ROOT / "config/fastdds.xml")

from capture_messages import TOPICS, contents, image  # noqa: E402
from pipeline import machine  # noqa: E402

from thermal_fld_ros.capture.bag import recover  # noqa: E402
from thermal_fld_ros.capture.episode import Episode, EpisodeOptions, Label  # noqa: E402
from thermal_fld_ros.capture.memory import keep_large_blocks  # noqa: E402
from thermal_fld_ros.capture.pair import CapturedPair  # noqa: E402
from thermal_fld_ros.recordings.messages import RGB, THERMAL, stamp_of  # noqa: E402

IMAGES = {THERMAL: ((512, 640), np.uint16, "mono16"), RGB: ((720, 1280, 3), np.uint8, "bgr8")}
RATES = (30.0, 20.0, 10.0)
"""Hz, until nothing is lost."""

CAMERA = """
import struct, sys, time
import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

topic, file, rate, first_pixel = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
data = bytearray(open(file, "rb").read())
rclpy.init()
publisher = rclpy.create_node("camera").create_publisher(Image, topic, QoSProfile(depth=2, reliability=ReliabilityPolicy.BEST_EFFORT))
start = time.time()  # both cameras count alike: frame n has the stamp n / rate
number = int(start * rate) + 1
while True:
    time.sleep(max(number / rate - time.time(), 0))
    stamp = round(number / rate * 1e9)
    struct.pack_into("<iI", data, 4, *divmod(stamp, 10**9))
    data[first_pixel] = number % 251  # a live sensor never repeats itself
    publisher.publish(bytes(data))
    number += 1
"""


def frames() -> dict[str, bytes]:
    """A serialised image of each camera: noise, which no disk makes smaller."""
    noise = np.random.default_rng(0)
    return {
        role: image(noise.integers(0, np.iinfo(dtype).max, shape, dtype), encoding)
        for role, (shape, dtype, encoding) in IMAGES.items()
    }


class Session:
    """Two cameras and the capture node, each a process."""

    def __init__(self, folder: Path, rate: float, **parameters: object) -> None:
        self.output = folder / "bags"
        self.log = folder / "node.log"
        self.cameras: dict[str, subprocess.Popen[bytes]] = {}
        for role, data in frames().items():
            file = folder / f"{role}.bin"
            file.write_bytes(data)
            shape, dtype, _ = IMAGES[role]
            first_pixel = len(data) - int(np.prod(shape)) * np.dtype(dtype).itemsize
            command = [sys.executable, "-c", CAMERA, f"/{role}/image", str(file), str(rate), str(first_pixel)]
            self.cameras[role] = subprocess.Popen(command, start_new_session=True)
        parameters = {
            "output": self.output,
            "consent": "noise, nobody is in it",
            "diagnostics_period": 0.5,
            **parameters,
        }
        arguments = [argument for name, value in parameters.items() for argument in ("-p", f"{name}:={value}")]
        command = [sys.executable, "-m", "thermal_fld_ros.nodes.capture", "--ros-args", *arguments]
        with self.log.open("wb") as log:
            self.node = subprocess.Popen(command, cwd=ROOT, stderr=log, start_new_session=True)

    def bag(self) -> Path:
        return next(self.output.iterdir())

    def manifest(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.bag() / "manifest.json").read_text())
        return content

    def written(self) -> int:
        return int(self.manifest()["pairs"]["written"]) if self.output.is_dir() and any(self.output.iterdir()) else 0

    def wait_for(self, condition: Callable[[], Any], seconds: float = 60.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                sys.exit(f"it did not happen; the node's log:\n{self.log.read_text()}")
            time.sleep(0.05)

    def logged(self, text: str) -> str:
        """The first line of the node's log with this text."""
        self.wait_for(lambda: text in self.log.read_text())
        line = next(line for line in self.log.read_text().splitlines() if text in line)
        return re.sub(r"^\[\w+\] \[[\d.]+\] \[[\w.]+\]: ", "", line).replace(str(self.output.parent), "...")

    def end(self, number: int = signal.SIGINT) -> None:
        if self.node.poll() is None:
            self.node.send_signal(number)
            self.node.wait(120)
        for camera in self.cameras.values():
            camera.kill()
            camera.wait()


def throughput(folder: Path, seconds: float, rate: float) -> dict[str, Any]:
    """Record for some seconds."""
    session = Session(folder, rate, min_free_space=500.0)
    try:
        session.wait_for(lambda: session.written() > 0)
        time.sleep(seconds)
    finally:
        session.end()
    manifest, bag = session.manifest(), contents(session.bag())
    numbers = sorted(round(stamp_of(pair["/thermal/image"]) * rate / 1e9) for pair in bag.values())
    expected = numbers[-1] - numbers[0] + 1
    size = sum(path.stat().st_size for path in session.bag().glob("*.mcap"))
    duration = (expected - 1) / rate
    return {
        "rate_hz": rate,
        "seconds": round(duration, 1),
        "pairs_expected": expected,
        "pairs_lost": expected - len(numbers),
        "megabytes_per_second": round(size / 1e6 / duration, 1),
        "pairs": manifest["pairs"],
        "messages": manifest["messages"],
        "node_log": [line for line in session.log.read_text().splitlines() if "WARN" in line or "ERROR" in line],
        "file": str(next(session.bag().glob("*.mcap"))),
    }


def writer_alone(folder: Path, count: int) -> dict[str, Any]:
    """Pairs from memory through an episode, as fast as it takes them."""
    messages = frames()
    options = EpisodeOptions(min_free_space=0.0, write_queue=100.0)
    episode = Episode(folder / "alone", TOPICS, options, Label(), {}, dict, print)
    started, processor = time.monotonic(), time.process_time()
    for number in range(count):
        pair = CapturedPair(messages, number, 0)
        while episode.waiting_bytes + pair.size > 90e6:
            time.sleep(0.001)
        episode.put(pair)
    episode.stop()
    elapsed, processor = time.monotonic() - started, time.process_time() - processor
    size = episode.written_bytes / 1e6
    return {
        "pairs": episode.written,
        "megabytes_per_second": round(size / elapsed, 1),
        "megabytes_per_processor_second": round(size / processor, 1),
    }


def dd(source: Path, target: Path) -> float:
    """MB/s of copying a file, flushed at the end."""
    started = time.monotonic()
    subprocess.run(
        ["dd", f"if={source}", f"of={target}", "bs=4M", "conv=fdatasync"], check=True, stderr=subprocess.DEVNULL
    )
    return round(source.stat().st_size / 1e6 / (time.monotonic() - started), 1)


def speed(folder: Path, seconds: float) -> dict[str, Any]:
    """Everything that is measured in one place."""
    result: dict[str, Any] = {"over_dds": []}
    for rate in RATES:
        place = folder / f"rate_{rate:g}"
        place.mkdir()
        measured = throughput(place, seconds, rate)
        file = Path(measured.pop("file"))
        result["over_dds"].append(measured)
        print(measured, flush=True)
        if measured["pairs_lost"] == 0 or rate == RATES[-1]:
            result["dd_megabytes_per_second"] = dd(file, folder / "copy")
            (folder / "copy").unlink()
        shutil.rmtree(place)
        if measured["pairs_lost"] == 0:
            break
    result["writer_alone"] = writer_alone(folder, 300)
    shutil.rmtree(folder / "alone")
    print(result["writer_alone"], "dd", result["dd_megabytes_per_second"], flush=True)
    return result


# --- faults


def kept(session: Session) -> dict[str, Any]:
    """What rosbags reads of the bag, and what the manifest says."""
    manifest = session.manifest()
    groups = list(contents(session.bag()).values())
    whole = sum(len(group) == len(TOPICS) for group in groups)
    return {"state": manifest["state"], "manifest_pairs": manifest["pairs"], "pairs_read": whole}


def full_disk(folder: Path, floor: float) -> dict[str, Any]:
    """A tmpfs of 100 MB fills up."""
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100m", "tmpfs", str(disk)], check=True)
    session = None
    try:
        session = Session(folder, 10.0, output=disk / "bags", min_free_space=floor, flush_period=0.2)
        session.output = disk / "bags"
        line = session.logged("the recording has ended")
        session.end()
        return {"log": line.replace(str(disk), "..."), **kept(session)}
    finally:
        if session is not None:
            session.end(signal.SIGKILL)
        subprocess.run(["umount", str(disk)], check=True)


def killed(folder: Path) -> dict[str, Any]:
    """SIGKILL in the midst of it."""
    session = Session(folder, 10.0)
    try:
        session.wait_for(lambda: session.written() > 20)
        session.node.kill()
        session.node.wait()
    finally:
        session.end()
    before = session.written()
    recover(session.bag())
    return {**kept(session), "pairs_that_the_manifest_knew": before}


def read_only(folder: Path) -> dict[str, Any]:
    """A folder on a disk that is mounted read-only."""
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=10m,ro", "tmpfs", str(disk)], check=True)
    session = None
    try:
        session = Session(folder, 10.0, output=disk / "bags", min_free_space=0.0)
        line = session.logged("activate failed")
        return {"log": line.replace(str(disk), "...")}
    finally:
        if session is not None:
            session.end()
        subprocess.run(["umount", str(disk)], check=True)


def dying_topic(folder: Path) -> dict[str, Any]:
    """The RGB camera goes."""
    session = Session(folder, 10.0, no_message_timeout=1.0)
    try:
        session.wait_for(lambda: session.written() > 10)
        session.cameras[RGB].kill()
        line = session.logged("nothing on /rgb/image")
    finally:
        session.end()
    return {"log": line, **kept(session)}


def faults(folder: Path) -> dict[str, Any]:
    """All of them, by name."""
    cases: dict[str, Callable[[Path], dict[str, Any]]] = {"killed": killed, "a topic dies": dying_topic}
    if os.geteuid() == 0:
        cases |= {
            "full disk, min_free_space 30": lambda place: full_disk(place, 30.0),
            "full disk, min_free_space 0": lambda place: full_disk(place, 0.0),
            "read-only folder": read_only,
        }
    results = {}
    for name, case in cases.items():
        place = folder / re.sub(r"\W+", "_", name)
        place.mkdir()
        results[name] = case(place)
        print(name, results[name], flush=True)
        shutil.rmtree(place)
    return results


def main() -> None:
    """Measure and write the JSON."""
    keep_large_blocks()  # as the node does
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--disk", type=Path, help="folder on the disk to be measured (default: the temporary folder)")
    parser.add_argument("--memory", type=Path, default=Path("/dev/shm"), help="folder that lies in memory")
    parser.add_argument("--only", choices=("throughput", "faults"))
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/capture.json")
    args = parser.parse_args()
    result = json.loads(args.out.read_text()) if args.out.is_file() and args.only else {}
    with tempfile.TemporaryDirectory(dir=args.disk) as temporary:
        folder = Path(temporary)
        if args.only != "faults":
            result |= {"machine": machine(), "frames": {role: len(data) for role, data in frames().items()}}
            result["disk"] = speed(folder, args.seconds)
            if args.memory.is_dir():
                with tempfile.TemporaryDirectory(dir=args.memory) as memory:
                    result["memory"] = speed(Path(memory), args.seconds)
        if args.only != "throughput":
            result["faults"] = faults(folder)
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
