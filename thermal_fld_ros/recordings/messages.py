# SPDX-License-Identifier: Apache-2.0
"""Serialised ROS messages without ROS: their stamps, their contents, and the definitions that go into a bag."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED_IMAGE = "sensor_msgs/msg/CompressedImage"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
FACE_LANDMARKS = "thermal_fld_ros/msg/FaceLandmarksArray"
TF_MESSAGE = "tf2_msgs/msg/TFMessage"
IMAGES = (IMAGE, COMPRESSED_IMAGE)

THERMAL, RGB, LANDMARKS = "thermal", "rgb", "face_landmarks"
"""Roles of topics. Beside these there are thermal_info and rgb_info."""

TF_STATIC = "tf_static"
"""Role of the topic that is recorded with camera_info, and whose messages are part of no pair."""

DEFINITIONS = ("FaceLandmarks", "FaceLandmarksArray")
"""Messages of this package that are recorded, and those that they consist of."""


@dataclass(frozen=True)
class Topic:
    """A recorded topic.

    Attributes
    ----------
    name
        Resolved.
    type
        Such as sensor_msgs/msg/Image.
    latched
        Its publishers keep their last messages for whoever comes late, and so does who plays it (transient local).
    """

    name: str
    type: str
    latched: bool = False


def stamp_of(data: bytes) -> int:
    """Stamp in ns of a serialised message that begins with a std_msgs/Header.

    The first four bytes are the CDR encapsulation, the lowest bit of whose second byte tells the byte order. Raises ValueError where
    there is no stamp in it.
    """
    if len(data) < 12:
        raise ValueError(f"a message of {len(data)} bytes has no header")
    seconds, nanoseconds = struct.unpack_from("<iI" if data[1] & 1 else ">iI", data, 4)
    return int(seconds) * 1_000_000_000 + int(nanoseconds)


@lru_cache(maxsize=1)
def types() -> Any:
    """The rosbags typestore with the messages of ROS 2 and of this package."""
    # Late, because importing rosbags takes longer than the rest.
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    store = get_typestore(Stores.ROS2_JAZZY)
    folder = definition_folder()
    for name in DEFINITIONS:
        text = (folder / f"{name}.msg").read_text(encoding="utf-8")
        store.register(get_types_from_msg(text, f"thermal_fld_ros/msg/{name}"))
    return store


def definition_folder() -> Path:
    """Where the message definitions are: in the source tree or in an installed ROS workspace."""
    for start in (Path(__file__), Path(__file__).resolve()):  # --symlink-install: the file's place, then its origin's
        for parent in start.parents:
            for folder in (parent / "msg", parent / "share" / "thermal_fld_ros" / "msg"):
                if (folder / f"{DEFINITIONS[0]}.msg").is_file():
                    return folder
    raise FileNotFoundError(
        f"found no folder msg/ with {DEFINITIONS[0]}.msg beside the package: install the package again"
    )
