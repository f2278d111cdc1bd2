# SPDX-License-Identifier: Apache-2.0
"""Faults while the capture node records: every published pair is in the bag, or it is known why not."""

from __future__ import annotations

import json
import random
import shutil
import signal
import threading
import time
from collections.abc import Callable

import pytest
from capture_messages import contents
from capture_rig import CaptureRig
from diagnostic_msgs.msg import DiagnosticStatus
from node_fixtures import StartCapture
from node_rig import GENEROUS

from thermal_fld_ros.__main__ import main
from thermal_fld_ros.recordings.manifest import is_unfinished
from thermal_fld_ros.recordings.messages import RGB, THERMAL

Effort = Callable[[int, int], int]
IMAGES = (THERMAL, RGB)


def pairs_sent(capture: CaptureRig) -> list[dict[str, bytes]]:
    names = {role: f"{capture.namespace}/{role}/image" for role in IMAGES}
    both = zip(capture.sent[THERMAL], capture.sent[RGB], strict=True)
    return [{names[THERMAL]: thermal, names[RGB]: rgb} for thermal, rgb in both]


@pytest.mark.parametrize("storage", ["mcap", pytest.param("sqlite3", marks=pytest.mark.slow)])
def test_killed_at_any_moment_the_bag_holds_an_unbroken_run_of_what_was_sent(
    capture: CaptureRig, start_capture: StartCapture, storage: str, effort: Effort
) -> None:
    """Each pair is in the bag up to a last one; what the manifest had counted as written by a flush is there."""
    dice = random.Random(storage)
    for number in range(effort(2, 20)):
        output = capture.output / f"{storage}_{number}"
        node = start_capture(output=str(output), storage=storage, split_size=dice.choice([0.0, 0.05]))
        capture.sent = {}
        capture.offer(*IMAGES)
        capture.wait_for(lambda output=output: list(output.glob("*/manifest.json")), "the recording")
        capture.wait_for(
            lambda: all(p.get_subscription_count() == 1 for p in capture.publishers.values()), "it listens"
        )
        killer = threading.Timer(dice.uniform(0.0, 1.5), node.kill)
        killer.start()
        while node.poll() is None:
            capture.send_pair(*IMAGES)
            time.sleep(0.005)
        killer.join()
        for publisher in capture.publishers.values():
            capture.node.destroy_publisher(publisher)
        (bag,) = output.iterdir()
        counted = json.loads((bag / "manifest.json").read_text())["pairs"]["written"]
        assert main(["recover", str(bag)]) == 0
        manifest = json.loads((bag / "manifest.json").read_text())
        assert manifest["state"] == "recovered" and not is_unfinished(bag)
        found = list(contents(bag).values()) if (bag / "metadata.yaml").is_file() else []
        whole = [one for one in found if len(one) == 2]
        assert len(found) - len(whole) <= 1 and manifest["pairs"]["written"] == len(whole)
        if storage == "mcap":
            assert len(whole) >= counted, "what was written has reached the operating system"
        sent = pairs_sent(capture)
        if whole:
            first = sent.index(whole[0])
            assert whole == sent[first : first + len(whole)], "no holes, and nothing else"


def test_a_folder_that_is_removed_ends_the_recording_and_says_so(capture: CaptureRig) -> None:
    capture.start()
    capture.connect(*IMAGES)
    capture.begin()
    capture.send_pair(*IMAGES)
    capture.wait_for(lambda: capture.manifest()["pairs"]["written"] == 1, "a pair in the bag")
    shutil.rmtree(capture.output)

    def told() -> bool:
        capture.send_pair(*IMAGES)
        time.sleep(0.05)
        return any("the recording has ended" in line for line in capture.logs)

    capture.wait_for(told, "the message")
    capture.wait_for_status(lambda status, values: status.level == DiagnosticStatus.ERROR)
    assert not capture.end().success
    assert capture.begin().success, "the next one has a folder again"
    capture.send_pair(*IMAGES)
    capture.wait_for_received(dict.fromkeys(IMAGES, 1))
    assert capture.end().success and len(contents(capture.bag)) == 1


def test_where_nothing_can_be_written_no_recording_begins(capture: CaptureRig) -> None:
    capture.output.parent.mkdir(exist_ok=True)
    capture.output.write_text("a file, not a folder")
    capture.start()
    response = capture.begin()
    assert not response.success and str(capture.output) in response.message
    assert capture.state() == "active"


def test_one_topic_that_dies_and_returns(capture: CaptureRig) -> None:
    capture.start(no_message_timeout=0.5)
    capture.connect(*IMAGES)
    capture.begin()
    first = capture.send_pair(*IMAGES)
    for _ in range(5):
        capture.send(THERMAL, capture.now(0.1))
    capture.wait_for_status(lambda status, values: "nothing on" in status.message and "rgb/image" in status.message)
    last = capture.send_pair(*IMAGES)
    capture.wait_for_received({THERMAL: 7, RGB: 2})
    capture.end()
    manifest = capture.manifest()
    assert manifest["messages"][THERMAL]["unpaired"] == 5 and manifest["pairs"]["written"] == 2
    names = {topic["name"]: role for role, topic in manifest["topics"].items()}
    found = [{names[topic]: data for topic, data in one.items()} for one in contents(capture.bag).values()]
    assert found == [first, last]


@pytest.mark.slow
def test_two_captures_into_one_folder_at_one_time_have_a_bag_each(
    capture: CaptureRig, start_capture: StartCapture
) -> None:
    nodes = [start_capture(subject="s01") for _ in range(2)]
    capture.wait_for(lambda: len(list(capture.output.glob("s01_*/manifest.json"))) == 2, "two recordings")
    capture.offer(*IMAGES)
    capture.wait_for(lambda: all(p.get_subscription_count() == 2 for p in capture.publishers.values()), "both listen")
    for _ in range(10):
        capture.send_pair(*IMAGES)
        time.sleep(0.02)
    time_to_write = time.monotonic() + GENEROUS
    counts = lambda: [json.loads(m.read_text())["pairs"]["written"] for m in capture.output.glob("*/manifest.json")]  # noqa: E731
    while min(counts()) < 10 and time.monotonic() < time_to_write:
        time.sleep(0.05)
    for node in nodes:
        node.send_signal(signal.SIGINT)
        assert node.wait(GENEROUS) == 0
    assert [len(contents(bag)) for bag in capture.output.iterdir()] == [10, 10]
