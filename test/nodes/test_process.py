# SPDX-License-Identifier: Apache-2.0
"""The detector as a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from node_rig import GENEROUS, Rig


class Process:
    """The node in the rig's namespace, in a process group of its own as a launch file would start it."""

    def __init__(self, rig: Rig, log: Path, **parameters: Any) -> None:
        values = {**rig.parameters, **parameters}
        assignments = [argument for name, value in values.items() for argument in ("-p", f"{name}:={value}")]
        command = [sys.executable, "-m", "thermal_fld_ros.nodes.detector", "--ros-args", "-r", f"__ns:={rig.namespace}"]
        self._log = log
        with log.open("w") as file:
            self._process = subprocess.Popen(command + assignments, stderr=file, start_new_session=True)

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def wait(self) -> int:
        return self._process.wait(GENEROUS)

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    @property
    def errors(self) -> str:
        return self._log.read_text()


@pytest.fixture
def start(rig: Rig, tmp_path: Path) -> Iterator[Any]:
    started: list[Process] = []

    def start(**parameters: Any) -> Process:
        started.append(Process(rig, tmp_path / "log.txt", **parameters))
        return started[-1]

    yield start
    for process in started:
        process.stop()


def test_sigint_ends_a_busy_node_cleanly(rig: Rig, start: Any) -> None:
    process = start()
    rig.connect()
    for _ in range(20):
        rig.publish(rig.scene())
    process.interrupt()
    for _ in range(20):
        rig.publish(rig.scene())
    assert process.wait() == 0
    assert "Traceback" not in process.errors and "refused" not in process.errors, process.errors


def test_sigint_ends_a_node_that_could_not_be_configured(rig: Rig, start: Any) -> None:
    process = start(landmark_model="/nowhere/model.onnx")
    rig.wait_for(lambda: "/nowhere/model.onnx: cannot be read" in process.errors, "the message")
    assert rig.state() == "unconfigured"
    process.interrupt()
    assert process.wait() == 0 and "Traceback" not in process.errors


@pytest.mark.parametrize("value", [{"rotate": 45}, {"unit": "fahrenheit"}, {"max_faces": "many"}])
def test_a_bad_parameter_ends_the_start_with_one_line(start: Any, value: dict[str, Any]) -> None:
    process = start(**value)
    assert process.wait() == 1
    assert next(iter(value)) in process.errors and "Traceback" not in process.errors
