# SPDX-License-Identifier: Apache-2.0
"""What of the images is recorded: all, the faces, or nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.capture.gates import faces_of
from thermal_fld_ros.capture.messages import IMAGE, IMAGES, RGB, THERMAL, Pair, Topic, types
from thermal_fld_ros.perception.decoding import message_pixels

KEEP = ("images", "faces", "landmarks")

JPEG = (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 95])
CODECS: dict[str, tuple[str, list[int]]] = {"jpeg": JPEG, "jpg": JPEG, "png": (".png", [])}
"""Codecs that the `format` of a CompressedImage may name, and how they are written again."""

Box = tuple[float, float, float, float]


class Keeper:
    """Reduces pairs to what is to be kept.

    Parameters
    ----------
    keep
        - "images": the messages as they are;
        - "faces": everything in an image but the boxes around the faces is set to 0. Size, header and encoding stay, so points,
          calibration and registration hold as before. Raw images are otherwise unchanged; compressed ones are compressed anew.
        - "landmarks": no images.
    topics
        By role.
    registration
        JSON file with the 3 x 3 matrix "homography" from pixels of the thermal image to those of the RGB image, which "faces"
        needs to find the faces there.
    margin
        Of a box, on each side, as a share of the face's longer side.

    Raises
    ------
    ValueError, OSError
        The registration cannot be used.
    """

    def __init__(self, keep: str, topics: Mapping[str, Topic], registration: str = "", margin: float = 0.5) -> None:
        self._keep, self._topics, self._margin = keep, topics, margin
        self._homography = read_homography(Path(registration)) if keep == "faces" else np.eye(3)

    @property
    def roles(self) -> list[str]:
        """Roles of the topics that are recorded."""
        return [role for role, topic in self._topics.items() if self._keep != "landmarks" or topic.type not in IMAGES]

    def __call__(self, pair: Pair) -> dict[str, bytes]:
        """Messages by topic. Raises ValueError where an image cannot be reduced to its faces."""
        messages = {role: pair.messages[role] for role in self.roles}
        if self._keep == "faces":
            boxes = [self._widened(face.roi) for face in faces_of(pair)]
            regions = {THERMAL: boxes, RGB: [transformed(self._homography, box) for box in boxes]}
            for role, region in regions.items():
                messages[role] = only(messages[role], self._topics[role].type, region)
        return {self._topics[role].name: data for role, data in messages.items()}

    def _widened(self, roi: Any) -> Box:
        x, y, width, height = map(float, roi)
        more = self._margin * max(width, height)
        return x - more, y - more, x + width + more, y + height + more


def read_homography(path: Path) -> NDArray[np.float64]:
    """The 3 x 3 matrix of a registration file; raises ValueError or OSError with what is wrong."""
    content = json.loads(path.read_text(encoding="utf-8"))
    matrix = np.array(content.get("homography") if isinstance(content, dict) else None, dtype=np.float64)
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all():
        raise ValueError(f'{path}: expected an object with a 3 x 3 matrix "homography"')
    return matrix


def transformed(homography: NDArray[np.float64], box: Box) -> Box:
    """The box around a box's corners (left, top, right, bottom) after a homography."""
    left, top, right, bottom = box
    corners = np.array([(left, top, 1), (right, top, 1), (left, bottom, 1), (right, bottom, 1)]) @ homography.T
    if (corners[:, 2] <= 0).any():
        raise ValueError("the registration maps a face behind the RGB camera")
    points = corners[:, :2] / corners[:, 2:]
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return float(left), float(top), float(right), float(bottom)


def only(data: bytes, message_type: str, boxes: Sequence[Box]) -> bytes:
    """A serialised image with 0 outside of the boxes. Raises ValueError where its encoding or codec is unknown."""
    message = types().deserialize_cdr(data, message_type)
    if message_type == IMAGE:
        fields = {name: getattr(message, name) for name in ("height", "width", "encoding", "step", "is_bigendian")}
        pixels = message_pixels(message.data, **fields)
        message.data = np.zeros_like(message.data)  # what pads the rows goes too
        message_pixels(message.data, **fields)[:] = _blanked(pixels, boxes)
    else:
        codec = next((name for name in CODECS if name in message.format.lower()), None)
        decoded = cv2.imdecode(message.data, cv2.IMREAD_UNCHANGED) if codec else None
        if codec is None or decoded is None:
            raise ValueError(f'a compressed image of format "{message.format}" cannot be reduced to its faces')
        suffix, settings = CODECS[codec]
        message.data = cv2.imencode(suffix, _blanked(decoded, boxes), settings)[1].reshape(-1)
    return bytes(types().serialize_cdr(message, message_type))


def _blanked(pixels: NDArray[Any], boxes: Sequence[Box]) -> NDArray[Any]:
    """A copy with 0 outside of the boxes."""
    result = np.zeros_like(pixels)
    for box in boxes:
        left, top, right, bottom = (max(round(edge), -1) for edge in box)
        region = slice(max(top, 0), bottom + 1), slice(max(left, 0), right + 1)
        result[region] = pixels[region]
    return result
