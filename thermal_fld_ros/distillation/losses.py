# SPDX-License-Identifier: Apache-2.0
"""What a landmark network is taught by labels: where the points are, how sure it may be, and whether its crop shows a face."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from thermal_fld_ros.distillation.config import LossWeights
from thermal_fld_ros.distillation.networks import RIGHT, LandmarkHead, Prediction
from thermal_fld_ros.perception.cropping import DOWN

OPENINGS = ([37, 38, 43, 44, 61, 62, 63], [41, 40, 47, 46, 67, 66, 65])
"""Points of upper lids and lips, and those below. Each alone may be off by as much as a blink: their errors have to agree."""

LABEL_WIDTH = 0.012  # standard deviation of a point's label, in units of the crop's side: about a bin


class Target(NamedTuple):
    """What N crops show.

    Attributes
    ----------
    points : (N, 68, 2)
        In units of the crop's side, origin in its middle.
    weight : (N, 68)
        What a label is worth (1, if nothing else is said), the teacher's confidence for a point of the teacher's, 0 where neither
        says anything.
    box : (N,)
        sqrt(w h) of the box around the points, in units of the crop's side.
    face : (N,)
        1 where there is a face.
    """

    points: Tensor
    weight: Tensor
    box: Tensor
    face: Tensor


def landmark_loss(prediction: Prediction, target: Target, weights: LossWeights) -> Tensor:
    """Error of the points, their predicted spread, their distributions, and how far lids and lips are apart: a weighted sum.

    Of crops within reach of their face; errors are in units of the face box.
    """
    weight = target.weight * within_reach(target.points)[:, None]
    count = weight.sum().clamp(min=1)
    error = (prediction.points - target.points).norm(dim=-1) / target.box[:, None]
    # the spread learns the error's size but does not excuse hard points
    log_spread = prediction.log_spread.float()
    spread = 2 * log_spread + error.detach() * torch.exp(-log_spread)
    distribution = cross_entropy(prediction.distribution, target.points)
    return (
        weights.points * (error * weight).sum() / count
        + weights.spread * (spread * weight).sum() / count
        + weights.distribution * (distribution * weight).sum() / count
        + weights.openings * opening_loss(prediction, target, weight)
    )


def opening_loss(prediction: Prediction, target: Target, weight: Tensor) -> Tensor:
    """Error of the vectors from upper to lower lids and lips in units of the face box, weighted by the lesser of both points' weight."""
    upper, lower = OPENINGS
    difference = prediction.points - target.points
    error = (difference[:, upper] - difference[:, lower]).norm(dim=-1) / target.box[:, None]
    both = torch.minimum(weight[:, upper], weight[:, lower])
    return (error * both).sum() / both.sum().clamp(min=1)


def within_reach(points: Tensor) -> Tensor:
    """1 for crops (N,) from which their face can be learnt, by its true points (N, 68, 2); 0 for those that have lost it.

    The network is to correct a crop that is off by up to a third of its side, 60 degrees, and a factor of 2. Of worse ones it only
    learns that its points are wrong.
    """
    low, high = points.amin(1), points.amax(1)
    off = ((low + high) / 2).abs().amax(1)
    share = (high - low).amax(1)
    right, down = (torch.as_tensor(DOWN, dtype=points.dtype, device=points.device) @ points).unbind(1)
    upright = down > 0.5 * torch.hypot(right, down)
    return ((off < 0.34) & (share > 0.3) & (share < 1.35) & upright).to(points.dtype)


def score_loss(prediction: Prediction, target: Target) -> Tensor:
    """Of the face score, against whether the crop shows a face and the points found there are right as a whole.

    A face none of whose points has a weight counts as right.
    """
    error = (prediction.points.detach() - target.points).norm(dim=-1) / target.box[:, None]
    weight = target.weight.sum(1)
    right = (error * target.weight).sum(1) / weight.clamp(min=1e-6) < RIGHT
    truth = target.face * (right | (weight == 0)).to(target.face.dtype)
    return functional.binary_cross_entropy_with_logits(prediction.logit.float(), truth)


def cross_entropy(distribution: Tensor, points: Tensor) -> Tensor:
    """Of the predicted distributions (N, 68, 2, bins) against narrow Gaussians about the true points (N, 68, 2): (N, 68)."""
    grid = torch.linspace(-LandmarkHead.REACH, LandmarkHead.REACH, distribution.shape[-1], device=points.device)
    target = torch.softmax(-0.5 * ((grid - points[..., None]) / LABEL_WIDTH) ** 2, dim=-1)
    return -(target * distribution.log_softmax(-1)).sum(-1).mean(-1)
