# SPDX-License-Identifier: Apache-2.0
"""The node `thermal_fld_replay`: plays a file as a camera would.

It publishes the images of a folder, a video, an array or a bag on `image`, unchanged, at the pace of the recording, each with the
time of its publication as a camera's driver stamps it, and with each a `camera_info` of an assumed field of view.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from thermal_fld_ros.nodes import qos
from thermal_fld_ros.nodes.messages import field_from_array
from thermal_fld_ros.nodes.parameters import Parameter, Parameters
from thermal_fld_ros.nodes.process import run_node
from thermal_fld_ros.perception.camera import Camera
from thermal_fld_ros.recordings.opening import open_source
from thermal_fld_ros.recordings.source import Entry, RawImage, Reading, SourceError

TABLE = (
    Parameter("input", "", "What to play: any input of docs/input.md.", read_only=True),
    Parameter("topic", "", "Image topic of a bag that has several.", read_only=True),
    Parameter("axes", "", "Order of an array's axes, such as THW or HWT; empty: by its shape.", read_only=True),
    Parameter(
        "preview",
        False,
        "Play the preview picture of radiometric JPEG files instead of their temperatures.",
        read_only=True,
    ),
    Parameter("rate", 0.0, "Images per second; 0: the recording's own rate, or 30.", 0.0, 1000.0, read_only=True),
    Parameter("loop", False, "Start again at the end, until interrupted.", read_only=True),
    Parameter("frame_id", "thermal_camera_optical_frame", "frame_id of the images.", read_only=True),
    Parameter(
        "field_of_view",
        50.0,
        "Field of view of the longer side of the images in degrees, published as camera_info; 0: publish no camera_info.",
        0.0,
        170.0,
        read_only=True,
    ),
    Parameter(
        "wait_for_subscribers",
        0,
        "Number of subscriptions of the image topic to wait for before the start.",
        0,
        100,
        read_only=True,
    ),
)
DEFAULT_RATE = 30.0
END_PAUSE = 0.5
"""Seconds between the last image and the end, in which slow subscribers fetch it."""


class ReplayNode(Node):
    """Publishes one image per tick of a timer, and is `finished` some time after the last one."""

    def __init__(self, **options: Any) -> None:
        super().__init__("thermal_fld_replay", **options)
        values = Parameters(self, TABLE, lambda values, changed: None).values
        self._loop, self._wait_for = bool(values["loop"]), int(values["wait_for_subscribers"])
        self._frame_id = str(values["frame_id"])
        if not values["input"]:
            raise SourceError("the parameter input is empty: name a recording, such as -p input:=recording.npz")
        self._field_of_view = float(values["field_of_view"])
        self._source = open_source(
            str(values["input"]), Reading(str(values["topic"]), str(values["axes"]), bool(values["preview"]))
        )
        for note in self._source.notes:
            self.get_logger().info(note)
        self._entries: Iterator[Entry] = self._source.entries()
        self._publisher = self.create_publisher(
            Image, "image", qos.camera_images(), qos_overriding_options=qos.overrides()
        )
        self._infos = self.create_publisher(
            CameraInfo, "camera_info", qos.camera_images(), qos_overriding_options=qos.overrides()
        )
        self.rate = float(values["rate"]) or self._source.fps or DEFAULT_RATE
        self.published = 0
        self.finished = False
        self._timer = self.create_timer(1.0 / self.rate, self._tick)

    def _tick(self) -> None:
        if self._publisher.get_subscription_count() < self._wait_for:
            waiting = f"waiting for {self._wait_for} subscription(s) of {self._publisher.topic_name}"
            self.get_logger().info(waiting, throttle_duration_sec=5.0, skip_first=True)
            return
        self._wait_for = 0
        try:
            image = self._next()
            if image is None and self._loop and self.published:
                self._entries = self._source.entries()
                image = self._next()
        except SourceError as error:  # what is damaged inside shows only here
            raise SystemExit(f"{self.get_name()}: {error}") from error
        if image is None:
            self._timer.cancel()
            self._timer = self.create_timer(END_PAUSE, self._finish)
        else:
            message = self._message(image)
            if self._field_of_view > 0.0:
                self._infos.publish(self._info(message))
            self._publisher.publish(message)
            self.published += 1

    def _next(self) -> RawImage | None:
        """The next image; unreadable ones are logged and skipped. Raises SourceError if none can be read."""
        error: SourceError | None = None
        for entry in self._entries:
            if not isinstance(entry, SourceError):
                return entry
            error = entry
            self.get_logger().warning(f"left out: {entry}")
        if error is not None and not self.published:
            raise error
        return None

    def _finish(self) -> None:
        self.finished = True

    def close(self, failure: str = "") -> None:
        """Tell what was played."""
        self.get_logger().info(f"published {self.published} images at {self.rate:.3g} Hz")

    def _info(self, image: Image) -> CameraInfo:
        camera = Camera.from_field_of_view((image.width, image.height), self._field_of_view)
        info = CameraInfo(header=image.header, width=image.width, height=image.height, distortion_model="plumb_bob")
        info.d, info.k, info.r = [0.0] * 5, camera.matrix.ravel(), np.eye(3).ravel()
        info.p = np.hstack([camera.matrix, np.zeros((3, 1))]).ravel()
        return info

    def _message(self, image: RawImage) -> Image:
        message = Image(
            header=Header(stamp=self.get_clock().now().to_msg(), frame_id=self._frame_id),
            height=image.height,
            width=image.width,
            encoding=image.encoding,
            step=image.step,
            is_bigendian=int(image.is_bigendian),
        )
        message.data = field_from_array(np.frombuffer(image.data, np.uint8), "B")
        return message


def main(args: list[str] | None = None) -> None:
    """Run the node until the recording is played, or it is interrupted."""
    run_node("thermal_fld_replay", ReplayNode, args, done=lambda node: node.finished)


if __name__ == "__main__":
    main()
