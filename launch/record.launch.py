# SPDX-License-Identifier: Apache-2.0
"""The same topics with plain `ros2 bag record`: every message, unpaired, no gates and no manifest.

    ros2 launch thermal_fld_ros record.launch.py thermal:=/thermal/image_raw rgb:=/camera/image_raw output:=my_bag

Needs the packages ros2bag and rosbag2_storage_mcap. A topic `none` is left out, such as with rgb:=none.
"""

import atexit
import json
import tempfile
from pathlib import Path

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution

from thermal_fld_ros.launching import SHARE, shared_memory_profile, topic_arguments

TOPICS = {
    "thermal": ("/thermal/image", "thermal images"),
    "rgb": ("/rgb/image", "RGB images"),
    "thermal_info": ("none", "calibration of the thermal camera"),
    "rgb_info": ("none", "calibration of the RGB camera"),
    "face_landmarks": ("none", "landmarks of the detector"),
    "tf_static": ("/tf_static", "where the cameras are"),
}
OPTIONS = {
    "output": ("", "folder of the bag, which must not exist; empty: named by the time"),
    "storage": ("mcap", "mcap or sqlite3"),
    "reliability": ("best_effort", "QoS of the subscriptions: best_effort hears every publisher"),
    "split_size": ("2000", "MB after which the bag goes on in another file; 0: never"),
    "cache_size": ("500", "MB of messages that may wait for the disk"),
}


def record(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Run `ros2 bag record` with a QoS file for these topics."""
    values = {name: LaunchConfiguration(name).perform(context) for name in (*TOPICS, *OPTIONS)}
    named = {name: "/" + values[name].lstrip("/") for name in TOPICS if values[name] not in ("", "none")}
    topics = list(named.values())
    if not topics:
        raise ValueError("all topics are none: there is nothing to record")
    qos = {topic: {"history": "keep_last", "depth": 100, "reliability": values["reliability"]} for topic in topics}
    if "tf_static" in named:  # heard however late, and played so too
        qos[named["tf_static"]] |= {"reliability": "reliable", "durability": "transient_local"}
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", prefix="record_qos_", delete=False) as file:
        json.dump(qos, file)  # which is YAML
    atexit.register(Path(file.name).unlink, missing_ok=True)
    command = ["ros2", "bag", "record", "--storage", values["storage"]]
    command += ["--qos-profile-overrides-path", file.name]
    command += ["--max-bag-size", str(round(1e6 * float(values["split_size"])))]
    command += ["--max-cache-size", str(round(1e6 * float(values["cache_size"])))]
    if values["storage"] == "mcap":  # one frame a chunk and no compression: least work, and least to lose
        config = PathJoinSubstitution([SHARE, "config", "record_mcap.yaml"]).perform(context)
        command += ["--storage-config-file", config]
    if values["output"]:
        command += ["--output", str(Path(values["output"]).expanduser())]  # no shell does it in output:=~/my_bag
    # The topics stand last and without an option of their own: so every distribution understands them.
    return [ExecuteProcess(cmd=[*command, *topics], output="screen", sigterm_timeout="60", sigkill_timeout="60")]


def generate_launch_description() -> LaunchDescription:
    """Build the description that `ros2 launch` runs."""
    declared = [
        *topic_arguments(TOPICS),
        *(
            DeclareLaunchArgument(name, default_value=value, description=text)
            for name, (value, text) in OPTIONS.items()
        ),
    ]
    steps = (OpaqueFunction(function=step) for step in (shared_memory_profile, record))
    return LaunchDescription([*declared, *steps])
