# SPDX-License-Identifier: Apache-2.0
"""Silence and loss are explained."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticStatus
from node_rig import Rig
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.utilities import get_rmw_implementation_identifier
from sensor_msgs.msg import CompressedImage, Image

from thermal_fld_ros.nodes.reception import PROFILE_VARIABLES

SOON = {"no_image_timeout": 0.5}
"""The least that is permitted."""


def test_no_publisher_names_the_topics_that_there_are(rig: Rig) -> None:
    rig.node.create_publisher(Image, "other/image_raw", 1)
    rig.start(arguments=("-r", "image:=camera/image"), **SOON)
    line = rig.wait_for_log("nothing on")
    topic = f"{rig.namespace}/camera/image"
    assert line.startswith(f"nothing on {topic} (reliable, volatile, keep last 4) for ")
    assert "it has no publisher; topics of this type are " in line and f"{rig.namespace}/other/image_raw" in line
    assert "/overlay" not in line  # its own pictures
    rig.wait_for_status(
        lambda status, values: status.level == DiagnosticStatus.WARN and "no publisher" in status.message
    )


def test_an_incompatible_qos_is_named(rig: Rig) -> None:
    rig.node.create_publisher(Image, "camera/image", QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT))
    rig.start(arguments=("-r", "image:=camera/image"), image_reliability="reliable", **SOON)
    rig.wait_for_status(lambda status, values: "tester offers an incompatible QoS (best effort" in status.message)
    assert "reliab" in rig.wait_for_log("incompatible QoS").lower()


def test_another_type_is_named(rig: Rig) -> None:
    context = rclpy.Context()  # one DDS participant cannot hold two types of one topic
    rclpy.init(context=context)
    camera = rclpy.create_node("camera", namespace=rig.namespace, context=context)
    camera.create_publisher(CompressedImage, "camera/image", 1)
    rig.start(arguments=("-r", "image:=camera/image"), **SOON)
    line = rig.wait_for_log("camera publishes sensor_msgs/msg/CompressedImage, not sensor_msgs/msg/Image")
    assert "set the transport parameter of this topic" in line
    rclpy.shutdown(context=context)


def test_a_silent_publisher_is_named_and_its_return_too(rig: Rig) -> None:
    rig.start(**SOON)
    rig.wait_for_log("1 publisher(s) with a compatible QoS, but none of them sends messages")
    rig.connect()
    rig.wait_for_log("messages arrive")
    rig.wait_for_status(lambda status, values: status.level == DiagnosticStatus.OK)


def test_losses_that_were_told_are_not_told_again_of_the_next_subscription(rig: Rig) -> None:
    detector = rig.start_connected(diagnostics_period=60.0)
    before = detector.images
    assert before is not None
    before.lost += 1000
    before.check(60.0)
    assert "1000 of" in before.trouble
    assert rig.set_parameters(image_reliability="best_effort").successful
    after = detector.images
    assert after is not None and after is not before
    after.check(60.0)
    assert (after.trouble, after.lost) == ("", 1000)


SMALL_SEGMENT = """<dds xmlns="http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles"><profiles>
<transport_descriptors><transport_descriptor>
  <transport_id>shm</transport_id><type>SHM</type><segment_size>300000</segment_size>
</transport_descriptor><transport_descriptor>
  <transport_id>udp</transport_id><type>UDPv4</type>
</transport_descriptor></transport_descriptors>
<participant profile_name="p" is_default_profile="true"><rtps>
  <useBuiltinTransports>false</useBuiltinTransports>
  <userTransports><transport_id>shm</transport_id><transport_id>udp</transport_id></userTransports>
</rtps></participant></profiles></dds>"""

CAMERA = """
import sys, time
import numpy as np, rclpy
from std_msgs.msg import Header
from sensor_msgs.msg import Image
from thermal_fld_ros.nodes import qos
from thermal_fld_ros.nodes.messages import image_from_array

rclpy.init()
publisher = rclpy.create_node("camera").create_publisher(Image, sys.argv[1], qos.images())
pixels = np.random.default_rng(0).integers(0, 60000, (1024, 1280), np.uint16)
while True:
    publisher.publish(image_from_array(pixels, Header(frame_id="camera")))
    time.sleep(1 / 60)
"""


@pytest.mark.skipif(get_rmw_implementation_identifier() != "rmw_fastrtps_cpp", reason="the loss is made with Fast DDS")
def test_images_that_are_lost_on_the_way_are_counted_and_explained(rig: Rig, tmp_path: Path) -> None:
    profile = tmp_path / "small_segment.xml"
    profile.write_text(SMALL_SEGMENT)
    environment = {**os.environ, **dict.fromkeys(PROFILE_VARIABLES, str(profile))}
    rig.start(image_reliability="best_effort", diagnostics_period=1.0)
    camera = subprocess.Popen([sys.executable, "-c", CAMERA, f"{rig.namespace}/image"], env=environment)
    try:
        rig.wait_for_log("messages were lost on the way")
        rig.wait_for_status(lambda status, values: int(values["images lost on the way"]) >= 5)
    finally:
        camera.kill()
        camera.wait()
