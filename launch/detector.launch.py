# SPDX-License-Identifier: Apache-2.0
"""The landmark detector on the topics of a camera.

    ros2 launch thermal_fld_ros detector.launch.py image:=/camera/image_raw unit:=centikelvin

The node takes itself to active (its parameter `autostart`). A launch file that does it would activate on the event that
configuring has succeeded, and right after a start that event is sometimes lost: it is published before discovery has
connected the two. `autostart:=false` leaves the transitions to a lifecycle manager or to `ros2 lifecycle set`.
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
    "unit": (str, "what a pixel's value means: centikelvin, counts, ... (docs/parameters.md)"),
    "rotate": (int, "clockwise turn in degrees that brings the image upright: 0, 90, 180 or 270"),
    "landmark_model": (str, "ONNX file of the landmark model"),
    "detector_model": (str, "ONNX file of the face detector"),
    "provider": (str, "where the models run: auto, cpu, cuda or tensorrt"),
    "use_sim_time": (bool, "take the time from /clock"),
}
# Topics of the node, by the argument that names them.
TOPICS = {
    "image": ("image", "thermal images in"),
    "camera_info": ("camera_info", "calibration in, for head poses"),
    "face_landmarks": ("face_landmarks", "landmarks out"),
    "overlay": ("~/overlay", "annotated images out, with /compressed beside them"),
    "diagnostics": ("/diagnostics", "diagnostics out"),
}


def arguments() -> list[LaunchDescriptionEntity]:
    """Declare what `ros2 launch ... --show-args` tells."""
    default_parameters = PathJoinSubstitution([SHARE, "config", "detector.yaml"])
    return [
        DeclareLaunchArgument("name", default_value="thermal_fld_detector", description="name of the node"),
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


def detector(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Start the node with the parameter file and, above it, the arguments that were given."""
    given = {
        name: ParameterValue(LaunchConfiguration(name), value_type=kind)
        for name, (kind, _) in PARAMETERS.items()
        if LaunchConfiguration(name).perform(context)
    }
    given["autostart"] = ParameterValue(LaunchConfiguration("autostart"), value_type=bool)
    remappings = [(topic, LaunchConfiguration(name)) for name, (topic, _) in TOPICS.items()]
    remappings.append(("~/overlay/compressed", [LaunchConfiguration("overlay"), "/compressed"]))
    return [
        LifecycleNode(
            package="thermal_fld_ros",
            executable="detector",
            name=LaunchConfiguration("name"),
            namespace=LaunchConfiguration("namespace"),
            parameters=[LaunchConfiguration("params_file"), given],
            remappings=remappings,
            arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
            respawn=IfCondition(LaunchConfiguration("respawn")).evaluate(context),
            respawn_delay=2.0,
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
    steps = (OpaqueFunction(function=step) for step in (shared_memory_profile, detector))
    return LaunchDescription([*arguments(), *steps])
