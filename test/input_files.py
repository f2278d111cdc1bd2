# SPDX-License-Identifier: Apache-2.0
"""Small files as cameras, programs and recorders leave them; tests and benchmarks/inputs.py write their inputs with these."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

TYPES = get_typestore(Stores.ROS2_JAZZY)
ROS1_TYPES = get_typestore(Stores.ROS1_NOETIC)

# --- messages, as rosbags holds them


def header(stamp: float, types: Any = TYPES) -> Any:
    time = types.types["builtin_interfaces/msg/Time"](sec=int(stamp), nanosec=round(stamp % 1 * 1e9))
    numbered = {"seq": 0} if types is ROS1_TYPES else {}
    return types.types["std_msgs/msg/Header"](**numbered, stamp=time, frame_id="thermal")


def image_message(
    frame: NDArray[Any], stamp: float, encoding: str = "mono16", big: bool = False, types: Any = TYPES
) -> Any:
    order = ">" if big else "<"
    data = np.frombuffer(frame.astype(frame.dtype.newbyteorder(order)).tobytes(), np.uint8)
    height, width = frame.shape[:2]
    return types.types["sensor_msgs/msg/Image"](
        header=header(stamp, types),
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=big,
        step=data.size // height,
        data=data,
    )


def compressed_message(data: NDArray[np.uint8], form: str, stamp: float = 0.0) -> Any:
    return TYPES.types["sensor_msgs/msg/CompressedImage"](header=header(stamp), format=form, data=data)


def write_bag(
    path: Path, topics: dict[str, list[Any]], storage: StoragePlugin = StoragePlugin.MCAP, start: int = 0
) -> Path:
    """A bag whose messages are a second apart, from `start` seconds on."""
    with Writer(path, version=9, storage_plugin=storage) as writer:
        for topic, messages in topics.items():
            kind = messages[0].__msgtype__
            connection = writer.add_connection(topic, kind, typestore=TYPES)
            for index, message in enumerate(messages):
                time = 1_000_000_000 * (100 + start + index)
                writer.write(connection, time, TYPES.serialize_cdr(message, kind))
    return path


def write_ros1_bag(path: Path, topics: dict[str, list[Any]]) -> Path:
    with Ros1Writer(path) as writer:
        for topic, messages in topics.items():
            kind = messages[0].__msgtype__
            connection = writer.add_connection(topic, kind, typestore=ROS1_TYPES)
            for index, message in enumerate(messages):
                writer.write(connection, 1_000_000_000 * (100 + index), ROS1_TYPES.serialize_ros1(message, kind))
    return path


# --- compressed images


def png(frame: NDArray[Any]) -> NDArray[np.uint8]:
    return np.asarray(cv2.imencode(".png", frame)[1]).reshape(-1)


def compressed_depth(coded: NDArray[np.uint8], a: float = 0.0, b: float = 0.0) -> NDArray[np.uint8]:
    """What compressed_depth_image_transport puts before a coded image."""
    return np.concatenate([np.frombuffer(struct.pack("<iff", 0, a, b), np.uint8), coded])


def rvl(frame: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Its RVL code, number by number as in the paper."""
    nibbles: list[int] = []

    def add(value: int) -> None:
        while True:
            nibble, value = value & 7, value >> 3
            nibbles.append(nibble | (8 if value else 0))
            if not value:
                return

    values, place, previous = frame.reshape(-1).tolist(), 0, 0
    while place < len(values):
        start = place
        while place < len(values) and values[place] == 0:
            place += 1
        add(place - start)
        start = place
        while place < len(values) and values[place] != 0:
            place += 1
        add(place - start)
        for value in values[start:place]:
            delta, previous = value - previous, value
            add(delta << 1 if delta >= 0 else (-delta << 1) - 1)
    nibbles += [0] * (-len(nibbles) % 8)
    words = [int("".join(f"{nibble:x}" for nibble in nibbles[k : k + 8]), 16) for k in range(0, len(nibbles), 8)]
    height, width = frame.shape
    return np.frombuffer(struct.pack(f"<II{len(words)}I", width, height, *words), np.uint8)


# --- files of programs


def write_deep_video(path: Path, frames: Sequence[NDArray[np.uint16]], fps: float = 30.0) -> Path:
    """FFV1 of 16 bit."""
    height, width = frames[0].shape
    options = [cv2.VIDEOWRITER_PROP_DEPTH, cv2.CV_16U, cv2.VIDEOWRITER_PROP_IS_COLOR, 0]
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"FFV1"), fps, (width, height), options)
    for frame in frames:
        writer.write(frame)
    writer.release()
    return path


PLANCK = {"r1": 14906.216, "r2": 0.011099, "b": 1396.5, "f": 1.0, "o": -7261}
"""Constants of a FLIR E series camera's size."""


def raw_from_celsius(celsius: NDArray[np.floating]) -> NDArray[np.uint16]:
    """FLIR's raw values of a black body without air before it."""
    p = PLANCK
    raw = p["r1"] / (p["r2"] * (np.exp(p["b"] / (np.asarray(celsius, np.float64) + 273.15)) - p["f"])) - p["o"]
    return raw.round().astype(np.uint16)


def write_radiometric_jpeg(path: Path, raw: NDArray[np.uint16]) -> Path:
    """A radiometric JPEG as FLIR's cameras write it: a picture twice as large, and raw image and constants in APP1 segments.

    The layout is that of ExifTool's tables for FLIR. Emissivity is 1 and the air lets everything pass.
    """
    height, width = raw.shape
    info = bytearray(1024)
    struct.pack_into("<6f", info, 32, 1.0, 1.0, 293.15, 293.15, 293.15, 1.0)
    struct.pack_into("<f", info, 60, 0.0)
    struct.pack_into("<3f", info, 88, PLANCK["r1"], PLANCK["b"], PLANCK["f"])
    struct.pack_into("<7f", info, 112, 0.0, 0.0, 0.0, 0.0, 1.0, 423.15, 233.15)
    struct.pack_into("<if", info, 776, int(PLANCK["o"]), PLANCK["r2"])
    image = struct.pack("<HHH", 2, width, height) + bytes(26) + raw.astype("<u2").tobytes()
    entries = 14  # of which most are empty
    records, offset, body = b"", 64 + entries * 32, b""
    for kind, content in ((1, image), (32, bytes(info))):
        records += struct.pack(">HHIIIIIII", kind, 2, 100, 1, offset + len(body), len(content), 0, 0, 0)
        body += content
    start = b"FFF\0" + b"CAMCTRL".ljust(16, b"\0") + struct.pack(">IIII", 100, 64, entries, 2)
    whole = start.ljust(64, b"\0") + records.ljust(entries * 32, b"\0") + body
    chunks = [whole[k : k + 65000] for k in range(0, len(whole), 65000)]
    segments = b""
    for number, chunk in enumerate(chunks):
        head = b"FLIR\0\x01" + bytes([number, len(chunks) - 1])
        segments += b"\xff\xe1" + struct.pack(">H", len(head) + len(chunk) + 2) + head + chunk
    grey = np.interp(raw, (raw.min(), max(int(raw.max()), int(raw.min()) + 1)), (0, 255)).astype(np.uint8)
    picture = cv2.applyColorMap(cv2.resize(grey, (2 * width, 2 * height)), cv2.COLORMAP_INFERNO)
    jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
    path.write_bytes(jpeg[:2] + segments + jpeg[2:])
    return path


def write_table(path: Path, frames: Sequence[NDArray[np.floating]], style: str = "comma") -> Path:
    """A table of temperatures: "comma", "semicolon" with a decimal comma, or "researchir" with headings."""
    lines: list[str] = []
    for number, frame in enumerate(frames):
        if style == "researchir":
            lines += [f"Frame {number + 1}", "Object parameter,Emissivity: 0.98", "Units,Temperature (°C)", ""]
        elif number or style == "semicolon":
            lines += [f"File:;IR_{number:04d}.jpg", "Measurement: °C", ""]
        mark = ";" if style == "semicolon" else ","
        for row in frame:
            text = mark.join(f"{value:.3f}".replace(".", "," if style == "semicolon" else ".") for value in row)
            lines.append(text + mark if style == "semicolon" else text)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8-sig" if style == "semicolon" else "utf-8")
    return path
