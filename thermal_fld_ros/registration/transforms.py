# SPDX-License-Identifier: Apache-2.0
"""Static transforms of tf, from a bag or a file, and the way from one frame to another."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.recordings.bag import bag_reader, is_bag
from thermal_fld_ros.recordings.messages import TF_MESSAGE, TF_STATIC
from thermal_fld_ros.registration.camera import read_fields

Array = NDArray[np.float64]


class Transform(NamedTuple):
    """Where a frame lies in its parent: x_parent = rotation x_child + translation.

    Attributes
    ----------
    parent, child : str
        Names of frames without a leading slash.
    rotation : (3, 3)
    translation : (3,) metres
    """

    parent: str
    child: str
    rotation: Array
    translation: Array


def rotation_of(quaternion: Sequence[float]) -> Array:
    """The matrix of a quaternion x, y, z, w of any length; raises ValueError where it is 0 or not finite."""
    x, y, z, w = (float(value) for value in quaternion)
    length = float(np.linalg.norm((x, y, z, w)))
    if not (np.isfinite(length) and length > 1e-6):
        raise ValueError(f"({x}, {y}, {z}, {w}) is not a rotation: expected a unit quaternion x, y, z, w")
    axis = np.array([x, y, z])
    sine = float(np.linalg.norm(axis))
    angle = 2.0 * np.arctan2(sine, w)
    return np.asarray(cv2.Rodrigues(axis * (angle / sine if sine else 0.0))[0], np.float64)


def between(transforms: Sequence[Transform], source: str, target: str) -> tuple[Array, Array]:
    """Compose a chain, against the tree's direction too.

    Returns
    -------
    rotation (3, 3), translation (3,) : x_target = rotation x_source + translation.

    Raises
    ------
    ValueError
        A frame is unknown, or nothing connects the two.
    """
    source, target = source.lstrip("/"), target.lstrip("/")
    steps: dict[str, list[tuple[str, Array, Array]]] = {}
    for one in {one.child: one for one in transforms}.values():  # a frame has one parent: the last that was told
        steps.setdefault(one.child, []).append((one.parent, one.rotation, one.translation))
        steps.setdefault(one.parent, []).append((one.child, one.rotation.T, -one.rotation.T @ one.translation))
    for frame in (source, target):
        if frame not in steps:
            raise ValueError(f'frame "{frame}" not found in tf, which has: {", ".join(sorted(steps)) or "no frames"}')
    reached = {source: (np.eye(3), np.zeros(3))}
    waiting = deque([source])
    while waiting:
        frame = waiting.popleft()
        rotation, translation = reached[frame]
        for following, turn, shift in steps[frame]:
            if following not in reached:
                reached[following] = turn @ rotation, turn @ translation + shift
                waiting.append(following)
    if target not in reached:
        raise ValueError(
            f'tf does not connect "{source}" with "{target}"; from "{source}" it reaches only: {", ".join(sorted(reached))}'
        )
    return reached[target]


def read_transforms(path: Path) -> list[Transform]:
    """Static transforms of a bag, or of a YAML or JSON file as `ros2 topic echo /tf_static` prints them.

    Raises
    ------
    ValueError, OSError
        Naming the path, what is wrong and what was expected.
    """
    if path.is_dir() or is_bag(path):
        return _of_bag(path)
    try:
        content = read_fields(path)
        transforms = [_of_fields(one) for message in content for one in message["transforms"]]
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"{path}: expected tf2_msgs/TFMessage as `ros2 topic echo /tf_static` prints it, a list `transforms`: {error!r}"
        ) from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return transforms


def _of_bag(path: Path) -> list[Transform]:
    with bag_reader(path) as reader:
        chosen = [one for one in reader.connections if one.msgtype == TF_MESSAGE and one.topic.endswith(TF_STATIC)]
        messages = [reader.deserialize(data, TF_MESSAGE) for _, _, data in reader.messages(chosen)] if chosen else []
    if not messages:
        raise ValueError(f"{path}: no /tf_static was recorded")
    try:
        return [_of_message(one) for message in messages for one in message.transforms]
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _of_message(stamped: Any) -> Transform:
    shift, turn = stamped.transform.translation, stamped.transform.rotation
    return _transform(
        stamped.header.frame_id, stamped.child_frame_id, (shift.x, shift.y, shift.z), (turn.x, turn.y, turn.z, turn.w)
    )


def _of_fields(stamped: Any) -> Transform:
    shift, turn = stamped["transform"]["translation"], stamped["transform"]["rotation"]
    return _transform(
        str(stamped["header"]["frame_id"]),
        str(stamped["child_frame_id"]),
        [float(shift[axis]) for axis in "xyz"],
        [float(turn[axis]) for axis in "xyzw"],
    )


def _transform(parent: str, child: str, translation: Sequence[float], quaternion: Sequence[float]) -> Transform:
    try:
        rotation = rotation_of(quaternion)
    except ValueError as error:
        raise ValueError(f"{parent} to {child}: {error}") from error
    return Transform(parent.lstrip("/"), child.lstrip("/"), rotation, np.array(translation, dtype=np.float64))
