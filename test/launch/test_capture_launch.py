# SPDX-License-Identifier: Apache-2.0
"""The capture node's launch file, and the one for plain `ros2 bag record`, with the real launch system."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

for required in ("launch_ros", "rclpy", "ament_index_python"):
    pytest.importorskip(required)

import numpy as np
from capture_messages import contents, image
from launch_rig import PROFILES, SHARE, Launched, environment_of
from rcl_interfaces.srv import GetParameters
from sensor_msgs.msg import Image

Start = Callable[..., Launched]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[Launched] = []

    def start(file: str, name: str, environment: dict[str, str] | None = None, **arguments: str) -> Launched:
        running.append(Launched(file, name, tmp_path, environment or dict(os.environ), **arguments))
        return running[-1]

    yield start
    for launched in running:
        launched.close()


def capture(start: Start, environment: dict[str, str] | None = None, **arguments: str) -> Launched:
    return start("capture.launch.py", "thermal_fld_capture", environment, **arguments)


def test_it_records_the_given_topics_and_ctrl_c_finishes_the_bag(start: Start, tmp_path: Path) -> None:
    output = tmp_path / "bags"
    launched = capture(start, thermal="flir/raw", rgb="colour/raw", output=str(output), subject="s01", consent="form")
    publishers = {
        "mono16": launched.node.create_publisher(Image, "flir/raw", 10),
        "bgr8": launched.node.create_publisher(Image, "colour/raw", 10),
    }
    pixels = {"mono16": np.zeros((8, 8), np.uint16), "bgr8": np.zeros((8, 8, 3), np.uint8)}
    number = 0

    def written() -> bool:
        nonlocal number
        number += 1
        for encoding, publisher in publishers.items():
            publisher.publish(image(pixels[encoding], encoding, 10**18 + number * 10**8))
        manifests = [json.loads(path.read_text()) for path in output.glob("*/manifest.json")]
        return any(manifest["pairs"]["written"] for manifest in manifests)

    launched.wait_for(written, "a pair in the bag")
    assert launched.interrupt() == 0
    (bag,) = output.iterdir()
    assert bag.name.startswith("s01_")
    assert {topic for pair in contents(bag).values() for topic in pair} == {
        f"{launched.namespace}/flir/raw",
        f"{launched.namespace}/colour/raw",
    }


def test_arguments_are_parameters(start: Start) -> None:
    launched = capture(
        start,
        record="false",
        record_camera_info="both",
        record_face_landmarks="true",
        max_rate="2",
        rgb_transport="compressed",
    )
    names = GetParameters.Request(names=["record", "camera_info", "face_landmarks", "max_rate", "rgb_transport"])
    values = launched.call(GetParameters, "get_parameters", names).values
    assert not values[0].bool_value and values[1].string_value == "both" and values[2].bool_value
    assert (values[3].double_value, values[4].string_value) == (2.0, "compressed")
    launched.wait_for(lambda: launched.state() == "active", "the state active")


def test_the_packages_dds_profile_is_used(start: Start) -> None:
    clean = {name: value for name, value in os.environ.items() if name not in PROFILES}
    environment = environment_of(capture(start, clean, record="false").node_pid())
    assert [environment[name] for name in PROFILES] == [str(SHARE / "config/fastdds.xml")] * 2


STUB = """#!{python}
import json, pathlib, sys
arguments = sys.argv[1:]
qos = pathlib.Path(arguments[arguments.index("--qos-profile-overrides-path") + 1]).read_text()
pathlib.Path({result!r}).write_text(json.dumps([arguments, qos]))
"""


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_plain_recording_gets_topics_qos_and_storage(start: Start, tmp_path: Path, storage: str) -> None:
    """With something in place of `ros2` that keeps how it was called."""
    stub, result = tmp_path / "bin" / "ros2", tmp_path / "result.json"
    stub.parent.mkdir()
    stub.write_text(STUB.format(python=sys.executable, result=str(result)))
    stub.chmod(0o755)
    environment = {**os.environ, "PATH": f"{stub.parent}:{os.environ['PATH']}"}
    launched = start(
        "record.launch.py",
        "",
        environment,
        thermal="flir/raw",
        rgb_info="/colour/info",
        storage=storage,
        output="~/my_bag",
    )
    launched.wait_for(lambda: result.exists() and result.read_text(), "the call")
    arguments, qos = json.loads(result.read_text())
    assert arguments[:4] == ["bag", "record", "--storage", storage]
    assert arguments[-4:] == ["/flir/raw", "/rgb/image", "/colour/info", "/tf_static"]
    assert arguments[arguments.index("--output") + 1] == str(Path.home() / "my_bag")
    profiles = yaml.safe_load(qos)
    assert set(profiles) == set(arguments[-4:])
    assert (profiles["/tf_static"]["durability"], profiles["/tf_static"]["reliability"]) == (
        "transient_local",
        "reliable",
    )
    assert profiles["/flir/raw"] == {"history": "keep_last", "depth": 100, "reliability": "best_effort"}
    assert ("--storage-config-file" in arguments) == (storage == "mcap")
    if storage == "mcap":
        config = yaml.safe_load(Path(arguments[arguments.index("--storage-config-file") + 1]).read_text())
        assert config["compression"] == "None"


def test_topics_can_be_left_out_and_nothing_stays_behind(start: Start, tmp_path: Path) -> None:
    stub, result = tmp_path / "bin" / "ros2", tmp_path / "result.json"
    stub.parent.mkdir()
    stub.write_text(STUB.format(python=sys.executable, result=str(result)))
    stub.chmod(0o755)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = {**os.environ, "PATH": f"{stub.parent}:{os.environ['PATH']}", "TMPDIR": str(temporary)}
    launched = start("record.launch.py", "", environment, thermal="/flir/raw", rgb="none", tf_static="none")
    launched.wait_for(lambda: launched.process.poll() is not None, "the end of the launch")
    arguments, qos = json.loads(result.read_text())
    assert arguments[-1] == "/flir/raw" and "/rgb/image" not in arguments and "/none" not in arguments
    assert set(yaml.safe_load(qos)) == {"/flir/raw"}
    assert not list(temporary.glob("record_qos_*"))


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_the_recorder_itself_understands_the_call(start: Start, tmp_path: Path, storage: str) -> None:
    """Where rosbag2 is installed: what is published arrives in a bag that can be read."""
    pytest.importorskip("rosbag2_py")
    topic, bag = "/recorded/raw", tmp_path / "bag"
    launched = start(
        "record.launch.py", "", thermal=topic, rgb="none", tf_static="none", storage=storage, output=str(bag)
    )
    publisher = launched.node.create_publisher(Image, topic, 10)
    launched.wait_for(lambda: publisher.get_subscription_count() and "Recording..." in launched.log(), "the recorder")
    stamps = iter(range(10**18, 10**18 + 20))

    def published() -> bool:
        stamp = next(stamps, None)
        if stamp is not None:
            publisher.publish(image(np.zeros((8, 8), np.uint16), "mono16", stamp))
        return stamp is None

    launched.wait_for(published, "the last image")
    assert launched.interrupt() == 0
    assert {name for messages in contents(bag).values() for name in messages} == {topic}
