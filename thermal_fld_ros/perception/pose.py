# SPDX-License-Identifier: Apache-2.0
"""Head pose from 68 landmarks and a camera.

The head's frame follows ROS: x forward out of the face, y to the person's left, z up, the origin at the sellion (the deepest
point of the nose's bridge, landmark 27), as REP-155 places a face. The camera's frame is the optical one of REP-103: x right,
y down, z forward.

The head that is fitted is in `head.json`, made of the people of the renderer by `benchmarks/head_model.py` (the morphable face is
ICT-FaceKit, University of Southern California, MIT licence): the mean places of jaw, brows, nose and eyes, where those of the jaw,
which is a contour, depend on the yaw from which it is seen; modes by which people differ; and a spread for each point. Heads
differ by about 10 % in size, and so does the distance.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.camera import Camera

Array = NDArray[np.float64]

_HEAD = json.loads(Path(__file__).with_name("head.json").read_text(encoding="utf-8"))

HEAD_POINTS: Array = 1e-3 * np.array(_HEAD["neutral"])
"""(68, 3) in metres, in the head's frame: the neutral mean face."""

_PLACES: Array = 1e-3 * np.array(_HEAD["places"]).transpose(1, 0, 2)
"""(3, P, 3) m: what 1, s and s^2 are multiplied with, s being the sine of the yaw from which the head is seen."""
_MODES: Array = 1e-3 * np.array(_HEAD["modes"])
"""(K, P, 3) m for a standard deviation of each mode."""
_COUNT, _KINDS = _PLACES.shape[1], len(_MODES)
_PARTS: Array = np.concatenate([_PLACES, _MODES]).reshape(-1, 3 * _COUNT)
_RIGID = slice(17, _COUNT)
_SPREAD: Array = 1e-3 * np.array(_HEAD["spread"])
_SPREAD[_RIGID] = 2e-3  # what the modes and the landmark network leave
_SPREAD[: _RIGID.start] *= 2.0  # the landmark network finds the jaw line less well than the head describes it
_PRECISION: Array = _SPREAD**-2

LEAST_CONFIDENCE = 0.3
LEAST_RIGID_POINTS = 8
WORST_ERROR = 0.08
"""Error in sizes of the face above which the points are no head."""
LEAST_SPAN = 1e-4
"""Of the face, in units of the rays: a head at a distance of 2 km. Points that coincide are no head."""
OUTLIER = 3.0
"""Spreads beyond which a point counts less and less."""
COLD_STEPS, WARM_STEPS = 6, 1
"""Steps of the fit from scratch, and from the pose of the frame before."""
_IDENTITY = np.eye(3)


@dataclass(frozen=True, eq=False)
class Pose:
    """Where the head is in the camera's optical frame.

    Attributes
    ----------
    position : (3,) float64
        Of the sellion in metres.
    orientation : (4,) float64
        Unit quaternion x, y, z, w that turns vectors of the head's frame into the camera's.
    error : float
        Distance of the points from the fitted head's, root of the weighted mean square, in sizes of the face.
    approximate : bool
        The camera was not calibrated.
    shape : (K,) float64
        How the person's head differs from the mean, in standard deviations of the modes.
    """

    position: Array
    orientation: Array
    error: float = 0.0
    approximate: bool = False
    shape: Array | None = None

    @property
    def rotation(self) -> Array:
        """The orientation as a matrix (3, 3): its columns are the head's axes in the camera's frame."""
        return rotation_matrix(self.orientation)


def estimate_pose(
    points: NDArray[np.floating], confidence: NDArray[np.floating], camera: Camera, before: Pose | None = None
) -> Pose | None:
    """Fit a head to landmarks.

    Rotation, position and shape are found together by a Gauss-Newton iteration: each point counts by its confidence and by how well
    the head describes it, outliers count less, and the shape is held near the mean as far as people are alike.

    Parameters
    ----------
    points : (68, 2)
        In pixels of the incoming image.
    confidence : (68,)
        Points below 0.3 are left out.
    camera : Camera
    before : Pose, optional
        Of the same face in the frame before. The fit begins there and stays with it, unless a fit from scratch is clearly better: so a
        face at rest does not flip between two poses that explain it about as well.

    Returns
    -------
    Pose, or None where too few points are trusted or the fit leaves more than 8 % of the face's size.
    """
    rays = camera.rays(points[:_COUNT])
    known = np.isfinite(rays).all(axis=1)
    trust = np.where(known & (confidence[:_COUNT] >= LEAST_CONFIDENCE), confidence[:_COUNT], 0.0).astype(np.float64)
    if np.count_nonzero(trust[_RIGID]) < LEAST_RIGID_POINTS:
        return None
    rays[~known] = 0.0
    size = math.sqrt(float(np.prod(np.ptp(rays[trust > 0.0], axis=0))))
    if size < LEAST_SPAN:
        return None
    warm = None if before is None else _fit(rays, trust, _Fit.of(before), WARM_STEPS)
    if warm is None or warm.error > 0.5 * WORST_ERROR * size:
        start = _first_guess(rays, trust)
        cold = None if start is None else _fit(rays, trust, start, COLD_STEPS)
        if warm is None or (cold is not None and cold.error < 0.8 * warm.error):
            warm = cold
    if warm is None or not warm.error <= WORST_ERROR * size:
        return None
    return Pose(warm.shift, _quaternion(warm.turn), warm.error / size, camera.approximate, warm.shape)


@dataclass(frozen=True, eq=False)
class _Fit:
    """A state of the fit: rotation (3, 3), shift (3,), shape (K,), and the error in units of the rays."""

    turn: Array
    shift: Array
    shape: Array
    error: float = math.inf

    @classmethod
    def of(cls, pose: Pose) -> _Fit:
        shape = np.zeros(_KINDS) if pose.shape is None else pose.shape
        return cls(pose.rotation, pose.position, shape)


def _first_guess(rays: Array, trust: Array) -> _Fit | None:
    """The pose under weak perspective: an affine map by least squares, and the rotation nearest to it."""
    weights = trust[_RIGID, None]
    total = float(weights.sum())
    head, seen = _PLACES[0, _RIGID], rays[_RIGID]
    head_middle, middle = (weights * head).sum(axis=0) / total, (weights * seen).sum(axis=0) / total
    centred = head - head_middle
    try:
        affine = np.linalg.solve(centred.T @ (weights * centred), centred.T @ (weights * (seen - middle))).T
        left, values, right = np.linalg.svd(affine, full_matrices=False)
    except np.linalg.LinAlgError:
        return None
    scale = float(values.mean())  # 1 / distance
    if not scale > 0.0:
        return None
    rows = left @ right
    turn = np.vstack([rows, np.cross(rows[0], rows[1])])
    return _Fit(turn, np.append(middle, 1.0) / scale - turn @ head_middle, np.zeros(_KINDS))


def _fit(rays: Array, trust: Array, state: _Fit, steps: int) -> _Fit | None:
    """Improve a state; None where it leads behind the camera or nowhere. The error is that before the last step."""
    turn, shift, shape = state.turn, state.shift, state.shape
    rows = np.zeros((6 + _KINDS, 2, _COUNT))  # of the transposed Jacobian: rotation, shift, shape
    error = math.inf
    for _ in range(steps):
        turned = turn @ _head(turn, shift, shape).T
        right, down, depth = turned + shift[:, None]
        if not depth.min() > 0.0:
            return None
        inverse = 1.0 / depth
        seen = np.stack([right, down]) * inverse
        off = rays.T - seen
        squares = (off * off).sum(axis=0)
        error = math.sqrt(float(trust @ squares) / float(trust.sum()))
        precision = float(shift[2]) ** 2 * _PRECISION
        weights = trust * precision / (1.0 + squares * precision * OUTLIER**-2)
        x, y = turned[0] * inverse, turned[1] * inverse
        z = turned[2] * inverse
        rows[0] = -seen * y
        rows[0, 1] -= z
        rows[1] = seen * x
        rows[1, 0] += z
        rows[2, 0], rows[2, 1] = -y, x
        rows[3, 0] = rows[4, 1] = inverse
        rows[5] = -seen * inverse
        modes = (_MODES @ turn.T).transpose(2, 0, 1) * inverse  # (3, K, P)
        rows[6:] = (modes[:2] - seen[:, None] * modes[2]).transpose(1, 0, 2)
        flat = rows.reshape(6 + _KINDS, -1)
        weighted = flat * np.concatenate([weights, weights])
        normal, gain = weighted @ flat.T, weighted @ off.ravel()
        normal.ravel()[6 * (7 + _KINDS) :: 7 + _KINDS] += 1.0  # people are alike
        gain[6:] -= shape
        try:
            change = np.linalg.solve(normal, gain)
        except np.linalg.LinAlgError:
            return None
        turn = _rotation(change[:3]) @ turn
        shift, shape = shift + change[3:6], shape + change[6:]
    finite = math.isfinite(error) and bool(np.isfinite(shift).all()) and float(shift[2]) > 0.0
    return _Fit(turn, shift, shape, error) if finite else None


def _head(turn: Array, shift: Array, shape: Array) -> Array:
    """The head's points (P, 3) in its own frame, as they are where the camera sees it from."""
    forward, left, _ = (-shift @ turn).tolist()  # to the camera
    s = -left / math.hypot(forward, left)
    head: Array = (np.array([1.0, s, s * s, *shape.tolist()]) @ _PARTS).reshape(_COUNT, 3)
    return head


def _rotation(vector: Array) -> Array:
    """The matrix of a rotation vector (axis times angle in radians)."""
    x, y, z = vector.tolist()
    angle = math.sqrt(x * x + y * y + z * z)
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    if angle < 1e-9:
        return _IDENTITY + cross
    turned: Array = (
        _IDENTITY + math.sin(angle) / angle * cross + (1.0 - math.cos(angle)) / (angle * angle) * (cross @ cross)
    )
    return turned


def rotation_matrix(quaternion: NDArray[np.floating]) -> Array:
    """The matrix (3, 3) of a unit quaternion (4,): x, y, z, w."""
    x, y, z, w = np.asarray(quaternion, dtype=np.float64).tolist()
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def _quaternion(matrix: Array) -> Array:
    """The unit quaternion x, y, z, w of a rotation matrix, w >= 0 (Shepperd 1978)."""
    (a, b, c), (d, e, f), (g, h, i) = matrix.tolist()
    parts = (a + e + i, a - e - i, e - a - i, i - a - e)
    largest = max(range(4), key=parts.__getitem__)
    root = math.sqrt(1.0 + parts[largest])
    found = {
        0: (h - f, c - g, d - b, root * root),
        1: (root * root, b + d, c + g, h - f),
        2: (b + d, root * root, f + h, c - g),
        3: (c + g, f + h, root * root, d - b),
    }[largest]
    quaternion = np.array(found) / (2.0 * root)
    return quaternion if quaternion[3] >= 0.0 else -quaternion
