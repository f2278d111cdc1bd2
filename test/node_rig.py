# SPDX-License-Identifier: Apache-2.0
"""A node under test and a node that talks to it over DDS, spun in a thread."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import rclpy
import rclpy.time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from dummy_models import face_scene
from lifecycle_msgs.srv import ChangeState, GetState
from numpy.typing import NDArray
from rcl_interfaces.msg import Log, SetParametersResult
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from thermal_fld_ros.msg import FaceLandmarksArray
from thermal_fld_ros.nodes.detector import DetectorNode
from thermal_fld_ros.nodes.messages import image_from_array, points_from_field
from thermal_fld_ros.perception.models import DETECTOR_FILE, LANDMARKS_FILE

T = TypeVar("T")
N = TypeVar("N")

GENEROUS = 30.0
"""Seconds until a condition counts as never coming true; discovery alone may take some."""

SIZE = (320, 240)
FACE = (180.0, 110.0, 60.0)
"""Centre and width of the face in the default scene, off the middle so that a rotation shows."""


class NodeRig:
    """A node under test, a tester beside it, and what the one has said."""

    def __init__(self, name: str, parameters: dict[str, Any]) -> None:
        self.namespace = f"/rig_{uuid.uuid4().hex[:8]}"
        self.node = rclpy.create_node("tester", namespace=self.namespace)
        self.parameters = {"diagnostics_period": 0.1, **parameters}
        self.logs: list[str] = []
        self.statuses: list[DiagnosticStatus] = []
        self.diagnostics_time: Any = None
        self._tested: Any = None
        self._acted = 0
        self.name = f"{self.namespace}/{name}"
        self.node.create_subscription(Log, "/rosout", self._on_log, 100)
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 100)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._executor.spin, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._executor.shutdown()
        self._thread.join()
        if self._tested is not None:
            self._tested.close()
            self._tested.destroy_node()
        self.node.destroy_node()

    # --- the node under test

    def start_node(self, kind: type[N], arguments: tuple[str, ...], parameters: dict[str, Any]) -> N:
        """Start the node in this process, with `parameters` over `self.parameters`."""
        values = {**self.parameters, **parameters}
        node = kind(
            namespace=self.namespace,
            parameter_overrides=[Parameter(name, value=value) for name, value in values.items()],
            cli_args=["--ros-args", *arguments] if arguments else None,
        )
        self._tested = node
        self._executor.add_node(node)
        return node

    def change_state(self, transition: int) -> bool:
        request = ChangeState.Request()
        request.transition.id = transition
        return bool(self.call(ChangeState, "change_state", request).success)

    def state(self) -> str:
        return str(self.call(GetState, "get_state", GetState.Request()).current_state.label)

    def set_parameters(self, **values: Any) -> SetParametersResult:
        request = SetParametersAtomically.Request()
        request.parameters = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
        return self.call(SetParametersAtomically, "set_parameters_atomically", request).result

    def call(self, service: Any, name: str, request: Any) -> Any:
        client = self.node.create_client(service, f"{self.name}/{name}")
        assert client.wait_for_service(GENEROUS), name
        self._acted = len(self.statuses)
        future = client.call_async(request)
        self.wait_for(future.done, f"an answer of {name}")
        self.node.destroy_client(client)
        return future.result()

    # --- waiting

    def wait_for(self, condition: Callable[[], T | None], what: str) -> T:
        """Wait until the condition gives something true, and return that."""
        end = time.monotonic() + GENEROUS
        while time.monotonic() < end:
            value = condition()
            if value:
                return value
            time.sleep(0.005)
        last = self.statuses[-1] if self.statuses else "none"
        raise AssertionError(f"{what} did not come; last status: {last}; log:\n" + "\n".join(self.logs))

    def wait_for_log(self, text: str) -> str:
        """Wait for a line of the detector's log that holds the text."""
        return self.wait_for(lambda: next((line for line in self.logs if text in line), None), f'a log of "{text}"')

    def wait_for_status(self, condition: Callable[[DiagnosticStatus, dict[str, str]], Any]) -> dict[str, str]:
        """Wait for a diagnostic status since the last image or service call that fulfils the condition; its values."""

        def found() -> dict[str, str] | None:
            for status in self.statuses[self._acted :]:
                values = {entry.key: entry.value for entry in status.values}
                if condition(status, values):
                    return values
            return None

        return self.wait_for(found, "such a diagnostic status")

    def _on_log(self, log: Log) -> None:
        if log.name == self.name.lstrip("/").replace("/", "."):
            self.logs.append(log.msg)

    def _on_diagnostics(self, array: DiagnosticArray) -> None:
        own = [status for status in array.status if status.name == f"{self.name.lstrip('/')}: status"]
        if own:
            self.diagnostics_time = array.header.stamp
        self.statuses += own


class Rig(NodeRig):
    """A detector."""

    def __init__(self, models: Path) -> None:
        super().__init__(
            "thermal_fld_detector",
            {
                "detector_model": str(models / DETECTOR_FILE),
                "landmark_model": str(models / LANDMARKS_FILE),
                "unit": "centikelvin",
                "image_reliability": "reliable",
            },
        )
        self.results: list[FaceLandmarksArray] = []
        self._seed = 0
        self._stamps = 0
        self.images = self.node.create_publisher(Image, "image", QoSProfile(depth=10))
        self.node.create_subscription(FaceLandmarksArray, "face_landmarks", self.results.append, 100)

    def start(self, *, arguments: tuple[str, ...] = (), **parameters: Any) -> DetectorNode:
        """Start the detector in this process, with `parameters` over `self.parameters`."""
        return self.start_node(DetectorNode, arguments, parameters)

    def start_connected(self, **parameters: Any) -> DetectorNode:
        """Start the detector and wait until images and results get through."""
        detector = self.start(**parameters)
        self.connect()
        return detector

    def connect(self) -> None:
        """Send empty scenes until one is answered; from then on no image is lost."""
        self.wait_for(lambda: self.images.get_subscription_count() == 1, "the detector's image subscription")
        known = len(self.results)

        def answered() -> bool:
            if len(self.results) > known:
                return True
            sent.append(self.publish(self.scene(face=None)))
            time.sleep(0.1)
            return False

        sent: list[Image] = []
        self.wait_for(answered, "a first result")
        self.wait_for(lambda: self.results[-1].header == sent[-1].header, "the result of the last image")

    # --- talking to it

    def scene(self, face: tuple[float, float, float] | None = FACE) -> NDArray[np.uint16]:
        """The default scene in centikelvin, with noise of its own each time."""
        self._seed += 1
        return face_scene(SIZE, [face] if face else [], seed=self._seed)

    def header(self) -> Header:
        """A header with a stamp of its own, a frame later each time."""
        self._stamps += 1
        stamp = rclpy.time.Time(seconds=1000, nanoseconds=self._stamps * 33_000_000)
        return Header(stamp=stamp.to_msg(), frame_id="thermal_optical")

    def publish(self, image: Image | NDArray[Any]) -> Image:
        if not isinstance(image, Image):
            image = image_from_array(image, self.header())
        self._acted = len(self.statuses)
        self.images.publish(image)
        return image

    def detect(self, image: Image | NDArray[Any]) -> FaceLandmarksArray:
        """Publish an image and wait for its result."""
        image = self.publish(image)
        return self.wait_for(
            lambda: next((result for result in self.results if result.header.stamp == image.header.stamp), None),
            f"the result of the image of {image.header.stamp}",
        )

    def send_until(self, make: Callable[[], Image | NDArray[Any]], condition: Callable[[], T | None], what: str) -> T:
        """Publish one image after the other until the condition gives something true, and return that."""

        def sent() -> T | None:
            self.publish(make())
            time.sleep(0.03)
            return condition()

        return self.wait_for(sent, what)


def centre_of(result: FaceLandmarksArray) -> NDArray[np.float32]:
    """Middle of the box around the points of the one face."""
    (face,) = result.faces
    points = points_from_field(face.points)
    return (points.min(axis=0) + points.max(axis=0)) / 2
