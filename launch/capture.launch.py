# SPDX-License-Identifier: Apache-2.0
"""Pairs of thermal and RGB images into a bag.

    ros2 launch thermal_fld_ros capture.launch.py thermal:=/thermal/image_raw rgb:=/camera/image_raw output:=~/captures

Without further ado an episode begins with the node and ends with it. With `record:=false` the services of the node begin and end episodes
(docs/capture.md).
"""

import os

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import LifecycleNode
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

SHARE = FindPackageShare("thermal_fld_ros")
PROFILES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")  # before and since Fast DDS 3

# Node parameters that are also arguments, with their types. Left empty, the parameter file decides.
PARAMETERS = {
    "thermal_transport": (str, "raw or compressed"),
    "rgb_transport": (str, "raw or compressed"),
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


def arguments() -> list[LaunchDescriptionEntity]:
    """Declare what `ros2 launch ... --show-args` tells."""
    default_parameters = PathJoinSubstitution([SHARE, "config", "capture.yaml"])
    return [
        DeclareLaunchArgument("name", default_value="thermal_fld_capture", description="name of the node"),
        DeclareLaunchArgument("namespace", default_value="", description="namespace of the node"),
        DeclareLaunchArgument("params_file", default_value=default_parameters, description="file of node parameters"),
        DeclareLaunchArgument("autostart", default_value="true", description="take the node to active"),
        DeclareLaunchArgument("respawn", default_value="false", description="start the node again when it ends"),
        DeclareLaunchArgument("log_level", default_value="info", description="debug, info, warn or error"),
        *(
            DeclareLaunchArgument(name, default_value=topic, description=f"topic: {text}")
            for name, (topic, text) in TOPICS.items()
        ),
        *(DeclareLaunchArgument(name, default_value="", description=text) for name, (_, text) in PARAMETERS.items()),
    ]


def capture(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Start the node with the parameter file and, above it, the arguments that were given."""
    given = {
        RENAMED.get(name, name): ParameterValue(LaunchConfiguration(name), value_type=kind)
        for name, (kind, _) in PARAMETERS.items()
        if LaunchConfiguration(name).perform(context)
    }
    given["autostart"] = ParameterValue(LaunchConfiguration("autostart"), value_type=bool)
    return [
        LifecycleNode(
            package="thermal_fld_ros",
            executable="capture",
            name=LaunchConfiguration("name"),
            namespace=LaunchConfiguration("namespace"),
            parameters=[LaunchConfiguration("params_file"), given],
            remappings=[(topic, LaunchConfiguration(name)) for name, (topic, _) in TOPICS.items()],
            arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
            respawn=IfCondition(LaunchConfiguration("respawn")).evaluate(context),
            respawn_delay=2.0,
            # What waits for a slow disk is still written after Ctrl-C.
            sigterm_timeout="60",
            sigkill_timeout="60",
            output="screen",
        )
    ]


def shared_memory_profile(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Let large images through (docs/troubleshooting.md). A profile that the user has set wins."""
    if any(os.environ.get(name) for name in PROFILES):
        return []
    return [SetEnvironmentVariable(name, PathJoinSubstitution([SHARE, "config", "fastdds.xml"])) for name in PROFILES]


def generate_launch_description() -> LaunchDescription:
    """Build the description that `ros2 launch` runs."""
    steps = (OpaqueFunction(function=step) for step in (shared_memory_profile, capture))
    return LaunchDescription([*arguments(), *steps])
