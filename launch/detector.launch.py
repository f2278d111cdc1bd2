# SPDX-License-Identifier: Apache-2.0
"""The landmark detector on the topics of a camera.

    ros2 launch thermal_fld_ros detector.launch.py image:=/camera/image_raw unit:=centikelvin

The node takes itself to active (its parameter `autostart`). A launch file that does it would activate on the event that
configuring has succeeded, and right after a start that event is sometimes lost: it is published before discovery has
connected the two. `autostart:=false` leaves the transitions to a lifecycle manager or to `ros2 lifecycle set`.
"""

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import OpaqueFunction
from launch.substitutions import LaunchConfiguration

from thermal_fld_ros.launching import node_arguments, shared_memory_profile, started_node

# Node parameters that are also arguments, with their types. Left empty, the parameter file decides.
PARAMETERS = {
    "unit": (str, "what a pixel's value means: centikelvin, counts, ... (docs/parameters.md)"),
    "transport": (str, "raw, compressed, or auto: by the name of the image topic"),
    "rotate": (int, "clockwise turn in degrees that brings the image upright: 0, 90, 180 or 270"),
    "landmark_model": (str, "ONNX file of the landmark model"),
    "detector_model": (str, "ONNX file of the face detector"),
    "provider": (str, "where the models run: auto, cpu, cuda or tensorrt"),
    "humans": (bool, "publish the faces as ROS4HRI has them (REP-155), needs hri_msgs"),
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


def detector(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Start the node."""
    compressed = [("~/overlay/compressed", [LaunchConfiguration("overlay"), "/compressed"])]
    return [started_node(context, "detector", TOPICS, PARAMETERS, remappings=compressed)]


def generate_launch_description() -> LaunchDescription:
    """Build the description that `ros2 launch` runs."""
    steps = (OpaqueFunction(function=step) for step in (shared_memory_profile, detector))
    return LaunchDescription([*node_arguments("detector", TOPICS, PARAMETERS), *steps])
