# SPDX-License-Identifier: Apache-2.0
"""A video device without a camera: it hands out the buffers that OpenCV's V4L2 would."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np


class FakeCapture:
    """Answers as cv2.VideoCapture does for a camera with one pixel format.

    Its buffers come one after the other, `period` seconds apart; then reading fails, as after an unplugging.
    """

    def __init__(
        self, buffers: Sequence[np.ndarray], code: str, size: tuple[int, int], opened: bool = True, period: float = 0.0
    ) -> None:
        self._buffers, self._opened, self._period = list(buffers), opened, period
        self.properties: dict[int, float] = {
            cv2.CAP_PROP_FRAME_WIDTH: size[0],
            cv2.CAP_PROP_FRAME_HEIGHT: size[1],
            cv2.CAP_PROP_FOURCC: cv2.VideoWriter.fourcc(*code),
        }
        self.released = False

    def isOpened(self) -> bool:  # noqa: N802
        return self._opened

    def set(self, property: int, value: float) -> bool:
        if property == cv2.CAP_PROP_FOURCC:  # it has but one
            return value == self.properties[property]
        self.properties[property] = value
        return True

    def get(self, property: int) -> float:
        return self.properties.get(property, 0.0)

    def read(self) -> tuple[bool, Any]:
        time.sleep(self._period)
        return (True, self._buffers.pop(0)) if self._buffers else (False, None)

    def release(self) -> None:
        self.released = True
