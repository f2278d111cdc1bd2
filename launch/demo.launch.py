# SPDX-License-Identifier: Apache-2.0
"""Faces from a camera on this computer, or from a recording: camera, detector, and a topic to look at.

    ros2 launch thermal_fld_ros demo.launch.py device:=/dev/video0 unit:=centikelvin rotate:=90
    ros2 launch thermal_fld_ros demo.launch.py input:=recording.npz

Without both it plays a rendered clip in a loop. Look at the result with `ros2 run rqt_image_view rqt_image_view`. docs/input.md tells
which unit and rotation which camera has.
"""

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, LogInfo, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node

from thermal_fld_ros.launching import SHARE, shared_memory_profile
from thermal_fld_ros.recordings.opening import open_source

CLIP = PathJoinSubstitution([SHARE, "resource", "demo_clip.npz"])
# Arguments with their defaults and what they are.
ARGUMENTS = {
    "device": ("", "video device of a camera, such as /dev/video0"),
    "layout": ("", "what of the camera's buffer is the image: plain, two_part, or auto"),
    "calibration": ("", "file of the camera's calibration, for head poses"),
    "input": (CLIP, "without a device: any recording that docs/input.md lists, played in a loop"),
    "unit": ("", "what a pixel's value means; empty: what the recording says, else counts"),
    "rotate": ("", "clockwise turn in degrees that brings the image upright: 0, 90, 180 or 270"),
    "detector_model": ("", "ONNX file of the face detector"),
    "landmark_model": ("", "ONNX file of the landmark model"),
    "namespace": ("", "namespace of the nodes"),
}
PASSED = ("rotate", "detector_model", "landmark_model", "namespace")


def camera_or_recording(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Start what publishes images, and the detector."""
    values = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    if values["device"]:
        executable, names, unit = "camera", ("device", "layout", "calibration"), values["unit"]
        parameters = {name: values[name] for name in names if values[name]}
    else:
        source = open_source(values["input"])
        executable, unit = "replay", values["unit"] or source.unit or ""
        parameters = {"input": values["input"], "loop": True}
    images = Node(
        package="thermal_fld_ros",
        executable=executable,
        namespace=values["namespace"],
        parameters=[parameters],
        output="screen",
    )
    detector = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(PathJoinSubstitution([SHARE, "launch", "detector.launch.py"])),
        launch_arguments=[("unit", unit), *((name, values[name]) for name in PASSED)],
    )
    topic = "/".join(part for part in (values["namespace"].strip("/"), "thermal_fld_detector/overlay") if part)
    look = LogInfo(msg=f"look at it: ros2 run rqt_image_view rqt_image_view /{topic}")
    return [images, detector, look]


def generate_launch_description() -> LaunchDescription:
    """Build the description that `ros2 launch` runs."""
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=text)
        for name, (default, text) in ARGUMENTS.items()
    ]
    steps = (OpaqueFunction(function=step) for step in (shared_memory_profile, camera_or_recording))
    return LaunchDescription([*declared, *steps])
