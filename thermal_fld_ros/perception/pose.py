# SPDX-License-Identifier: Apache-2.0
"""Head pose from 68 landmarks and a calibrated camera.

The head's frame follows ROS: x forward out of the face, y to the person's left, z up, the origin at the sellion (the deepest
point of the nose's bridge, landmark 27), as REP-155 places a face. The camera's frame is the optical one of REP-103: x right,
y down, z forward.

The generic face is the neutral mean face of ICT-FaceKit (University of Southern California, MIT licence) at its 68 landmark
vertices. Heads differ by about 10 % in size, and so does the distance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.camera import Camera

# fmt: off
HEAD_POINTS: NDArray[np.float64] = 1e-3 * np.array(
    [
        (-70.8, -73.6, -0.6), (-68.1, -72.8, -22.5), (-62.0, -69.4, -42.0), (-55.6, -65.6, -61.0),
        (-46.1, -57.2, -82.3), (-33.9, -43.0, -99.5), (-19.6, -30.5, -106.5), (-4.6, -15.4, -110.0),
        (-3.0, 0.0, -113.1), (-4.6, 15.4, -110.0), (-19.6, 30.5, -106.5), (-33.9, 43.0, -99.5),
        (-46.1, 57.2, -82.3), (-55.6, 65.6, -61.0), (-62.0, 69.4, -42.0), (-68.1, 72.8, -22.5),
        (-70.8, 73.6, -0.6), (-28.2, -58.2, 14.6), (-17.5, -49.3, 22.4), (-9.1, -37.9, 25.1),
        (-2.5, -24.1, 24.5), (-0.1, -11.7, 21.7), (-0.1, 11.7, 21.7), (-2.5, 24.1, 24.5),
        (-9.1, 37.9, 25.1), (-17.5, 49.3, 22.4), (-28.2, 58.2, 14.6), (0.0, 0.0, 0.0),
        (7.8, 0.0, -11.1), (15.7, 0.0, -21.3), (23.3, 0.0, -33.4), (1.4, -12.5, -48.9),
        (6.8, -6.0, -48.8), (8.3, 0.0, -49.4), (6.8, 6.0, -48.8), (1.4, 12.5, -48.9),
        (-21.3, -44.6, -3.1), (-13.7, -38.7, 1.3), (-12.0, -27.8, 2.0), (-15.4, -18.4, -4.9),
        (-13.2, -27.3, -6.6), (-15.1, -38.6, -6.7), (-15.4, 18.4, -4.9), (-12.0, 27.8, 2.0),
        (-13.7, 38.7, 1.3), (-21.3, 44.6, -3.1), (-15.1, 38.6, -6.7), (-13.2, 27.3, -6.6),
        (-5.5, -25.3, -72.6), (4.9, -17.0, -65.2), (9.9, -7.3, -61.6), (11.0, 0.0, -62.2),
        (9.9, 7.3, -61.6), (4.9, 17.0, -65.2), (-5.5, 25.3, -72.6), (1.6, 18.0, -78.0),
        (6.5, 10.3, -80.4), (8.1, 0.0, -81.2), (6.5, -10.3, -80.4), (1.6, -18.0, -78.0),
        (-6.1, -22.1, -72.3), (3.5, -10.0, -70.4), (5.5, 0.0, -70.6), (3.5, 10.0, -70.4),
        (-6.1, 22.1, -72.3), (3.1, 10.7, -71.2), (5.2, 0.0, -71.4), (3.1, -10.7, -71.2),
    ]
)
"""(68, 3) in metres, in the head's frame."""
# fmt: on

# Brows, nose and eyes: the jaw line slides over the head as it turns, and the mouth moves by itself.
RIGID = np.arange(17, 48)
LEAST_CONFIDENCE = 0.3
LEAST_POINTS = 8
WORST_RESIDUAL = 0.08


@dataclass(frozen=True, eq=False)
class Pose:
    """Where the head is in the camera's optical frame.

    Attributes
    ----------
    position : (3,) float64
        Of the sellion in metres.
    orientation : (4,) float64
        Unit quaternion x, y, z, w that turns vectors of the head's frame into the camera's.
    """

    position: NDArray[np.float64]
    orientation: NDArray[np.float64]


def estimate_pose(points: NDArray[np.floating], confidence: NDArray[np.floating], camera: Camera) -> Pose | None:
    """Fit the generic face to landmarks.

    Parameters
    ----------
    points : (68, 2)
        In pixels of the incoming image.
    confidence : (68,)
        Points below 0.3 are left out.
    camera : Camera

    Returns
    -------
    Pose, or None where too few points are trusted or the fit leaves more than 8 % of the face's size.
    """
    used = RIGID[confidence[RIGID] >= LEAST_CONFIDENCE]
    rays = camera.rays(points[used])
    known = np.isfinite(rays).all(axis=1)
    if known.sum() < LEAST_POINTS:
        return None
    model, seen = HEAD_POINTS[used[known]], cv2.convertPointsToHomogeneous(rays[known])[:, 0] @ camera.matrix[:2].T
    try:
        found, turn, shift = cv2.solvePnP(model, seen, camera.matrix, None, flags=cv2.SOLVEPNP_SQPNP)
        if not found:
            return None
        turn, shift = cv2.solvePnPRefineLM(model, seen, camera.matrix, None, turn, shift)
    except cv2.error:  # degenerate points
        return None
    residuals = cv2.projectPoints(model, turn, shift, camera.matrix, None)[0][:, 0] - seen
    error = math.sqrt(float(np.square(residuals).sum(axis=1).mean()))
    if not (shift[2, 0] > 0.0 and error <= WORST_RESIDUAL * float(np.ptp(seen, axis=0).max())):
        return None
    return Pose(np.asarray(shift[:, 0], dtype=np.float64), _quaternion(np.asarray(turn[:, 0], dtype=np.float64)))


def _quaternion(turn: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of a rotation vector (axis times angle in radians)."""
    angle = float(np.linalg.norm(turn))
    axis = turn / angle if angle > 0.0 else np.zeros(3)
    return np.append(axis * math.sin(angle / 2), math.cos(angle / 2))
