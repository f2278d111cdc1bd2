# SPDX-License-Identifier: Apache-2.0
"""A launch file that runs with the real launch system, and a node that looks at what it started."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import rclpy
from ament_index_python.packages import get_package_share_directory
from lifecycle_msgs.srv import GetState
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor

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
    """A running launch file, from `file` in launch/, and a node beside the one called `name` that it starts, if it starts one."""

    def __init__(self, file: str, name: str, folder: Path, environment: dict[str, str], **arguments: str) -> None:
        self.namespace = f"/launch_{uuid.uuid4().hex[:8]}"
        self._name = name
        self._log = folder / "launch.log"
        if name:
            arguments = {"namespace": self.namespace, **arguments}
        command = [sys.executable, "-c", LAUNCH, str(SHARE / "launch" / file)]
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

    def node_pid(self, start: int = 1) -> int:
        """Process of the first, second, ... start of the node."""
        started = re.compile(r"process started with pid \[(\d+)\]")
        pids = self.wait_for(lambda: started.findall(self.log())[start - 1 :], f"start {start} of the node")
        return int(pids[0])

    def call(self, service: Any, name: str, request: Any) -> Any:
        client = self.node.create_client(service, f"{self.namespace}/{self._name}/{name}")
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
        """Ctrl-C as in a terminal: to the launch system and to what it has started."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(GENEROUS)

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self._executor.shutdown()
        self.node.destroy_node()
        self._context.try_shutdown()


def environment_of(pid: int) -> dict[str, str]:
    entries = Path(f"/proc/{pid}/environ").read_text(errors="replace").split("\0")
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)
