# SPDX-License-Identifier: Apache-2.0
"""Serialised messages as cameras and the detector send them, made without ROS."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from input_files import compressed_depth, png
from numpy.typing import NDArray

from thermal_fld_ros.capture.bag import BagWriter
from thermal_fld_ros.capture.pair import CapturedPair
from thermal_fld_ros.recordings.messages import (
    CAMERA_INFO,
    COMPRESSED_IMAGE,
    FACE_LANDMARKS,
    IMAGE,
    LANDMARKS,
    RGB,
    TF_MESSAGE,
    THERMAL,
    Topic,
    types,
)

TOPICS = {THERMAL: Topic("/thermal/image", IMAGE), RGB: Topic("/rgb/image", IMAGE)}
WITH_FACES = {**TOPICS, LANDMARKS: Topic("/face_landmarks", FACE_LANDMARKS)}
STAMP = 1_700_000_000_123_456_789


def header(stamp: int, frame: str = "camera") -> Any:
    time = types().types["builtin_interfaces/msg/Time"](*divmod(stamp, 1_000_000_000))
    return types().types["std_msgs/msg/Header"](time, frame)


def image(pixels: NDArray[Any], encoding: str, stamp: int = STAMP, padding: int = 0) -> bytes:
    """A sensor_msgs/Image, each row with `padding` bytes of 255 behind it."""
    height, width = pixels.shape[:2]
    rows = np.ascontiguousarray(pixels).reshape(height, -1).view(np.uint8)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=255)
    message = types().types[IMAGE](header(stamp), height, width, encoding, 0, rows.shape[1], rows.reshape(-1))
    return bytes(types().serialize_cdr(message, IMAGE))


def compressed(pixels: NDArray[Any], suffix: str, form: str, stamp: int = STAMP) -> bytes:
    data = cv2.imencode(suffix, pixels)[1].reshape(-1)
    return bytes(types().serialize_cdr(types().types[COMPRESSED_IMAGE](header(stamp), form, data), COMPRESSED_IMAGE))


def compressed_depth_message(pixels: NDArray[Any], stamp: int = STAMP, code: Any = png) -> bytes:
    form = f"16UC1; compressedDepth {code.__name__}"
    message = types().types[COMPRESSED_IMAGE](header(stamp), form, compressed_depth(code(pixels)))
    return bytes(types().serialize_cdr(message, COMPRESSED_IMAGE))


def camera_info(stamp: int = STAMP) -> bytes:
    kind = types().types[CAMERA_INFO]
    region = types().types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
    k = np.array([300.0, 0, 16, 0, 300, 12, 0, 0, 1])
    message = kind(
        header(stamp), 24, 32, "plumb_bob", np.zeros(5), k, np.eye(3).reshape(-1), np.zeros(12), 0, 0, region
    )
    return bytes(types().serialize_cdr(message, CAMERA_INFO))


def transforms(*placed: tuple[str, str, Any, Any]) -> bytes:
    """A tf2_msgs/TFMessage: parent, child, translation, quaternion of each."""
    kinds = types().types
    stamped = [
        kinds["geometry_msgs/msg/TransformStamped"](
            header(1, parent),
            child,
            kinds["geometry_msgs/msg/Transform"](
                kinds["geometry_msgs/msg/Vector3"](*map(float, shift)),
                kinds["geometry_msgs/msg/Quaternion"](*map(float, turn)),
            ),
        )
        for parent, child, shift, turn in placed
    ]
    return bytes(types().serialize_cdr(kinds[TF_MESSAGE](stamped), TF_MESSAGE))


def face(
    name: str = "f0001",
    roi: tuple[float, float, float, float] = (4.0, 3.0, 6.0, 5.0),
    points: NDArray[Any] | None = None,
    turn: float | None = None,
) -> Any:
    """A face; `turn` is the head's rotation about the vertical in degrees, without which it has no pose."""
    store = types().types
    if points is None:
        angles = np.linspace(0.0, 2.0 * np.pi, 68, endpoint=False)
        points = np.stack([np.cos(angles), np.sin(angles)], axis=1) * (roi[2] / 2, roi[3] / 2)
        points += (roi[0] + roi[2] / 2, roi[1] + roi[3] / 2)
    half = np.radians(turn or 0.0) / 2.0
    pose = store["geometry_msgs/msg/Pose"](
        store["geometry_msgs/msg/Point"](0.0, 0.0, 1.0),
        store["geometry_msgs/msg/Quaternion"](0.0, float(np.sin(half)), 0.0, float(np.cos(half))),
    )
    flat = points.astype(np.float32).reshape(-1)
    return store["thermal_fld_ros/msg/FaceLandmarks"](
        header(STAMP), name, 0.9, np.float32(roi), "ibug68", flat, np.ones(68, np.float32), turn is not None, False, 0.0, pose,
        [], np.empty(0, np.float32), np.empty(0, np.float32), np.empty(0, np.uint32),
    )  # fmt: skip


def landmarks(*faces: Any, stamp: int = STAMP) -> bytes:
    message = types().types[FACE_LANDMARKS](header(stamp), 20, 16, list(faces), "dummy", "0", 0.0, False)
    return bytes(types().serialize_cdr(message, FACE_LANDMARKS))


def pair(
    number: int = 0, *faces: Any, thermal: bytes | None = None, period: float = 0.1, rgb_side: int = 24
) -> CapturedPair:
    """Pair `number` of a recording, with pixels of its own."""
    stamp = STAMP + round(number * period * 1e9)
    noise = np.random.default_rng(number)
    messages = {
        THERMAL: thermal or image(noise.integers(20_000, 40_000, (16, 20), np.uint16), "mono16", stamp),
        RGB: image(noise.integers(0, 255, (rgb_side, rgb_side, 3), np.uint8), "bgr8", stamp + 3_000_000),
        LANDMARKS: landmarks(*faces, stamp=stamp),
    }
    return CapturedPair(messages, stamp, 3_000_000)


def contents(bag: Path) -> dict[int, dict[str, bytes]]:
    """What rosbags reads: messages by topic, by time."""
    from rosbags.rosbag2 import Reader

    found: dict[int, dict[str, bytes]] = {}
    with Reader(bag) as reader:
        for connection, time, data in reader.messages():
            found.setdefault(time, {})[connection.topic] = bytes(data)
    return found


def left_by_a_kill(writer: BagWriter, place: Path) -> Path:
    """A copy, in the folder `place`, of the bag as it would be left if the writer were killed now; the writer is closed."""
    copy = shutil.copytree(writer.folder, place / writer.folder.name)
    writer.close()
    return copy


def written(pairs: list[CapturedPair], roles: dict[str, Topic] = TOPICS) -> list[dict[str, bytes]]:
    """What a bag of these pairs holds, in its order."""
    return [{topic.name: pair.messages[role] for role, topic in roles.items()} for pair in pairs]
