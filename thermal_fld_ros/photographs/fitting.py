# SPDX-License-Identifier: Apache-2.0
"""The morphable face laid over a photograph: shape, expression and pose from 68 points, by least squares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.geometry import extent
from thermal_fld_ros.synthesis.figure import Viewpoint
from thermal_fld_ros.synthesis.morphable import Array, MorphableModel

FIT_ROUNDS = 6
EXPRESSION_SPREAD = 0.3  # of the weights of expressions, where those of identities have 1
POINT_SPREAD, JAW_SPREAD = 0.12, 0.5  # cm, how far a point may lie from where the face has it
FIT_DISTANCE = 3000.0  # cm: as good as a parallel projection
REACH = 0.12  # of the last correction about a point, in sizes of the face
STIFFNESS = 0.1  # of the last correction: 0 goes through every point


@dataclass(frozen=True)
class FaceFit:
    """A morphable face in an image.

    Attributes
    ----------
    head : (V, 3) float32
        The morphed face before it is turned, cm.
    rotation : (3, 3) float32
        Of the head, as `body.euler` makes one.
    camera : Viewpoint
    anchors, pull : (68, 2)
        Where the camera sees the landmarks, pixels, and the weights of the smooth correction that brings them to the 68 points.
    reach : float
        Of the correction about each anchor, pixels.
    """

    head: Array
    rotation: Array
    camera: Viewpoint
    anchors: NDArray[np.float64]
    pull: NDArray[np.floating]
    reach: float

    def project(self, vertices: Array) -> tuple[Array, Array]:
        """Image points (N, 2) float32 and depths (N,) float32 cm of points (N, 3) of the head before it is turned."""
        xy, depth = self.camera.project(np.ascontiguousarray(vertices @ self.rotation.T, np.float32))
        return (xy + _kernel(xy, self.anchors, self.reach) @ self.pull).astype(np.float32), depth


def fit_face(model: MorphableModel, points: NDArray[np.float64]) -> FaceFit:
    """The face whose landmarks lie at ``points`` (68, 2), pixels of an image, all of them finite."""
    target = points * [1.0, -1.0]  # the model's y points up
    rest = model.neutral[model.landmarks].astype(np.float64)
    modes = np.concatenate([model.identity[:, model.landmarks], model.expression[:, model.landmarks]]).astype(
        np.float64
    )
    spread = np.repeat([1.0, EXPRESSION_SPREAD], [len(model.identity), len(model.expression)])
    sigma = np.where(np.arange(68) < 17, JAW_SPREAD, POINT_SPREAD)
    weights = np.zeros(len(modes))
    for _ in range(FIT_ROUNDS):
        rotation, scale, offset = _pose(rest + np.tensordot(weights, modes, 1), target, 1 / sigma**2)
        residual = (target - offset) / scale - rest @ rotation[:2].T
        design = (modes @ rotation[:2].T).transpose(1, 2, 0) / sigma[:, None, None]
        design = design.reshape(-1, len(modes)) * spread
        normal = design.T @ design + np.eye(len(modes))
        weights = spread * np.linalg.solve(normal, design.T @ (residual / sigma[:, None]).reshape(-1))
        weights = np.clip(weights, np.where(spread == 1, -2.5, -0.15), np.where(spread == 1, 2.5, 1.1))
    identity, expression = weights[: len(model.identity)], weights[len(model.identity) :]
    head = model.morph(identity.astype(np.float32), expression.astype(np.float32))
    rotation, scale, offset = _pose(head[model.landmarks].astype(np.float64), target, 1 / sigma**2)
    camera = Viewpoint((float(offset[0]), -float(offset[1])), scale, FIT_DISTANCE)
    seen = camera.project((head[model.landmarks] @ rotation.T).astype(np.float32))[0].astype(np.float64)
    reach = REACH * extent(points)
    bend = _kernel(seen, seen, reach) + STIFFNESS * np.eye(68)
    return FaceFit(head, rotation.astype(np.float32), camera, seen, np.linalg.solve(bend, points - seen), reach)


def _pose(shape: NDArray[np.float64], target: NDArray[np.float64], weight: NDArray[np.float64]):  # type: ignore[no-untyped-def]
    """Rotation (3, 3), scale and offset (2,) that bring points (N, 3) nearest to ``target`` (N, 2) in parallel projection."""
    share = (weight / weight.sum())[:, None]
    middle, aim = (share * shape).sum(0), (share * target).sum(0)
    root = np.sqrt(share)
    affine = np.linalg.lstsq(root * (shape - middle), root * (target - aim), rcond=None)[0].T
    u, s, v = np.linalg.svd(affine, full_matrices=False)
    first, second = u @ v
    rotation = np.stack([first, second, np.cross(first, second)])
    scale = float(s.mean())
    return rotation, scale, aim - scale * rotation[:2] @ middle


def _kernel(points: NDArray[np.floating], anchors: NDArray[np.float64], reach: float) -> NDArray[np.float64]:
    here, there = np.asarray(points, np.float32), anchors.astype(np.float32)
    distance = (here**2).sum(1)[:, None] - 2 * here @ there.T + (there**2).sum(1)
    return np.exp(np.float32(-0.5 / reach**2) * distance)
