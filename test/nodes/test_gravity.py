# SPDX-License-Identifier: Apache-2.0
"""The vertical from tf, over DDS: where tf2_ros is installed, and what is said where it is not."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterator

import pytest
from geometry_msgs.msg import TransformStamped
from node_rig import NodeRig
from std_msgs.msg import Header

from thermal_fld_ros.nodes.ergonomics import ErgonomicsNode
from thermal_fld_ros.nodes.ergonomics_parameters import TABLE
from thermal_fld_ros.nodes.gravity import Gravity, mounted_up

HAS_TF2 = importlib.util.find_spec("tf2_ros") is not None
needs_tf2 = pytest.mark.skipif(not HAS_TF2, reason="tf2_ros is not installed")
CAMERA, LEVEL = "thermal_optical", "imu_odom"


class GravityRig(NodeRig):
    """A node that asks tf for the vertical, and a broadcaster in place of the robot."""

    def __init__(self) -> None:
        super().__init__("thermal_fld_ergonomics", {"gravity": "tf", "gravity_frame": LEVEL})

    def start(self) -> ErgonomicsNode:
        return self.start_node(ErgonomicsNode, (), {})


@pytest.fixture
def rig(ros: None) -> Iterator[GravityRig]:
    rig = GravityRig()
    yield rig
    rig.close()


def camera_in_level_frame(pitch: float) -> TransformStamped:
    """A camera that looks along the level frame's x axis, and up by `pitch` degrees: the optical frame's x is right, its z forward."""
    half = math.radians(pitch) / 2
    transform = TransformStamped(header=Header(frame_id=LEVEL), child_frame_id=CAMERA)
    # the body's pitch about y (down is positive) times the turn from the body's axes to the optical ones (-.5 .5 -.5 .5)
    a, b = math.cos(half), -math.sin(half)
    turn = transform.transform.rotation
    turn.x, turn.y, turn.z, turn.w = -0.5 * (a + b), 0.5 * (a + b), -0.5 * (a - b), 0.5 * (a - b)
    return transform


@needs_tf2
def test_the_vertical_is_the_z_axis_of_the_level_frame(rig: GravityRig) -> None:
    from tf2_ros import StaticTransformBroadcaster

    values = {parameter.name: parameter.default for parameter in TABLE} | rig.parameters
    gravity = Gravity(rig.node, values)
    header = Header(frame_id=CAMERA)
    assert gravity.up(header) is None and CAMERA in gravity.status, "nothing is known of the frames yet"
    broadcaster = StaticTransformBroadcaster(rig.node)
    broadcaster.sendTransform(camera_in_level_frame(pitch=25.0))
    up = rig.wait_for(lambda: None if (found := gravity.up(header)) is None else [found], "the transform")[0]
    assert up.tolist() == pytest.approx(mounted_up(25.0, 0.0).tolist(), abs=1e-6)
    assert gravity.status == f"tf: {LEVEL}"
    gravity.close()


@needs_tf2
def test_a_camera_that_moves_is_asked_for_at_the_images_stamp(rig: GravityRig) -> None:
    from tf2_ros import TransformBroadcaster

    gravity = Gravity(rig.node, {parameter.name: parameter.default for parameter in TABLE} | rig.parameters)
    broadcaster = TransformBroadcaster(rig.node)

    def moved(second: int, pitch: float) -> TransformStamped:
        transform = camera_in_level_frame(pitch)
        transform.header.stamp.sec = second
        return transform

    def between() -> list[float] | None:
        for second, pitch in ((10, 0.0), (12, 40.0)):
            broadcaster.sendTransform(moved(second, pitch))
        header = Header(frame_id=CAMERA)
        header.stamp.sec = 11
        up = gravity.up(header)
        return None if up is None else up.tolist()

    expected = pytest.approx(mounted_up(20.0, 0.0).tolist(), abs=1e-3)
    rig.wait_for(lambda: between() == expected, "the vertical between two transforms")
    late = Header(frame_id=CAMERA)
    late.stamp.sec = 99
    assert gravity.up(late).tolist() == pytest.approx(mounted_up(40.0, 0.0).tolist(), abs=1e-3), "the newest"
    gravity.close()


@pytest.mark.skipif(HAS_TF2, reason="tf2_ros is installed")
def test_without_tf2_ros_it_is_named(rig: GravityRig) -> None:
    rig.start()
    rig.wait_for_log("gravity: tf needs the package tf2_ros")
    assert rig.state() == "unconfigured"


@pytest.mark.skipif(HAS_TF2, reason="tf2_ros is installed")
def test_a_change_to_tf_is_refused_without_tf2_ros(rig: GravityRig) -> None:
    rig.parameters["gravity"] = "none"
    rig.start()
    assert rig.state() == "active"
    answer = rig.set_parameters(gravity="tf")
    assert not answer.successful and "tf2_ros" in answer.reason
