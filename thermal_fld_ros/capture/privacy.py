# SPDX-License-Identifier: Apache-2.0
"""What of the images is recorded: all, the faces, or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.capture.gates import faces_of
from thermal_fld_ros.capture.pair import CapturedPair
from thermal_fld_ros.perception.compression import coded_pixels
from thermal_fld_ros.perception.decoding import ImageError, message_pixels
from thermal_fld_ros.recordings.messages import IMAGE, IMAGES, RGB, THERMAL, Topic, types
from thermal_fld_ros.registration.registration import Registration, read_registration

KEEP = ("images", "faces", "landmarks")

PNG: tuple[str, list[int]] = (".png", [])
CODECS: dict[bytes, tuple[str, list[int]]] = {
    b"\xff\xd8": (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 95]),
    b"II*\0": (".tiff", []),
    b"MM\0*": (".tiff", []),
}
"""How compressed images are written again, by what they begin with; all others become PNG, which loses nothing."""

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
        File of the registration of the two cameras (docs/registration.md), by which "faces" finds the faces in the RGB image. Where
        it is of calibrated cameras, a face is taken to be as far as its pose says, if it has one.
    margin
        Of a box, on each side, as a share of the face's longer side.

    Raises
    ------
    ValueError, OSError
        The registration cannot be used.
    """

    def __init__(self, keep: str, topics: Mapping[str, Topic], registration: str = "", margin: float = 0.5) -> None:
        self._keep, self._topics, self._margin = keep, topics, margin
        self._registration = read_registration(registration) if keep == "faces" else None

    @property
    def roles(self) -> list[str]:
        """Roles of the topics that are recorded."""
        return [role for role, topic in self._topics.items() if self._keep != "landmarks" or topic.type not in IMAGES]

    def __call__(self, pair: CapturedPair) -> dict[str, bytes]:
        """Messages by topic. Raises ValueError where an image cannot be reduced to its faces."""
        messages = {role: pair.messages[role] for role in self.roles}
        if self._registration is not None:
            faces = faces_of(pair)
            boxes = [self._widened(face.roi) for face in faces]
            in_rgb = [
                transformed(self._registration, box, _distance(face)) for box, face in zip(boxes, faces, strict=True)
            ]
            for role, region in {THERMAL: boxes, RGB: in_rgb}.items():
                messages[role] = only(messages[role], self._topics[role].type, region)
        return {self._topics[role].name: data for role, data in messages.items()}

    def _widened(self, roi: Any) -> Box:
        x, y, width, height = map(float, roi)
        more = self._margin * max(width, height)
        return x - more, y - more, x + width + more, y + height + more


def _distance(face: Any) -> float | None:
    """Of a face with a pose, in metres along the thermal camera's axis."""
    return float(face.pose.position.z) if face.pose_valid else None


def transformed(registration: Registration, box: Box, distance: float | None = None) -> Box:
    """The box in the RGB image around the outline of a box (left, top, right, bottom) of the thermal image."""
    left, top, right, bottom = box
    steps = np.linspace(0.0, 1.0, 5)[:, None]  # distortion bends the edges
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    outline = np.concatenate(
        [one + steps * (other - one) for one, other in zip(corners, np.roll(corners, -1, axis=0), strict=True)]
    )
    points = registration.to_rgb(outline, distance)
    if not np.isfinite(points).all():
        raise ValueError("the registration maps a face to a place outside the RGB camera's view")
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return float(left), float(top), float(right), float(bottom)


def only(data: bytes, message_type: str, boxes: Sequence[Box]) -> bytes:
    """A serialised image with 0 outside of the boxes. Raises ValueError where it cannot be decoded."""
    message = types().deserialize_cdr(data, message_type)
    if message_type == IMAGE:
        fields = {name: getattr(message, name) for name in ("height", "width", "encoding", "step", "is_bigendian")}
        pixels = message_pixels(message.data, **fields)
        message.data = np.zeros_like(message.data)  # what pads the rows goes too
        message_pixels(message.data, **fields)[:] = _blanked(pixels, boxes)
    else:
        try:
            head, pixels = coded_pixels(message.data, message.format)
        except ImageError as error:
            raise ValueError(f"the image cannot be reduced to its faces: {error}") from error
        start = message.data[:4].tobytes()
        suffix, settings = next((codec for magic, codec in CODECS.items() if start.startswith(magic)), PNG)
        blanked = cv2.imencode(suffix, _blanked(pixels, boxes), settings)[1].reshape(-1)
        message.data = np.concatenate([head, blanked])
        message.format = message.format.replace("compressedDepth rvl", "compressedDepth png")
    return bytes(types().serialize_cdr(message, message_type))


def _blanked(pixels: NDArray[Any], boxes: Sequence[Box]) -> NDArray[Any]:
    """A copy with 0 outside of the boxes."""
    result = np.zeros_like(pixels)
    for box in boxes:
        left, top, right, bottom = (max(round(edge), -1) for edge in box)
        region = slice(max(top, 0), bottom + 1), slice(max(left, 0), right + 1)
        result[region] = pixels[region]
    return result
