# SPDX-License-Identifier: Apache-2.0
"""Pairs of thermal and RGB images into a bag.

    ros2 launch thermal_fld_ros capture.launch.py thermal:=/thermal/image_raw rgb:=/camera/image_raw output:=~/captures

Without further ado an episode begins with the node and ends with it. With `record:=false` the services of the node begin and end episodes
(docs/capture.md).
"""

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import OpaqueFunction

from thermal_fld_ros.launching import node_arguments, shared_memory_profile, started_node

# Node parameters that are also arguments, with their types. Left empty, the parameter file decides.
PARAMETERS = {
    "thermal_transport": (str, "auto, raw or compressed"),
    "rgb_transport": (str, "auto, raw or compressed"),
    "record_camera_info": (str, "none, thermal, rgb or both: camera_info that is part of every pair"),
    "record_face_landmarks": (bool, "make the detector's landmarks part of every pair"),
    "record": (bool, "begin an episode at the start"),
    "output": (str, "folder for the bags"),
    "subject": (str, "tag of the person, no name"),
    "consent": (str, "what the person has agreed to"),
    "max_rate": (float, "pairs a second at most"),
    "keep": (str, "what is kept of the images: images, faces or landmarks"),
    "registration": (str, "JSON file with the homography from thermal to RGB pixels"),
    "use_sim_time": (bool, "take the time from /clock"),
}
# Arguments whose parameter has another name, which is that of a topic's argument.
RENAMED = {"record_camera_info": "camera_info", "record_face_landmarks": "face_landmarks"}
# Topics of the node, by the argument that names them.
TOPICS = {
    "thermal": ("thermal/image", "thermal images"),
    "rgb": ("rgb/image", "RGB images"),
    "thermal_info": ("thermal/camera_info", "calibration of the thermal camera"),
    "rgb_info": ("rgb/camera_info", "calibration of the RGB camera"),
    "face_landmarks": ("face_landmarks", "landmarks of the detector"),
    "diagnostics": ("/diagnostics", "diagnostics out"),
}


def capture(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Start the node. What waits for a slow disk is still written after Ctrl-C."""
    patient = {"sigterm_timeout": "60", "sigkill_timeout": "60"}
    return [started_node(context, "capture", TOPICS, PARAMETERS, RENAMED, **patient)]


def generate_launch_description() -> LaunchDescription:
    """Build the description that `ros2 launch` runs."""
    steps = (OpaqueFunction(function=step) for step in (shared_memory_profile, capture))
    return LaunchDescription([*node_arguments("capture", TOPICS, PARAMETERS), *steps])
