# SPDX-License-Identifier: Apache-2.0
"""How many large images arrive with Fast DDS's defaults, and how many with the package's profile.

    python benchmarks/transport.py [--count 150] [--out FILE]

One process publishes 640 x 512 images of 16 bit at 30 Hz, best effort; another counts them.
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


def arrived(count: int, profile: Path | None) -> int:
    """Images that reach the counter."""
    environment = {name: value for name, value in os.environ.items() if name not in PROFILES}
    if profile:
        environment |= dict.fromkeys(PROFILES, str(profile))
    counter = subprocess.Popen(
        [sys.executable, "-c", COUNTER], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    subprocess.run(
        [sys.executable, "-c", PUBLISHER, *map(str, (count, FPS, *SIZE))], cwd=ROOT, env=environment, check=True
    )
    return int(counter.communicate(timeout=60)[0])


def main() -> None:
    """Measure both and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/transport.json")
    args = parser.parse_args()
    result = {"machine": machine(), "size": SIZE, "rate_hz": FPS, "sent": args.count,
              "arrived_with_defaults": arrived(args.count, None),
              "arrived_with_profile": arrived(args.count, ROOT / "config/fastdds.xml")}  # fmt: skip
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print({name: value for name, value in result.items() if name != "machine"})


if __name__ == "__main__":
    main()
