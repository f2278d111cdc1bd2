# SPDX-License-Identifier: Apache-2.0
"""The capture node as a process that is interrupted or killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from capture_messages import contents
from capture_rig import CaptureRig
from node_rig import GENEROUS

from thermal_fld_ros.__main__ import main
from thermal_fld_ros.recordings.messages import RGB, THERMAL

IMAGES = (THERMAL, RGB)


class Process:
    """The node in the rig's namespace, recording from its start."""

    def __init__(self, capture: CaptureRig, log: Path) -> None:
        self._capture = capture
        values = {**capture.parameters, "record": True}
        values.pop("consent")
        assignments = [argument for name, value in values.items() for argument in ("-p", f"{name}:={value}")]
        command = [
            sys.executable,
            "-m",
            "thermal_fld_ros.nodes.capture",
            "--ros-args",
            "-r",
            f"__ns:={capture.namespace}",
        ]
        self._log = log
        with log.open("w") as file:
            self.process = subprocess.Popen(command + assignments, stdout=file, stderr=file, start_new_session=True)

    @property
    def errors(self) -> str:
        return self._log.read_text()

    def bag(self) -> Path:
        (bag,) = self._capture.output.iterdir()
        return bag

    def written(self) -> int:
        return int(json.loads((self.bag() / "manifest.json").read_text())["pairs"]["written"])

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def process(capture: CaptureRig, tmp_path: Path) -> Iterator[Process]:
    process = Process(capture, tmp_path / "log.txt")
    yield process
    process.stop()


def sent(capture: CaptureRig) -> list[dict[str, bytes]]:
    topics = {role: f"{capture.namespace}/{role}/image" for role in IMAGES}
    return [
        {topics[THERMAL]: thermal, topics[RGB]: rgb}
        for thermal, rgb in zip(capture.sent[THERMAL], capture.sent[RGB], strict=True)
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_finishes_the_bag(capture: CaptureRig, process: Process, number: int) -> None:
    capture.connect(*IMAGES)
    for _ in range(20):
        capture.send_pair(*IMAGES)
    process.process.send_signal(number)
    process.process.send_signal(number)  # an impatient person
    assert process.process.wait(GENEROUS) == 0
    assert "Traceback" not in process.errors and "invalid" not in process.errors, process.errors
    assert "consent is not stated" in process.errors
    found, all_sent = list(contents(process.bag()).values()), sent(capture)
    assert found and all(pair in all_sent for pair in found)
    manifest = json.loads((process.bag() / "manifest.json").read_text())
    assert manifest["state"] == "complete" and manifest["pairs"]["written"] == len(found)


def test_after_a_kill_what_the_manifest_says_is_there(capture: CaptureRig, process: Process) -> None:
    capture.connect(*IMAGES)
    for _ in range(20):
        capture.send_pair(*IMAGES)
    written = capture.wait_for(process.written, "a flush")
    process.process.kill()
    process.process.wait()
    bag = process.bag()
    assert main(["recover", str(bag)]) == 0
    found, all_sent = list(contents(bag).values()), sent(capture)
    whole = [pair for pair in found if len(pair) == 2]
    assert len(whole) >= written and all(pair in all_sent for pair in whole)
    assert json.loads((bag / "manifest.json").read_text())["state"] == "recovered"
