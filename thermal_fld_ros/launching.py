# SPDX-License-Identifier: Apache-2.0
"""Shared by the package's launch files; only they import it, because it needs launch_ros."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from launch import LaunchContext, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, LogInfo, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import LifecycleNode
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

SHARE = FindPackageShare("thermal_fld_ros")
PROFILES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")  # before and since Fast DDS 3

Topics = Mapping[str, tuple[str, str]]
"""Of a node, by the argument that names them: the default and what it is."""

ParameterArguments = Mapping[str, tuple[type, str]]
"""Of a node that are arguments too: type and description. Left empty, the parameter file decides."""


def topic_arguments(topics: Topics) -> list[LaunchDescriptionEntity]:
    """Declare an argument for each topic."""
    return [DeclareLaunchArgument(n, default_value=t, description=f"topic: {text}") for n, (t, text) in topics.items()]


def node_arguments(node: str, topics: Topics, parameters: ParameterArguments) -> list[LaunchDescriptionEntity]:
    """Declare the launch arguments of a lifecycle node, such as "detector" or "capture"."""
    file = PathJoinSubstitution([SHARE, "config", f"{node}.yaml"])
    return [
        DeclareLaunchArgument("name", default_value=f"thermal_fld_{node}", description="name of the node"),
        DeclareLaunchArgument("namespace", default_value="", description="namespace of the node"),
        DeclareLaunchArgument("params_file", default_value=file, description="file of node parameters"),
        DeclareLaunchArgument("autostart", default_value="true", description="take the node to active"),
        DeclareLaunchArgument("respawn", default_value="false", description="start the node again when it ends"),
        DeclareLaunchArgument("log_level", default_value="info", description="debug, info, warn or error"),
        *topic_arguments(topics),
        *(DeclareLaunchArgument(name, default_value="", description=text) for name, (_, text) in parameters.items()),
    ]


def started_node(
    context: LaunchContext,
    node: str,
    topics: Topics,
    parameters: ParameterArguments,
    renamed: Mapping[str, str] | None = None,
    **more: Any,
) -> LifecycleNode:
    """The node with its parameter file and, above it, the arguments that were given.

    Parameters
    ----------
    context : LaunchContext
    node : str
        Its executable.
    topics, parameters
        As for ``node_arguments``.
    renamed : mapping, optional
        The parameter of an argument whose own name is that of a topic's argument.
    more
        Other arguments of LifecycleNode; ``remappings`` come after those of the topics, ``name``, ``namespace`` and
        ``params_file`` take the place of the arguments of these names.

    Raises
    ------
    FileNotFoundError
        The parameter file does not exist.
    """
    params_file = Path(more.pop("params_file", LaunchConfiguration("params_file")).perform(context)).expanduser()
    if not params_file.is_file():
        raise FileNotFoundError(f"the parameter file {params_file} does not exist (argument params_file of {node})")
    given = {
        (renamed or {}).get(name, name): ParameterValue(LaunchConfiguration(name), value_type=kind)
        for name, (kind, _) in parameters.items()
        if LaunchConfiguration(name).perform(context)
    }
    given["autostart"] = ParameterValue(LaunchConfiguration("autostart"), value_type=bool)
    remappings = [(topic, LaunchConfiguration(name)) for name, (topic, _) in topics.items()]
    return LifecycleNode(
        package="thermal_fld_ros",
        executable=node,
        name=more.pop("name", LaunchConfiguration("name")),
        namespace=more.pop("namespace", LaunchConfiguration("namespace")),
        parameters=[str(params_file), given],
        remappings=[*remappings, *more.pop("remappings", ())],
        arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
        respawn=IfCondition(LaunchConfiguration("respawn")).evaluate(context),
        respawn_delay=2.0,
        output="screen",
        **more,
    )


def shared_memory_profile(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Let large images through (docs/troubleshooting.md). A profile that the user has set wins."""
    if any(os.environ.get(name) for name in PROFILES):
        return []
    file = PathJoinSubstitution([SHARE, "config", "fastdds.xml"])
    hint = (
        "Images above half a megabyte need Fast DDS's shared memory to be larger. It is here; the process of the camera needs it too: "
        "include shared_memory.launch.py before its nodes, or `source ",
        PathJoinSubstitution([SHARE, "config", "shared_memory.sh"]),
        "` where it is started.",
    )
    return [*(SetEnvironmentVariable(name, file) for name in PROFILES), LogInfo(msg=hint)]
