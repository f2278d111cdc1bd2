# SPDX-License-Identifier: Apache-2.0
"""The SROS 2 policy allows what the nodes have in the graph, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from rclpy.parameter import Parameter

from thermal_fld_ros.nodes.capture import CaptureNode
from thermal_fld_ros.nodes.detector import DetectorNode
from thermal_fld_ros.nodes.ergonomics import ErgonomicsNode

POLICY = Path(__file__).parents[2] / "config/sros2_policy.xml"
OCCASIONAL = {"/clock", "/tf", "/tf_static", "/thermal_fld_detector/annotations", "/humans/faces/*"}
"""What depends on parameters (use_sim_time, gravity, humans) and on which packages are installed (tf2_msgs, foxglove_msgs, hri_msgs)."""
NEWER = {"get_type_description"}
"""Services that not every ROS 2 from Humble on has."""


def allowed(node: str) -> dict[str, set[str]]:
    """By what may be done: full names."""
    (profile,) = (one for one in ElementTree.parse(POLICY).iter("profile") if one.get("node") == node)
    found: dict[str, set[str]] = {}
    for group in profile:
        (action,) = (name for name, value in group.attrib.items() if value == "ALLOW")
        for entry in group:
            name = str(entry.text).replace("~", f"/{node}")
            found.setdefault(action, set()).add(name if name.startswith("/") else f"/{name}")
    return found


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        (DetectorNode, {}),
        (ErgonomicsNode, {}),
        (CaptureNode, {"record": False, "camera_info": "both", "face_landmarks": True}),
    ],
)
def test_the_policy_is_what_the_nodes_do(ros: None, kind: Any, parameters: dict[str, Any]) -> None:
    node = kind(parameter_overrides=[Parameter(name, value=value) for name, value in parameters.items()])
    try:
        me = node.get_name(), node.get_namespace()
        names = {
            "publish": {name for name, _ in node.get_publisher_names_and_types_by_node(*me)},
            "subscribe": {name for name, _ in node.get_subscriber_names_and_types_by_node(*me)},
            "reply": {name for name, _ in node.get_service_names_and_types_by_node(*me)},
        }
        policy = allowed(node.get_name())
        for entries in (names, policy):
            entries["subscribe"] -= OCCASIONAL
            entries["publish"] -= OCCASIONAL
            entries["reply"] = {name for name in entries["reply"] if name.rpartition("/")[2] not in NEWER}
        assert names == policy
        assert not node.get_client_names_and_types_by_node(*me)
    finally:
        node.close()
        node.destroy_node()
