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

CLIP = Path(__file__).parents[2] / "resource/demo_clip.npz"


class Process:
    """The node in the rig's namespace, in a process group of its own as a launch file would start it."""

    def __init__(self, rig: Rig, log: Path, *arguments: str, before: tuple[str, ...] = (), **parameters: Any) -> None:
        values = {**rig.parameters, **parameters}
        assignments = [argument for name, value in values.items() for argument in ("-p", f"{name}:={value}")]
        node = [sys.executable, "-m", "thermal_fld_ros.nodes.detector", "--ros-args", "-r", f"__ns:={rig.namespace}"]
        self._log = log
        with log.open("w") as file:
            self._process = subprocess.Popen(
                [*before, *node, *assignments, *arguments], stdout=file, stderr=file, start_new_session=True
            )

    def send(self, number: int) -> None:
        self._process.send_signal(number)

    def is_running(self) -> bool:
        return self._process.poll() is None

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

    def start(*arguments: str, **parameters: Any) -> Process:
        started.append(Process(rig, tmp_path / "log.txt", *arguments, **parameters))
        return started[-1]

    yield start
    for process in started:
        process.stop()


@pytest.mark.parametrize(
    "number",
    [signal.SIGINT, *(pytest.param(other, marks=pytest.mark.slow) for other in (signal.SIGTERM, signal.SIGHUP))],
)
def test_a_signal_ends_a_busy_node_cleanly(rig: Rig, start: Any, number: int) -> None:
    process = start()
    rig.connect()
    for _ in range(20):
        rig.publish(rig.scene())
    process.send(number)
    for _ in range(20):
        rig.publish(rig.scene())
    assert process.wait() == 0
    for word in ("Traceback", "refused", "invalid", "ERROR"):
        assert word not in process.errors, process.errors


@pytest.mark.parametrize("module", ["ergonomics", "replay"])
def test_a_closed_terminal_ends_the_other_nodes_cleanly(rig: Rig, module: str, tmp_path: Path) -> None:
    values = ["-p", f"input:={CLIP}", "-p", "loop:=true"] if module == "replay" else []
    command = [sys.executable, "-m", f"thermal_fld_ros.nodes.{module}", "--ros-args", "-r", f"__ns:={rig.namespace}"]
    with (tmp_path / "log.txt").open("w") as log:
        process = subprocess.Popen([*command, *values], stdout=log, stderr=log, start_new_session=True)
    topic = "image" if module == "replay" else "face_ergonomics"
    others = rig.node.count_publishers(topic)
    rig.wait_for(lambda: rig.node.count_publishers(topic) > others, "the node")
    process.send_signal(signal.SIGHUP)
    assert process.wait(GENEROUS) == 0
    told = (tmp_path / "log.txt").read_text()
    assert not [word for word in ("Traceback", "invalid", "ERROR") if word in told], told


@pytest.mark.slow
def test_more_interrupts_change_nothing(rig: Rig, start: Any) -> None:
    process = start()
    rig.connect()
    while process.is_running():
        process.send(signal.SIGINT)
    assert process.wait() == 0 and "Traceback" not in process.errors, process.errors


@pytest.mark.slow
def test_under_nohup_a_closed_terminal_ends_nothing(rig: Rig, start: Any) -> None:
    process = start(before=("nohup",))
    rig.connect()
    process.send(signal.SIGHUP)
    assert rig.detect(rig.scene()).faces
    process.send(signal.SIGINT)
    assert process.wait() == 0


@pytest.mark.slow
def test_sigint_ends_a_node_that_could_not_be_configured(rig: Rig, start: Any) -> None:
    process = start(landmark_model="/nowhere/model.onnx")
    rig.wait_for(lambda: "/nowhere/model.onnx: cannot be read" in process.errors, "the message")
    assert rig.state() == "unconfigured"
    process.send(signal.SIGINT)
    assert process.wait() == 0 and "Traceback" not in process.errors


@pytest.mark.parametrize("value", [{"rotate": 45}, {"unit": "fahrenheit"}, {"max_faces": "many"}])
def test_a_bad_parameter_ends_the_start_with_one_line(start: Any, value: dict[str, Any]) -> None:
    process = start(**value)
    assert process.wait() == 1
    assert next(iter(value)) in process.errors and "Traceback" not in process.errors


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--params-file", "broken.yaml"), "broken.yaml'. Error: "),
        (("--params-file", "odd.yaml"), "odd.yaml'. Error: Cannot have a value before ros__parameters"),
        (("--params-file", "missing.yaml"), "missing.yaml'. Error: Error opening YAML file"),
        (("-p", "unit"), "Couldn't parse parameter override rule: '-p unit'"),
        (("-r", "bad"), "Couldn't parse remap rule: '-r bad'"),
        (("--log-level", "loud"), "Couldn't parse log level: '--log-level loud'"),
        (("--sideways",), "unknown arguments: ['--sideways']"),
    ],
)
def test_a_command_line_that_cannot_be_used_fails_and_says_why(
    start: Any, tmp_path: Path, arguments: tuple[str, ...], text: str
) -> None:
    (tmp_path / "broken.yaml").write_text("a: [1\n b: 2")
    (tmp_path / "odd.yaml").write_text("unit: counts\n")
    process = start(*(str(tmp_path / name) if name.endswith(".yaml") else name for name in arguments))
    assert process.wait() == 1
    (line,) = [line for line in process.errors.splitlines() if line.startswith("thermal_fld_detector: ")]
    assert text in line and "Traceback" not in process.errors, process.errors
