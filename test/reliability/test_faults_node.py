# SPDX-License-Identifier: Apache-2.0
"""Faults of cameras, files and neighbours while the detector runs: what it says of them, and that it works on afterwards."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from node_rig import FACE, GENEROUS, Rig, centre_of
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image

from thermal_fld_ros.nodes.messages import image_from_array
from thermal_fld_ros.perception.pipeline import Pipeline

Effort = Callable[[int, int], int]


def sees_the_face(rig: Rig) -> None:
    assert centre_of(rig.detect(rig.scene())) == pytest.approx(FACE[:2], abs=3.0)


def test_a_camera_that_stops_and_returns(rig: Rig, effort: Effort) -> None:
    rig.start_connected(no_image_timeout=0.5)
    for _ in range(effort(2, 50)):
        sees_the_face(rig)
        rig.node.destroy_publisher(rig.images)
        rig.wait_for_status(lambda status, values: "it has no publisher" in status.message)
        rig.images = rig.node.create_publisher(Image, "image", QoSProfile(depth=10))
        rig.connect()
        rig.wait_for_status(lambda status, values: status.level == DiagnosticStatus.OK)
    assert rig.wait_for_status(lambda status, values: True)["images lost on the way"] == "0"


@pytest.mark.parametrize("rate", [5, 30, 200])
def test_cameras_of_any_rate(rig: Rig, rate: int, effort: Effort) -> None:
    """Every image is answered, or replaced by a newer one and counted; the answer to the newest comes at last."""
    detector = rig.start_connected()
    assert detector.images is not None
    before = int(detector.images.received)
    count = effort(max(rate // 5, 5), 20 * rate)
    due = time.monotonic()
    for _ in range(count):
        due += 1.0 / rate
        time.sleep(max(due - time.monotonic(), 0.0))
        last = rig.publish(rig.scene())
    rig.wait_for(lambda: rig.results[-1].header.stamp == last.header.stamp, "the answer to the last image")
    assert detector.images.received - before == count and detector.images.lost == 0
    assert len(rig.results[-1].faces) == 1


def test_size_and_encoding_that_change_midstream(rig: Rig) -> None:
    rig.start_connected(unit="counts", smoothing=False)
    scenes: list[Any] = [
        rig.scene(),
        rig.scene()[:200, :260],
        (rig.scene() // 256).astype(np.float32) * 256.0,
        rig.scene().astype(np.float32),
        ((rig.scene() - 29000) / 10).clip(0, 255).astype(np.uint8),
        np.repeat(((rig.scene() - 29000) / 10).clip(0, 255).astype(np.uint8)[..., None], 3, axis=2),
        rig.scene().astype(">u2"),
    ]
    for _ in range(2):
        for scene in scenes:
            image = image_from_array(np.ascontiguousarray(scene).astype(scene.dtype.newbyteorder("=")), rig.header())
            assert centre_of(rig.detect(image)) == pytest.approx(FACE[:2], abs=3.0), (scene.shape, scene.dtype)


@pytest.mark.parametrize(
    "stamps",
    {
        "frozen": [1000.0] * 12,
        "repeated": [1000.0 + number // 3 for number in range(12)],
        "in the past": [1000.0 - number for number in range(12)],
        "far apart": [1.0, 2.0e9, 5.0, 2.1e9, 0.0, 1.0e9],
        "none": [0.0] * 12,
    }.items(),
    ids=lambda item: item[0],
)
def test_stamps_of_any_kind(rig: Rig, stamps: tuple[str, list[float]]) -> None:
    rig.start_connected()
    for stamp in stamps[1]:
        image = image_from_array(rig.scene(), rig.header())
        image.header.stamp.sec, image.header.stamp.nanosec = int(stamp), int(stamp % 1 * 1e9)
        known = len(rig.results)
        rig.publish(image)
        rig.wait_for(lambda known=known: len(rig.results) > known, f"an answer at {stamp}")
        assert rig.results[-1].header == image.header
        assert centre_of(rig.results[-1]) == pytest.approx(FACE[:2], abs=3.0)
    assert len([line for line in rig.logs if "time went back" in line]) <= 3, "it is throttled"


def test_an_exception_in_the_images_thread_costs_that_image_only(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.start_connected()
    sees_the_face(rig)
    with monkeypatch.context() as patch:
        patch.setattr(Pipeline, "_follow", lambda *_: 1 / 0)
        rig.publish(rig.scene())
        line = rig.wait_for_log("ZeroDivisionError")
        assert "Traceback" in line
        rig.wait_for_status(lambda status, values: values.get("images refused: internal") == "1")
    sees_the_face(rig)


def test_a_model_of_an_opset_that_is_not_known_is_refused(rig: Rig, dummy_models: Path, tmp_path: Path) -> None:
    rig.start_connected()
    model = onnx.load(dummy_models / "face_landmarks.onnx")
    model.opset_import[0].version = 999
    onnx.save(model, tmp_path / "new.onnx")
    result = rig.set_parameters(landmark_model=str(tmp_path / "new.onnx"))
    assert not result.successful and "onnxruntime cannot load it" in result.reason
    sees_the_face(rig)


def test_models_are_swapped_while_images_come(rig: Rig, dummy_models: Path, tmp_path: Path, effort: Effort) -> None:
    rig.start_connected()
    other = tmp_path / "other.onnx"
    other.write_bytes((dummy_models / "face_landmarks.onnx").read_bytes())
    for number in range(effort(6, 200)):
        for _ in range(3):
            rig.publish(rig.scene())
        path = other if number % 2 else dummy_models / "face_landmarks.onnx"
        assert rig.set_parameters(landmark_model=str(path)).successful
        other.write_bytes((dummy_models / "face_landmarks.onnx").read_bytes())
        sees_the_face(rig)


@pytest.fixture
def process(rig: Rig, tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts the detector as a process in the rig's namespace."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        values = [word for name, value in rig.parameters.items() for word in ("-p", f"{name}:={value}")]
        command = [sys.executable, "-m", "thermal_fld_ros.nodes.detector", "--ros-args", "-r", f"__ns:={rig.namespace}"]
        with (tmp_path / "log.txt").open("a") as log:
            started.append(subprocess.Popen([*command, *values], stdout=log, stderr=log, start_new_session=True))
        return started[-1]

    yield start
    for one in started:
        one.kill()
        one.wait()


@pytest.mark.slow
def test_a_process_that_is_stopped_for_a_while_goes_on_with_the_newest_image(
    rig: Rig, process: Any, effort: Effort
) -> None:
    running = process()
    rig.connect()
    running.send_signal(signal.SIGSTOP)
    end = time.monotonic() + effort(2, 10)
    while time.monotonic() < end:
        last = rig.publish(rig.scene())
        time.sleep(0.03)
    known = len(rig.results)
    running.send_signal(signal.SIGCONT)
    rig.wait_for(lambda: rig.results[-1].header.stamp == last.header.stamp, "the answer to the last image")
    assert len(rig.results) - known <= 3, "no queue of old images"
    sees_the_face(rig)
    running.send_signal(signal.SIGINT)
    assert running.wait(GENEROUS) == 0


def test_a_second_node_of_the_same_name_takes_nothing_away(rig: Rig, process: Any) -> None:
    rig.start_connected()
    other = process()
    rig.wait_for(lambda: rig.node.count_subscribers("image") == 2, "the other node")
    image = rig.publish(rig.scene())
    answers = lambda: [one for one in rig.results if one.header.stamp == image.header.stamp]  # noqa: E731
    rig.wait_for(answers, "an answer")
    other.send_signal(signal.SIGINT)
    assert other.wait(GENEROUS) == 0
    sees_the_face(rig)


def test_a_viewer_that_never_looks_does_not_hold_the_node_up(rig: Rig, effort: Effort) -> None:
    """Its queue is full at once; reliable as it is, it must not block the node that draws for it."""
    rig.start_connected()
    context_of_its_own = rig.node.context
    import rclpy

    viewer = rclpy.create_node("viewer", namespace=rig.namespace, context=context_of_its_own)  # never spun
    viewer.create_subscription(Image, "thermal_fld_detector/overlay", print, QoSProfile(depth=1))
    rig.wait_for(lambda: rig.node.count_subscribers("thermal_fld_detector/overlay") == 1, "the viewer")
    for _ in range(effort(60, 3000)):
        sees_the_face(rig)
    viewer.destroy_node()
