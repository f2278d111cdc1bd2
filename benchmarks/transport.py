# SPDX-License-Identifier: Apache-2.0
"""What the package's Fast DDS profile is worth: how many large images arrive, and how long a node that starts waits for its first one.

    python benchmarks/transport.py [--count 150] [--starts 25] [--out FILE]

One process publishes 640 x 512 images of 16 bit at 30 Hz, best effort; another counts them. Then one publishes small images, with and
without the profile, and others, without it, start one after the other and wait for their first image.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"

from pipeline import FPS, SIZE, machine  # noqa: E402

PROFILES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")

PUBLISHER = """
import sys, time, numpy as np, rclpy
from std_msgs.msg import Header
from sensor_msgs.msg import Image
from thermal_fld_ros.nodes import qos
from thermal_fld_ros.nodes.messages import image_from_array

count, rate, width, height = map(float, sys.argv[1:])
rclpy.init()
node = rclpy.create_node("camera")
publisher = node.create_publisher(Image, "image", qos.images())
image = image_from_array(np.zeros((int(height), int(width)), np.uint16), Header())
while publisher.get_subscription_count() == 0:
    time.sleep(0.05)
due = time.monotonic()
for _ in range(int(count)):
    due += 1 / rate
    time.sleep(max(due - time.monotonic(), 0))
    publisher.publish(image)
while publisher.get_subscription_count():  # the counter leaves after a second without images
    time.sleep(0.05)
"""
COUNTER = """
import time, rclpy
from sensor_msgs.msg import Image
from thermal_fld_ros.nodes import qos

rclpy.init()
node = rclpy.create_node("counter")
arrived, last = 0, time.monotonic() + 30

def count(image):
    global arrived, last
    arrived, last = arrived + 1, time.monotonic()

node.create_subscription(Image, "image", count, qos.images())
while node.count_publishers("image") == 0 and time.monotonic() < last:
    rclpy.spin_once(node, timeout_sec=0.1)
started = last = time.monotonic()
while time.monotonic() < max(last, started + 8) + 1:
    rclpy.spin_once(node, timeout_sec=0.1)
print(arrived)
"""

CAMERA = """
import time, rclpy
from sensor_msgs.msg import Image
from thermal_fld_ros.nodes import qos

rclpy.init()
publisher = rclpy.create_node("camera").create_publisher(Image, "image", qos.images())
while True:
    publisher.publish(Image())
    time.sleep(1 / 30)
"""
LISTENER = """
import time, rclpy
from sensor_msgs.msg import Image
from thermal_fld_ros.nodes import qos

started = time.monotonic()
rclpy.init()
node = rclpy.create_node("listener")
images = []
node.create_subscription(Image, "image", images.append, qos.images())
while not images:
    rclpy.spin_once(node, timeout_sec=0.1)
print(time.monotonic() - started)
"""


def environment_with(profile: Path | None) -> dict[str, str]:
    """That of this process, with a profile or none."""
    environment = {name: value for name, value in os.environ.items() if name not in PROFILES}
    return environment | (dict.fromkeys(PROFILES, str(profile)) if profile else {})


def first_images(count: int, profile: Path | None) -> list[float]:
    """Seconds from the start of a node to its first image, of nodes that start while a camera runs with that profile."""
    camera = subprocess.Popen([sys.executable, "-c", CAMERA], cwd=ROOT, env=environment_with(profile))
    try:
        return [
            float(subprocess.check_output([sys.executable, "-c", LISTENER], cwd=ROOT, env=environment_with(None)))
            for _ in range(count)
        ]
    finally:
        camera.kill()
        camera.wait()


def arrived(count: int, profile: Path | None) -> int:
    """Images that reach the counter."""
    environment = environment_with(profile)
    counter = subprocess.Popen(
        [sys.executable, "-c", COUNTER], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    subprocess.run(
        [sys.executable, "-c", PUBLISHER, *map(str, (count, FPS, *SIZE))], cwd=ROOT, env=environment, check=True
    )
    return int(counter.communicate(timeout=60)[0])


def rounded(seconds: list[float]) -> list[float]:
    """To hundredths, the least first."""
    return [round(one, 2) for one in sorted(seconds)]


def main() -> None:
    """Measure both and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=150, help="images")
    parser.add_argument("--starts", type=int, default=25, help="nodes that start")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/transport.json")
    args = parser.parse_args()
    profile = ROOT / "config/fastdds.xml"
    result = {"machine": machine(), "size": SIZE, "rate_hz": FPS, "sent": args.count,
              "arrived_with_defaults": arrived(args.count, None), "arrived_with_profile": arrived(args.count, profile),
              "first_image_s_with_defaults": rounded(first_images(args.starts, None)),
              "first_image_s_with_profile": rounded(first_images(args.starts, profile))}  # fmt: skip
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print({name: value for name, value in result.items() if name != "machine"})


if __name__ == "__main__":
    main()
