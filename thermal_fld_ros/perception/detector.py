# SPDX-License-Identifier: Apache-2.0
"""Faces in a frame."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.decoding import ThermalFrame
from thermal_fld_ros.perception.geometry import Affine, Size
from thermal_fld_ros.perception.models import LARGEST_INPUT, Model, ModelError
from thermal_fld_ros.perception.normalisation import normalise
from thermal_fld_ros.perception.timing import Timing


class Detector:
    """Finds face boxes with a model of task "detection".

    Attributes
    ----------
    model : Model
    threshold : float
        The model's own working point.
    """

    def __init__(self, model: Model) -> None:
        model.expect(task="detection", inputs={"image"}, outputs={"boxes", "scores"})
        self.model = model
        self.threshold = model.number("threshold", float, 0.0, 1.0)
        self._max_side = model.number("input.max_side", int, 1, LARGEST_INPUT)
        self._multiple = model.number("input.multiple", int, 1, LARGEST_INPUT)
        self._normalisation = model.normalisation()
        if self._max_side % self._multiple:
            raise ModelError(
                f'{model.path}: the metadata field "input.max_side" ({self._max_side}) is not a multiple of "input.multiple" '
                f"({self._multiple})"
            )
        self._input = np.zeros((1, 1, 0, 0), dtype=np.float32)
        model.trial((1, 1, self._max_side, self._max_side), {"boxes": (None, 4), "scores": (None,)})

    def __call__(
        self, frame: ThermalFrame, *, threshold: float, nms_iou: float, min_size: float, timing: Timing | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Find faces.

        Parameters
        ----------
        frame : ThermalFrame
        threshold : float
            Least score.
        nms_iou : float
            Of boxes that overlap more than this the best stays.
        min_size : float
            Least length of a box's longer side in pixels of the image.

        Returns
        -------
        boxes : (K, 4) x, y, width, height in upright pixels, best first
        scores : (K,) in [0, 1]
        """
        timing = timing or Timing()
        size, padded = self._sizes(frame.upright_size)
        input_to_upright = Affine.resize(size, frame.upright_size)
        raw = frame.sample(input_to_upright, size)
        timing.lap("detect_sample")
        if self._input.shape[2:] != padded[::-1]:
            self._input = np.zeros((1, 1, padded[1], padded[0]), dtype=np.float32)
        self._input[0, 0, size[1] :] = 0.0
        self._input[0, 0, :, size[0] :] = 0.0
        normalise(raw, self._normalisation, frame.inverted, out=self._input[0, 0, : size[1], : size[0]])
        timing.lap("detect_normalise")
        outputs = self.model.run(image=self._input)
        timing.lap("detect_infer")
        boxes, scores = _usable(outputs, threshold)
        corners = input_to_upright(boxes.reshape(-1, 2, 2))
        boxes = np.concatenate([corners[:, 0], corners[:, 1] - corners[:, 0]], axis=1)
        large = boxes[:, 2:].max(axis=1, initial=0.0) >= min_size
        boxes, scores = boxes[large], scores[large]
        kept = suppress(boxes, scores, nms_iou)
        timing.lap("detect_select")
        return boxes[kept], scores[kept]

    def _sizes(self, upright: Size) -> tuple[Size, Size]:
        """Size of the resized frame, and with the padding."""
        shrink = self._max_side / max(upright)
        width, height = (max(1, round(length * shrink)) for length in upright)
        step = self._multiple
        return (width, height), (-(-width // step) * step, -(-height // step) * step)


def suppress(boxes: NDArray[np.float64], scores: NDArray[np.float64], nms_iou: float) -> list[int]:
    """Non-maximum suppression: indices of the boxes (N, 4) that stay, best first; scores are above 0."""
    kept = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), score_threshold=0.0, nms_threshold=nms_iou)
    return np.asarray(kept, dtype=np.intp).ravel().tolist()


def _usable(outputs: dict[str, NDArray[Any]], threshold: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Boxes (corners) and scores above the threshold, finite and with an extent."""
    boxes = outputs["boxes"].astype(np.float64)
    scores = outputs["scores"].astype(np.float64)
    good = (scores >= threshold) & np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    return boxes[good], scores[good]
