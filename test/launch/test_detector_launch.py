# SPDX-License-Identifier: Apache-2.0
"""The launch file with the real launch system, where it is installed: what a person sees after `ros2 launch`."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

for required in ("launch_ros", "rclpy", "ament_index_python"):
    pytest.importorskip(required)

import rclpy
from ament_index_python.packages import get_package_share_directory
from dummy_models import face_scene
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import GetParameters
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import Image

from thermal_fld_ros.msg import FaceLandmarksArray
from thermal_fld_ros.nodes.messages import image_from_array
from thermal_fld_ros.perception.models import DETECTOR_FILE, LANDMARKS_FILE

T = TypeVar("T")

GENEROUS = 60.0
SHARE = Path(get_package_share_directory("thermal_fld_ros"))
PROFILES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
LAUNCH = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

file, *arguments = sys.argv[1:]
include = IncludeLaunchDescription(
    PythonLaunchDescriptionSource(file), launch_arguments=[argument.split(":=", 1) for argument in arguments]
)
service = LaunchService()
service.include_launch_description(LaunchDescription([include]))
sys.exit(service.run())
"""


class Launched:
    """A running launch file and a node that looks at what it started."""

    def __init__(self, folder: Path, models: Path, environment: dict[str, str], **arguments: str) -> None:
        self.namespace = f"/launch_{uuid.uuid4().hex[:8]}"
        self._log = folder / "launch.log"
        arguments = {
            "namespace": self.namespace,
            "detector_model": str(models / DETECTOR_FILE),
            "landmark_model": str(models / LANDMARKS_FILE),
            **arguments,
        }
        command = [sys.executable, "-c", LAUNCH, str(SHARE / "launch/detector.launch.py")]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, *(f"{name}:={value}" for name, value in arguments.items())],
                env={**environment, "ROS_LOG_DIR": str(folder)},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._context = Context()
        rclpy.init(context=self._context)
        self.node = rclpy.create_node("tester", namespace=self.namespace, context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def detector_pid(self, start: int = 1) -> int:
        """Process of the first, second, ... start of the node."""
        started = re.compile(r"process started with pid \[(\d+)\]")
        pids = self.wait_for(lambda: started.findall(self.log())[start - 1 :], f"start {start} of the node")
        return int(pids[0])

    def call(self, service: Any, name: str, request: Any) -> Any:
        client = self.node.create_client(service, f"{self.namespace}/thermal_fld_detector/{name}")
        self.wait_for(client.service_is_ready, f"the service {name}")
        future = client.call_async(request)
        self.wait_for(future.done, f"an answer of {name}")
        self.node.destroy_client(client)
        return future.result()

    def state(self) -> str:
        return str(self.call(GetState, "get_state", GetState.Request()).current_state.label)

    def wait_for(self, condition: Callable[[], T | None], what: str) -> T:
        end = time.monotonic() + GENEROUS
        while time.monotonic() < end:
            value = condition()
            if value:
                return value
            self._executor.spin_once(timeout_sec=0.05)
        raise AssertionError(f"{what} did not come; log:\n{self.log()}")

    def interrupt(self) -> int:
        """Ctrl-C as in a terminal: to the launch system, which passes it on."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(GENEROUS)

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self._executor.shutdown()
        self.node.destroy_node()
        self._context.try_shutdown()


@pytest.fixture
def start(tmp_path: Path, dummy_models: Path) -> Iterator[Callable[..., Launched]]:
    running: list[Launched] = []

    def start(environment: dict[str, str] | None = None, **arguments: str) -> Launched:
        running.append(Launched(tmp_path, dummy_models, environment or dict(os.environ), **arguments))
        return running[-1]

    yield start
    for launched in running:
        launched.close()


def environment_of(pid: int) -> dict[str, str]:
    entries = Path(f"/proc/{pid}/environ").read_text(errors="replace").split("\0")
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)


def test_node_comes_up_active_on_the_given_topics_and_ends_with_the_launch(start: Callable[..., Launched]) -> None:
    launched = start(image="thermal/raw", face_landmarks="faces", unit="centikelvin", rotate="90")
    results: list[FaceLandmarksArray] = []
    launched.node.create_subscription(FaceLandmarksArray, "faces", results.append, 10)
    images = launched.node.create_publisher(Image, "thermal/raw", 1)
    scene = image_from_array(face_scene((160, 120), [(80.0, 60.0, 40.0)]), FaceLandmarksArray().header)

    launched.wait_for(lambda: launched.state() == "active", "the state active")

    def answered() -> bool:
        images.publish(scene)
        return bool(results)

    launched.wait_for(answered, "a result")
    assert (results[0].image_width, results[0].image_height) == (160, 120)

    names = GetParameters.Request(names=["unit", "rotate"])
    unit, rotate = launched.call(GetParameters, "get_parameters", names).values
    assert (unit.string_value, rotate.integer_value) == ("centikelvin", 90)

    pid = launched.detector_pid()
    assert launched.interrupt() == 0
    assert not Path(f"/proc/{pid}").exists()


def test_without_autostart_the_transitions_are_the_managers(start: Callable[..., Launched]) -> None:
    launched = start(autostart="false")
    assert launched.state() == "unconfigured"
    for transition, state in (
        (Transition.TRANSITION_CONFIGURE, "inactive"),
        (Transition.TRANSITION_ACTIVATE, "active"),
    ):
        request = ChangeState.Request()
        request.transition.id = transition
        assert launched.call(ChangeState, "change_state", request).success
        assert launched.state() == state


def test_respawned_node_comes_back_active(start: Callable[..., Launched]) -> None:
    launched = start(respawn="true")
    launched.wait_for(lambda: launched.state() == "active", "the state active")
    os.kill(launched.detector_pid(), signal.SIGKILL)
    launched.detector_pid(start=2)
    launched.wait_for(lambda: launched.log().count("listening on") == 2, "the second start's subscription")


def test_the_packages_dds_profile_is_used(start: Callable[..., Launched]) -> None:
    clean = {name: value for name, value in os.environ.items() if name not in PROFILES}
    environment = environment_of(start(clean).detector_pid())
    assert [environment[name] for name in PROFILES] == [str(SHARE / "config/fastdds.xml")] * 2


@pytest.mark.parametrize("name", PROFILES)
def test_a_dds_profile_of_the_user_wins(start: Callable[..., Launched], tmp_path: Path, name: str) -> None:
    users = tmp_path / "profile.xml"
    users.write_text((SHARE / "config/fastdds.xml").read_text())
    clean = {key: value for key, value in os.environ.items() if key not in PROFILES}
    environment = environment_of(start({**clean, name: str(users)}).detector_pid())
    assert {key: environment[key] for key in PROFILES if key in environment} == {name: str(users)}


def test_the_parameter_file_of_the_user_is_taken(start: Callable[..., Launched], tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("/**:\n  ros__parameters:\n    unit: kelvin\n    rotate: 180\n")
    launched = start(params_file=str(file), rotate="270")
    names = GetParameters.Request(names=["unit", "rotate"])
    unit, rotate = launched.call(GetParameters, "get_parameters", names).values
    assert (unit.string_value, rotate.integer_value) == ("kelvin", 270)
