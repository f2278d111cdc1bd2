# SPDX-License-Identifier: Apache-2.0
"""The layouts for RViz and Foxglove show topics that the nodes publish, with their types and fields."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from rclpy.parameter import Parameter

from thermal_fld_ros.msg import FaceErgonomics, FaceErgonomicsArray
from thermal_fld_ros.nodes.detector import DetectorNode
from thermal_fld_ros.nodes.ergonomics import ErgonomicsNode
from thermal_fld_ros.nodes.replay import TABLE, ReplayNode

ROOT = Path(__file__).parents[2]
LAYOUT = json.loads((ROOT / "config/foxglove_layout.json").read_text())
RVIZ = yaml.safe_load((ROOT / "config/faces.rviz").read_text())["Visualization Manager"]


@pytest.fixture(scope="module")
def published(ros: None, interfaces: None) -> Iterator[dict[str, str]]:
    """Topic to type of what the detector, the ergonomics node and the replay publish."""
    clip = Parameter("input", value=str(ROOT / "resource/demo_clip.npz"))
    humans = Parameter("humans", value=True)
    nodes: list[Any] = [
        DetectorNode(parameter_overrides=[humans]),
        ErgonomicsNode(),
        ReplayNode(parameter_overrides=[clip]),
    ]
    topics: dict[str, str] = {}
    last_ones = {"/image", "/face_ergonomics", "/tf", "/thermal_fld_detector/annotations"}
    end = time.monotonic() + 30.0
    while not last_ones <= set(topics) and time.monotonic() < end:
        for node in nodes:
            for name, types in node.get_publisher_names_and_types_by_node(node.get_name(), node.get_namespace()):
                topics[name] = types[0]
        time.sleep(0.05)
    yield topics
    for node in nodes:
        if not isinstance(node, ReplayNode):
            node.close()
        node.destroy_node()


def values(layout: Any, key: str) -> list[str]:
    """All values of a key, however deep."""
    if isinstance(layout, list):
        return [value for each in layout for value in values(each, key)]
    if not isinstance(layout, dict):
        return []
    own = [layout[key]] if key in layout else []
    return own + [value for each in layout.values() for value in values(each, key)]


def test_the_images_and_annotations_of_foxglove_are_published(published: dict[str, str]) -> None:
    images = values(LAYOUT, "imageTopic")
    assert len(images) == 2 and {published[topic] for topic in images} == {"sensor_msgs/msg/Image"}
    (calibration,) = values(LAYOUT, "calibrationTopic")
    assert published[calibration] == "sensor_msgs/msg/CameraInfo"
    (annotations,) = values(LAYOUT, "annotations")
    assert {published[topic] for topic in annotations} == {"foxglove_msgs/msg/ImageAnnotations"}
    assert [published[topic] for topic in values(LAYOUT, "topicToRender")] == ["diagnostic_msgs/msg/DiagnosticArray"]


def test_the_plots_of_foxglove_are_fields_of_what_is_published(published: dict[str, str]) -> None:
    paths = [path["value"] for paths in values(LAYOUT, "paths") for path in paths]
    assert len(paths) == 6
    for path in paths:
        topic, field = re.fullmatch(r"([\w/]+)\.faces\[:\]\.(\w+)", path).groups()
        assert published[topic] == "thermal_fld_ros/msg/FaceErgonomicsArray"
        assert field in FaceErgonomics.get_fields_and_field_types()
    assert "faces" in FaceErgonomicsArray.get_fields_and_field_types()


def test_every_panel_of_foxglove_is_placed() -> None:
    placed = [name for key in ("first", "second") for name in values(LAYOUT["layout"], key) if isinstance(name, str)]
    assert sorted(placed) == sorted(LAYOUT["configById"])


def test_the_displays_of_rviz_are_published(published: dict[str, str]) -> None:
    displays = {display["Class"].split("/")[1]: display for display in RVIZ["Displays"]}
    assert published[displays["Image"]["Topic"]["Value"]] == "sensor_msgs/msg/Image"
    assert displays["TF"]["Enabled"] and published["/tf"] == "tf2_msgs/msg/TFMessage"
    (frame,) = (parameter.default for parameter in TABLE if parameter.name == "frame_id")
    assert RVIZ["Global Options"]["Fixed Frame"] == frame
