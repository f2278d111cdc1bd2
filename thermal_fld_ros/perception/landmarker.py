# SPDX-License-Identifier: Apache-2.0
"""Landmarks, their confidence and a score in crops of a frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.decoding import ThermalFrame
from thermal_fld_ros.perception.face import POINTS
from thermal_fld_ros.perception.geometry import Affine, box_around
from thermal_fld_ros.perception.models import LARGEST_INPUT, Model, ModelError
from thermal_fld_ros.perception.normalisation import normalise
from thermal_fld_ros.perception.timing import Timing

SCHEME = "ibug68"


@dataclass(frozen=True, eq=False)
class Landmarks:
    """What the network says of one crop.

    Attributes
    ----------
    points : (68, 2) float64
        In upright pixels.
    confidence : (68,) float32
        Probability in [0, 1] that a point is right.
    score : float
        Probability in [0, 1] that the crop shows a face and that the points are right as a whole.
    """

    points: NDArray[np.float64]
    confidence: NDArray[np.float32]
    score: float

    @cached_property
    def box(self) -> NDArray[np.float64]:
        """The box (4,) around the points."""
        return box_around(self.points)


class Landmarker:
    """Finds 68 landmarks with a model of task "landmarks".

    Attributes
    ----------
    model : Model
    threshold : float
        The model's own presence threshold.
    size, crop_scale
        Side of the input in pixels, and the side of a crop over that of the face box.
    """

    def __init__(self, model: Model) -> None:
        model.expect(task="landmarks", inputs={"image"}, outputs={"points", "confidence", "score"})
        if model.field("scheme", str) != SCHEME:
            raise ModelError(
                f'{model.path}: the metadata field "scheme" is "{model.metadata["scheme"]}", expected "{SCHEME}"'
            )
        self.model = model
        self.threshold = model.number("threshold", float, 0.0, 1.0)
        self.size = model.number("input.size", int, 1, LARGEST_INPUT)
        self.crop_scale = model.number("input.crop_scale", float, 0.5, 10.0)
        self._normalisation = model.normalisation()
        self._inputs = np.zeros((1, 1, self.size, self.size), dtype=np.float32)
        for count in (2, 1):
            shapes = {"points": (count, POINTS, 2), "confidence": (count, POINTS), "score": (count,)}
            model.trial((count, 1, self.size, self.size), shapes)

    def __call__(self, frame: ThermalFrame, crops: Sequence[Affine], timing: Timing | None = None) -> list[Landmarks]:
        """Landmarks in each of the crops (maps from crop to upright pixels), all in one batch."""
        if not crops:
            return []
        timing = timing or Timing()
        count, size = len(crops), (self.size, self.size)
        if count > len(self._inputs):
            self._inputs = np.empty((count, 1, *size), dtype=np.float32)
        for index, crop in enumerate(crops):
            raw = frame.sample(crop, size)
            timing.lap("sample")
            normalise(raw, self._normalisation, frame.inverted, out=self._inputs[index, 0])
            timing.lap("normalise")
        outputs = self.model.run(image=self._inputs[:count])
        timing.lap("infer")
        points, confidence, score = outputs["points"], outputs["confidence"], outputs["score"]
        return [
            Landmarks(crop(points[index]), confidence[index], float(score[index])) for index, crop in enumerate(crops)
        ]
