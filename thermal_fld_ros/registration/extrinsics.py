# SPDX-License-Identifier: Apache-2.0
"""Where the RGB camera is before the thermal one, from views of known things: bundle adjustment.

Unknown are the pose of one camera before the other and the pose of each thing, a face or a board, before the thermal camera; all errors
in both images are made small together (Triggs et al., Bundle Adjustment: A Modern Synthesis, 1999) by Levenberg's and Marquardt's method
with Huber's weights. The poses of the things are eliminated (Schur complement), so many views cost little. OpenCV's stereoCalibrate solves
the same, without weights, and starts from poses by a linear method that fails for faces, which are nearly flat and not found exactly.

All is in rays x/z, y/z, in which an error of the same share of a face is equal in both cameras.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
RigidMotion = tuple[Array, Array]
"""Rotation (3, 3) and translation (3,): x' = R x + t."""

SeenPoints = tuple[Array, Array, Array]
"""Of one thing: its points in its own frame (N, 3), and the rays to them of the thermal and the RGB camera (N, 2)."""

ITERATIONS = 100
CONVERGED = 1e-6
LEAST_POSE_POINTS = 6
HUBER = 1.345


class RelativePose(NamedTuple):
    """x_rgb = rotation x_thermal + translation.

    Attributes
    ----------
    rotation : (3, 3)
    translation : (3,) metres
    depths : (V,)
        Distances of the things along the thermal camera's axis.
    """

    rotation: Array
    translation: Array
    depths: Array


def relative_pose(things: Sequence[SeenPoints]) -> RelativePose:
    """Solve for the pose between the cameras; raises ValueError where too little is seen."""
    used, poses, relatives = [], [], []
    for model, thermal, rgb in things:
        if len(model) < LEAST_POSE_POINTS:
            continue
        one, other = pose_of(model, thermal), pose_of(model, rgb)
        if one and other:
            used.append((model, thermal, rgb))
            poses.append(one)
            rotation = other[0] @ one[0].T
            relatives.append((rotation, other[1] - rotation @ one[1]))
    if not used:
        raise ValueError(
            f"no pose was found in {len(things)} views: at least one view with {LEAST_POSE_POINTS} points is required"
        )
    u, _, vt = np.linalg.svd(np.median([rotation for rotation, _ in relatives], axis=0))
    between: RigidMotion = u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt, np.zeros(3)
    between = between[0], np.median([shift for _, shift in relatives], axis=0)
    return _adjusted(used, poses, between)


def pose_of(model: Array, rays: Array) -> RigidMotion | None:
    """Pose of a thing before one camera; None where there is none."""
    try:
        found, turn, shift = cv2.solvePnP(model, rays, np.eye(3), None, flags=cv2.SOLVEPNP_SQPNP)
        if not found:
            return None
        turn, shift = cv2.solvePnPRefineLM(model, rays, np.eye(3), None, turn, shift)
    except cv2.error:  # degenerate points
        return None
    if not (np.isfinite(turn).all() and shift[2, 0] > 0.0):
        return None
    return np.asarray(cv2.Rodrigues(turn)[0], np.float64), np.asarray(shift[:, 0], np.float64)


def _adjusted(things: Sequence[SeenPoints], poses: list[RigidMotion], between: RigidMotion) -> RelativePose:
    damping, cost, sigma = 1e-3, np.inf, 0.0
    for _ in range(ITERATIONS):
        systems = [_linearised(thing, pose, between) for thing, pose in zip(things, poses, strict=True)]
        sizes = np.concatenate([np.linalg.norm(errors, axis=1) for errors, _, _ in systems])
        if not sigma:
            sigma = _scale(sizes)
        cost = _huber(sizes, sigma)
        normal, right, blocks = _reduced(systems, sigma, damping)
        step = np.asarray(np.linalg.solve(normal + damping * np.diag(np.diag(normal)), right), np.float64)
        steps = [np.asarray(np.linalg.solve(block, rhs - cross @ step), np.float64) for block, cross, rhs in blocks]
        moved = _moved(between, step), [_moved(pose, own) for pose, own in zip(poses, steps, strict=True)]
        after = [
            np.linalg.norm(_errors(thing, pose, moved[0]), axis=1) for thing, pose in zip(things, moved[1], strict=True)
        ]
        new = _huber(np.concatenate(after), sigma)
        if not new <= cost:  # worse, or not a number
            damping *= 10.0
            if damping > 1e12:
                break
            continue
        between, poses = moved
        damping = max(damping / 10.0, 1e-12)
        if cost - new <= CONVERGED * cost:
            rescaled = _scale(np.concatenate(after))
            if abs(rescaled - sigma) <= 1e-3 * sigma:
                break
            sigma = rescaled
    depths = np.array([(model @ r.T + t)[:, 2].mean() for (model, _, _), (r, t) in zip(things, poses, strict=True)])
    return RelativePose(*between, depths)


def _errors(thing: SeenPoints, pose: RigidMotion, between: RigidMotion) -> Array:
    """(2 N, 2): of the thermal rays, then of the RGB rays."""
    model, thermal, rgb = thing
    before_thermal = model @ pose[0].T + pose[1]
    before_rgb = before_thermal @ between[0].T + between[1]
    return np.concatenate([_rays(before_thermal) - thermal, _rays(before_rgb) - rgb])


def _rays(points: Array) -> Array:
    depth = np.where(points[:, 2:] > 1e-6, points[:, 2:], np.nan)
    return points[:, :2] / depth


def _linearised(thing: SeenPoints, pose: RigidMotion, between: RigidMotion) -> tuple[Array, Array, Array]:
    """Errors (2 N, 2), and their derivatives by the thing's pose and by the pose between, (2 N, 2, 6)."""
    model = thing[0]
    turned = model @ pose[0].T
    before_thermal = turned + pose[1]
    turned_rgb = before_thermal @ between[0].T
    before_rgb = turned_rgb + between[1]
    by_pose = _by_motion(turned)  # (N, 3, 6)
    projection, projection_rgb = _by_point(before_thermal), _by_point(before_rgb)  # (N, 2, 3)
    own = np.concatenate([projection @ by_pose, projection_rgb @ between[0] @ by_pose])
    shared = np.concatenate([np.zeros((len(model), 2, 6)), projection_rgb @ _by_motion(turned_rgb)])
    return _errors(thing, pose, between), own, shared


def _by_motion(turned: Array) -> Array:
    """Derivatives of exp(w) x + t at w = 0: -[x]_cross and 1; (N, 3) -> (N, 3, 6)."""
    x, y, z = turned.T
    zero, one = np.zeros(len(turned)), np.ones(len(turned))
    rows = [[zero, z, -y, one, zero, zero], [-z, zero, x, zero, one, zero], [y, -x, zero, zero, zero, one]]
    return np.moveaxis(np.array(rows), -1, 0)


def _by_point(points: Array) -> Array:
    """Derivatives of the ray, (N, 3) -> (N, 2, 3)."""
    x, y, z = points.T
    zero = np.zeros(len(points))
    return np.moveaxis(np.array([[1 / z, zero, -x / z**2], [zero, 1 / z, -y / z**2]]), -1, 0)


def _reduced(
    systems: Sequence[tuple[Array, Array, Array]], sigma: float, damping: float
) -> tuple[Array, Array, list[tuple[Array, Array, Array]]]:
    """Normal equations of the pose between, the things' poses eliminated, and what gives these back: block, cross, right side."""
    normal, right, blocks = np.zeros((6, 6)), np.zeros(6), []
    for errors, own, shared in systems:
        weights = np.minimum(1.0, HUBER * sigma / np.maximum(np.linalg.norm(errors, axis=1), 1e-300))[:, None, None]
        a, b = (own * np.sqrt(weights)).reshape(-1, 6), (shared * np.sqrt(weights)).reshape(-1, 6)
        e = (errors * np.sqrt(weights[:, 0])).reshape(-1)
        block, cross, rhs = a.T @ a, a.T @ b, -a.T @ e
        block += damping * np.diag(np.diag(block)) + 1e-15 * np.trace(block) * np.eye(6)
        normal += b.T @ b - cross.T @ np.linalg.solve(block, cross)
        right += -b.T @ e - cross.T @ np.linalg.solve(block, rhs)
        blocks.append((block, cross, rhs))
    return normal, right, blocks


def _moved(pose: RigidMotion, step: Array) -> RigidMotion:
    return np.asarray(cv2.Rodrigues(step[:3])[0], np.float64) @ pose[0], pose[1] + step[3:]


def _scale(sizes: Array) -> float:
    """Standard deviation of a coordinate, from the median length of errors (Rayleigh), which outliers leave alone."""
    return max(float(np.median(sizes)) / 1.1774, 1e-12)


def _huber(sizes: Array, sigma: float) -> float:
    limit = HUBER * sigma
    return float(np.where(sizes <= limit, 0.5 * sizes**2, limit * (sizes - 0.5 * limit)).sum())
