# SPDX-License-Identifier: Apache-2.0
"""The capture node as a process that is interrupted or killed."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest
from capture_messages import contents
from capture_rig import CaptureRig
from node_fixtures import StartCapture
from node_rig import GENEROUS

from thermal_fld_ros.__main__ import main
from thermal_fld_ros.recordings.messages import RGB, THERMAL

IMAGES = (THERMAL, RGB)


@pytest.fixture
def process(capture: CaptureRig, start_capture: StartCapture) -> subprocess.Popen[bytes]:
    """The node, recording from its start, without a word of consent."""
    return start_capture(consent=None)


def the_bag(capture: CaptureRig) -> Path:
    (bag,) = capture.output.iterdir()
    return bag


def pairs_written(capture: CaptureRig) -> int:
    return int(capture.manifest(the_bag(capture))["pairs"]["written"])


def sent(capture: CaptureRig) -> list[dict[str, bytes]]:
    topics = {role: f"{capture.namespace}/{role}/image" for role in IMAGES}
    return [
        {topics[THERMAL]: thermal, topics[RGB]: rgb}
        for thermal, rgb in zip(capture.sent[THERMAL], capture.sent[RGB], strict=True)
    ]


@pytest.mark.parametrize(
    "number",
    [signal.SIGINT, *(pytest.param(other, marks=pytest.mark.slow) for other in (signal.SIGTERM, signal.SIGHUP))],
)
def test_an_interrupt_finishes_the_bag(
    capture: CaptureRig, process: subprocess.Popen[bytes], tmp_path: Path, number: int
) -> None:
    capture.connect(*IMAGES)
    for _ in range(20):
        capture.send_pair(*IMAGES)
    process.send_signal(number)
    process.send_signal(number)  # an impatient person
    assert process.wait(GENEROUS) == 0
    log = (tmp_path / "log.txt").read_text()
    assert "Traceback" not in log and "invalid" not in log, log
    assert "no consent was given" in log
    found, all_sent = list(contents(the_bag(capture)).values()), sent(capture)
    assert found and all(pair in all_sent for pair in found)
    manifest = json.loads((the_bag(capture) / "manifest.json").read_text())
    assert manifest["state"] == "complete" and manifest["pairs"]["written"] == len(found)


def test_after_a_kill_what_the_manifest_says_is_there(capture: CaptureRig, process: subprocess.Popen[bytes]) -> None:
    capture.connect(*IMAGES)
    for _ in range(20):
        capture.send_pair(*IMAGES)
    written = capture.wait_for(lambda: pairs_written(capture), "a flush")
    process.kill()
    process.wait()
    bag = the_bag(capture)
    assert main(["recover", str(bag)]) == 0
    found, all_sent = list(contents(bag).values()), sent(capture)
    whole = [pair for pair in found if len(pair) == 2]
    assert len(whole) >= written and all(pair in all_sent for pair in whole)
    assert json.loads((bag / "manifest.json").read_text())["state"] == "recovered"
