# SPDX-License-Identifier: Apache-2.0
"""Fixtures of tests with nodes; imported by the conftest of each folder that has some, where there is a ROS 2."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from capture_rig import CaptureRig
from node_rig import Rig

StartCapture = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def rig(ros: None, dummy_models: Path) -> Iterator[Rig]:
    """A detector node beside a test node that talks to it; each test has a namespace of its own."""
    rig = Rig(dummy_models)
    yield rig
    rig.close()


@pytest.fixture
def capture(ros: None, tmp_path: Path) -> Iterator[CaptureRig]:
    """A capture node beside a test node that sends it images; bags go to `tmp_path / "bags"`."""
    rig = CaptureRig(tmp_path / "bags")
    yield rig
    rig.close()


@pytest.fixture
def start_capture(capture: CaptureRig, tmp_path: Path) -> Iterator[StartCapture]:
    """Starts the capture node as a process in the rig's namespace, recording from its start; what it says goes to `tmp_path / "log.txt"`.

    Parameters of the node can be given; one that is None stays at its default.
    """
    started: list[subprocess.Popen[bytes]] = []

    def start(**parameters: Any) -> subprocess.Popen[bytes]:
        values = {**capture.parameters, "record": True, **parameters}
        words = [word for name, value in values.items() if value is not None for word in ("-p", f"{name}:={value}")]
        command = [
            sys.executable,
            "-m",
            "thermal_fld_ros.nodes.capture",
            "--ros-args",
            "-r",
            f"__ns:={capture.namespace}",
        ]
        with (tmp_path / "log.txt").open("a") as log:
            started.append(subprocess.Popen([*command, *words], stdout=log, stderr=log, start_new_session=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
