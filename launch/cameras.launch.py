# SPDX-License-Identifier: Apache-2.0
"""A detector for each of several cameras, each in the namespace of its camera.

    ros2 launch thermal_fld_ros cameras.launch.py cameras:=front,rear image:=image_raw unit:=centikelvin

gives /front/thermal_fld_detector on /front/image_raw with results on /front/face_landmarks, and the same for /rear. Topics are relative
to these namespaces; with `namespace:=robot1` all lies below /robot1, for several robots in one network. One `params_file` may have a
section for each node (`/front/thermal_fld_detector:`) beside the one for all (`/**:`).
"""

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration

from thermal_fld_ros.launching import node_arguments, shared_memory_profile, started_node

# Node parameters that are also arguments, with their types. Left empty, the parameter file decides.
PARAMETERS = {
    "unit": (str, "what a pixel's value means: centikelvin, counts, ... (docs/parameters.md)"),
    "rotate": (int, "clockwise turn in degrees that brings the image upright: 0, 90, 180 or 270"),
    "provider": (str, "where the models run: auto, cpu, cuda or tensorrt"),
    "detector_model": (str, "ONNX file of the face detector"),
    "landmark_model": (str, "ONNX file of the landmark model"),
    "use_sim_time": (bool, "take the time from /clock"),
}
# Topics of each node, by the argument that names them.
TOPICS = {
    "image": ("image", "thermal images in"),
    "camera_info": ("camera_info", "calibration in, for head poses"),
    "face_landmarks": ("face_landmarks", "landmarks out"),
    "diagnostics": ("/diagnostics", "diagnostics out"),
}


def detectors(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Start a node for each camera."""
    cameras = [name.strip().strip("/") for name in LaunchConfiguration("cameras").perform(context).split(",")]
    if not all(cameras) or len(set(cameras)) < len(cameras):
        raise ValueError(f"cameras:={','.join(cameras)}: expected different names, such as cameras:=front,rear")
    outer = LaunchConfiguration("namespace").perform(context).rstrip("/")
    return [
        started_node(context, "detector", TOPICS, PARAMETERS, namespace=f"{outer}/{camera}" if outer else camera)
        for camera in cameras
    ]


def generate_launch_description() -> LaunchDescription:
    """Build the description that `ros2 launch` runs."""
    steps = (OpaqueFunction(function=step) for step in (shared_memory_profile, detectors))
    cameras = DeclareLaunchArgument("cameras", description="names of the cameras, separated by commas")
    return LaunchDescription([cameras, *node_arguments("detector", TOPICS, PARAMETERS), *steps])
