# SPDX-License-Identifier: Apache-2.0
"""One-Euro filter: steady when still, quick when moving.

G. Casiez, N. Roussel, D. Vogel: "1 Euro filter: a simple speed-based low-pass filter for noisy input in interactive systems",
CHI 2012.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

DERIVATIVE_CUTOFF = 1.0  # Hz, the paper's


class OneEuro:
    """Smooths points over time; one instance per track.

    Speeds are measured in face sizes per second, so one setting serves near and far faces.
    """

    def __init__(self) -> None:
        self._points: NDArray[np.float64] | None = None
        self._velocity: NDArray[np.float64] | None = None

    def reset(self) -> None:
        """Forget the past: the next points come out as they go in."""
        self._points = self._velocity = None

    def __call__(
        self, points: NDArray[np.float64], size: float, dt: float, *, min_cutoff: float, beta: float
    ) -> NDArray[np.float64]:
        """Filter one frame's points.

        Parameters
        ----------
        points : (N, 2)
        size : float
            Of the face, in the unit of the points.
        dt : float
            Seconds since the last call, above 0.
        min_cutoff : float
            Hz; lower is steadier for a still face.
        beta : float
            Hz per face size per second; higher follows motion with less lag.

        Returns
        -------
        (N, 2) smoothed points.
        """
        if self._points is None or self._velocity is None:
            self._points, self._velocity = points, np.zeros_like(points)
            return points
        velocity = (points - self._points) / dt
        self._velocity = self._velocity + _gain(DERIVATIVE_CUTOFF, dt) * (velocity - self._velocity)
        speed = np.sqrt(np.einsum("ij,ij->i", self._velocity, self._velocity)) / size
        gain = _gain(min_cutoff + beta * speed, dt)
        self._points = self._points + gain[:, None] * (points - self._points)
        return self._points


def _gain(cutoff: float | NDArray[np.float64], dt: float) -> NDArray[np.float64]:
    turn = 2.0 * math.pi * dt * np.asarray(cutoff)
    gain: NDArray[np.float64] = turn / (turn + 1.0)
    return gain
