# SPDX-License-Identifier: Apache-2.0
"""The shared memory that large images need, for all nodes that a launch file starts after including this one.

    IncludeLaunchDescription(PathJoinSubstitution([FindPackageShare("thermal_fld_ros"), "launch", "shared_memory.launch.py"]))

It is for the launch file of the camera's driver: publisher and subscribers both need it (docs/troubleshooting.md).
"""

from launch import LaunchDescription
from launch.actions import OpaqueFunction

from thermal_fld_ros.launching import shared_memory_profile


def generate_launch_description() -> LaunchDescription:
    """Build the description that `ros2 launch` runs."""
    return LaunchDescription([OpaqueFunction(function=shared_memory_profile)])
