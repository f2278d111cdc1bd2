# SPDX-License-Identifier: Apache-2.0
"""The detector and the ergonomics node behind it.

    ros2 launch thermal_fld_ros ergonomics.launch.py image:=/thermal/image_raw camera_info:=/thermal/camera_info unit:=centikelvin

All arguments of detector.launch.py hold here too. `detector:=false` starts the ergonomics node alone, on landmarks that come from
elsewhere.
"""

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.conditions import IfCondition
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution

from thermal_fld_ros.launching import SHARE, started_node

# Node parameters that are also arguments, with their types. Left empty, the parameter file decides.
PARAMETERS = {
    "gravity": (str, "where the vertical comes from: none, mounting or tf"),
    "camera_pitch": (float, "degrees by which the camera looks up, for gravity:=mounting"),
    "gravity_frame": (str, "frame whose z axis points up, for gravity:=tf"),
    "vital_signs": (bool, "estimate breathing"),
    "use_sim_time": (bool, "take the time from /clock"),
}
# Topics of the node, by the argument that names them; the first and the last are arguments of the detector's launch file as well.
TOPICS = {
    "face_landmarks": ("face_landmarks", "landmarks"),
    "face_ergonomics": ("face_ergonomics", "posture and states out"),
    "diagnostics": ("/diagnostics", "diagnostics out"),
}


def ergonomics(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Start the node."""
    own = {name: LaunchConfiguration(f"ergonomics_{name}") for name in ("name", "params_file")}
    return [started_node(context, "ergonomics", TOPICS, PARAMETERS, **own)]


def generate_launch_description() -> LaunchDescription:
    """Build the description that `ros2 launch` runs."""
    detector = PathJoinSubstitution([SHARE, "launch", "detector.launch.py"])
    common = {"namespace": "", "autostart": "true", "respawn": "false", "log_level": "info"}
    return LaunchDescription(
        [
            DeclareLaunchArgument("detector", default_value="true", description="start the detector, too"),
            DeclareLaunchArgument(
                "ergonomics_name", default_value="thermal_fld_ergonomics", description="name of the ergonomics node"
            ),
            DeclareLaunchArgument(
                "ergonomics_params_file",
                default_value=PathJoinSubstitution([SHARE, "config", "ergonomics.yaml"]),
                description="file of parameters of the ergonomics node",
            ),
            *(
                DeclareLaunchArgument(n, default_value=value, description="of both nodes")
                for n, value in common.items()
            ),
            *(
                DeclareLaunchArgument(n, default_value=t, description=f"topic: {text}")
                for n, (t, text) in TOPICS.items()
            ),
            *(DeclareLaunchArgument(n, default_value="", description=text) for n, (_, text) in PARAMETERS.items()),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(detector), condition=IfCondition(LaunchConfiguration("detector"))
            ),
            OpaqueFunction(function=ergonomics),
        ]
    )
