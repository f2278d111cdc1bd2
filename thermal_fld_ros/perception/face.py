# SPDX-License-Identifier: Apache-2.0
"""What leaves the pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.pose import Pose
from thermal_fld_ros.perception.temperature import RegionTemperature

POINTS = 68
"""Of a face, as iBUG numbers them."""

RIGHT_EYE, LEFT_EYE = np.arange(36, 42), np.arange(42, 48)
"""Their points; right and left are the person's."""


@dataclass(frozen=True, eq=False)
class Face:
    """One face in one frame, in pixels of the incoming image.

    Attributes
    ----------
    id : str
        Stays while the face is tracked, begins with a letter, is never used again.
    score : float
        Probability in [0, 1] that this is a face and that the mean error of its points is below 10 % of sqrt(w h) of its box.
    roi : (4,) float32
        x, y, width, height of the box around the points; it may reach beyond the image.
    points : (68, 2) float32
        iBUG order ("ibug68").
    confidence : (68,) float32
        Probability in [0, 1] that a point lies within 5 % of the face's size.
    pose : Pose or None
        Of the head in the camera's optical frame; None without a camera or where the points fit no head.
    regions : dict
        Region name to `RegionTemperature`. See `temperature.REGIONS`.
    """

    id: str
    score: float
    roi: NDArray[np.float32]
    points: NDArray[np.float32]
    confidence: NDArray[np.float32]
    pose: Pose | None = None
    regions: dict[str, RegionTemperature] = field(default_factory=dict)

    @property
    def temperatures(self) -> dict[str, float]:
        """Region name to degC; NaN where unknown."""
        return {name: region.celsius for name, region in self.regions.items()}
