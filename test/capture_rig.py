# SPDX-License-Identifier: Apache-2.0
"""A capture node, and cameras that send it serialised messages over DDS."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from capture_messages import camera_info, compressed, compressed_depth_message, image, landmarks
from node_rig import NodeRig
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_srvs.srv import Trigger

from thermal_fld_ros.msg import FaceLandmarksArray
from thermal_fld_ros.nodes.capture import TOPICS, CaptureNode
from thermal_fld_ros.recordings.messages import LANDMARKS, RGB, THERMAL
from thermal_fld_ros.srv import StartEpisode

SECOND = 1_000_000_000
PARAMETERS: dict[str, Any] = {
    "reliability": "reliable",
    "record": False,
    "min_free_space": 0.0,
    "flush_period": 0.05,
    "skip_shutter": False,
    "pairing_queue": 200,
    "consent": "a test",
}


class CaptureRig(NodeRig):
    """The node in this process; the tester is both cameras and the detector."""

    def __init__(self, output: Path) -> None:
        super().__init__("thermal_fld_capture", {**PARAMETERS, "output": str(output)})
        self.output = output
        self.bag = Path()
        self.sent: dict[str, list[bytes]] = {}
        self._time = 1_700_000_000 * SECOND
        self.publishers: dict[str, Any] = {}
        self._seed = 0
        self.depth = self.frozen = False

        # The tester sends faster than any camera.
        depth = "qos_overrides.{}/{}.subscription.depth"
        self.parameters |= {depth.format(self.namespace, topic): 1000 for topic in TOPICS.values()}

    def start(self, *, arguments: tuple[str, ...] = (), **parameters: Any) -> CaptureNode:
        return self.start_node(CaptureNode, arguments, parameters)

    def connect(
        self,
        *roles: str,
        types: dict[str, type] | None = None,
        topics: dict[str, str] | None = None,
        shift: float = 0.0,
    ) -> None:
        """Send messages of these roles until pairs are made of them; from then on nothing is lost."""
        self.offer(*roles, types=types, topics=topics)

        def paired() -> bool:
            self.send_pair(*roles, shift=shift)
            time.sleep(0.05)
            return bool(self.statuses) and self.values().get("pairs", "0") != "0"

        self.wait_for(paired, "a first pair")

    def offer(self, *roles: str, types: dict[str, type] | None = None, topics: dict[str, str] | None = None) -> None:
        """Let there be publishers of these roles."""
        names = {**TOPICS, **(topics or {})}
        kinds = {THERMAL: Image, RGB: Image, f"{THERMAL}_info": CameraInfo, f"{RGB}_info": CameraInfo}
        kinds |= {LANDMARKS: FaceLandmarksArray, **(types or {})}
        for role in roles:
            self.publishers[role] = self.node.create_publisher(kinds[role], names[role], QoSProfile(depth=100))

    def values(self) -> dict[str, str]:
        """Of the last diagnostic status."""
        return {entry.key: entry.value for entry in self.statuses[-1].values}

    # --- the cameras

    def now(self, seconds: float = 0.0) -> int:
        """The time in the cameras' world, after `seconds` more have gone by; ns."""
        self._time += round(seconds * SECOND)
        return self._time

    def send(self, role: str, stamp: int) -> bytes:
        """Publish a message of this stamp; its bytes."""
        data = self.message(role, stamp)
        self.publishers[role].publish(data)
        self.sent.setdefault(role, []).append(data)
        return data

    def message(self, role: str, stamp: int) -> bytes:
        if role == LANDMARKS:
            return landmarks(stamp=stamp)
        if role.endswith("_info"):
            return camera_info(stamp=stamp)
        self._seed += 1
        noise = np.random.default_rng(self._seed)
        if role == THERMAL:
            pixels = noise.integers(20_000, 40_000, (24, 32), np.uint16)
            if self.frozen:
                pixels = self._last
            self._last = pixels
            if self.depth:
                return compressed_depth_message(pixels, stamp)
            return image(pixels, "mono16", stamp)
        colour = noise.integers(0, 255, (36, 48, 3), np.uint8)
        if self.publishers and self.publishers[RGB].msg_type is CompressedImage:
            return compressed(colour, ".jpg", "bgr8; jpeg compressed bgr8", stamp)
        return image(colour, "bgr8", stamp)

    def send_pair(self, *roles: str, shift: float = 0.0) -> dict[str, bytes]:
        """A message of each role a tenth of a second later; those of the RGB camera `shift` seconds after the others."""
        stamp = self.now(0.1)
        return {role: self.send(role, stamp + round(shift * SECOND) * role.startswith(RGB)) for role in roles}

    # --- episodes

    def begin(self, subject: str = "", **fields: str) -> StartEpisode.Response:
        response = self.call(StartEpisode, "start_episode", StartEpisode.Request(subject=subject, **fields))
        self.bag = Path(response.bag)
        self.sent = {}
        return response

    def end(self) -> Trigger.Response:
        return self.call(Trigger, "stop_episode", Trigger.Request())

    def manifest(self, bag: Path | None = None) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(((bag or self.bag) / "manifest.json").read_text())
        return content

    def wait_for_received(self, counts: dict[str, int]) -> None:
        """Wait until this many messages of each role have arrived since the episode began."""
        self.wait_for(
            lambda: all(self.values().get(f"{role} received") == str(count) for role, count in counts.items()),
            f"messages: {counts}",
        )
