# SPDX-License-Identifier: Apache-2.0
"""The jaw line as annotators click it: on the visible outline of the face, where that hides the jaw's edge."""

from __future__ import annotations

import numpy as np

from thermal_fld_ros.synthesis.morphable import Array, MorphableModel

MIDDLE, INNER_AXES = (
    np.array([0.0, -1.0]),
    np.array([2.0, 6.5]),
)  # ellipse around nose and mouth seen from the front, cm
LOWEST = (
    -4.0
)  # height, cm, at which paths lead to the middle line: those of cheeks run level, those of the chin upwards
CONTOUR_STEPS = 16
SOFTNESS = 0.04  # cm


class JawContour:
    """Where points 0 to 16 lie, for one morphable model.

    Each point has a path on the neutral face: from the landmark's vertex towards the middle line, up to an ellipse around nose
    and mouth. In the image it lies where its path reaches farthest outwards: "outwards" is the path's direction on the
    upright frontal face, the more to the side the more the head is turned, and rolled with the head. Where the head is not turned
    that is the landmark's vertex itself; on the side that turns away it is the cheek's outline; the nose is never part of it.
    (The idea is the landmark marching of Zhu et al., High-fidelity pose and expression normalization, CVPR 2015; the maximum is
    soft here, so that points move smoothly with the pose.)

    Attributes
    ----------
    vertices : (STEPS, 17) int64
        Of the points' paths.
    """

    def __init__(self, model: MorphableModel):
        face = np.flatnonzero(model.part == 0)
        xy, z = model.neutral[face, :2], model.neutral[face, 2]
        start = model.neutral[model.landmarks[:17]].astype(np.float64)
        target = np.stack([np.zeros(17), np.maximum(start[:, 1], LOWEST)], 1)
        inward = target - start[:, :2]
        way = start[:, :2] + np.linspace(0, 1, 201)[:, None, None] * inward
        outside = (np.linalg.norm((way - MIDDLE) / INNER_AXES, axis=-1) < 1).argmax(0) / 200  # part of the way, (17,)
        steps = np.linspace(0, 1, CONTOUR_STEPS)[:, None] * outside
        path = start[:, :2] + steps[..., None] * inward  # (STEPS, 17, 2)
        distance = ((xy[:, None, None] - path) ** 2).sum(-1) + 1e3 * (z[:, None, None] < start[:, 2] - 0.3)
        self.vertices = face[distance.argmin(0)]  # (STEPS, 17)
        self.vertices[0] = model.landmarks[:17]
        self._outward = -inward / np.linalg.norm(inward, axis=1, keepdims=True)

    def __call__(self, xy: Array, depth: Array, yaw: float, roll: float, scale: float) -> tuple[Array, Array]:
        """Image points (17, 2) float32 and depths (17,) float32 of the jaw line.

        Parameters
        ----------
        xy : (V, 2) float32, the model's vertices in the image, pixels
        depth : (V,) float32, cm
        yaw, roll : of the head, radians
        scale : pixels per cm
        """
        across = self._outward[:, 0] + np.sign(self._outward[:, 0]) * abs(np.sin(yaw))
        down = -self._outward[:, 1] * abs(np.cos(yaw))  # the image's y points down
        c, s = np.cos(roll), np.sin(roll)
        outward = np.stack([c * across + s * down, -s * across + c * down], 1).astype(np.float32)
        path = xy[self.vertices]
        reach = (path * outward).sum(-1) / np.float32(scale)
        weight = np.exp((reach - reach.max(0)) / SOFTNESS)
        weight /= weight.sum(0)
        return (weight[..., None] * path).sum(0), (weight * depth[self.vertices]).sum(0)
