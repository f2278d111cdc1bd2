# SPDX-License-Identifier: Apache-2.0
"""A second look at eyes and mouth, after Attention Mesh (Grishchenko et al., 2020).

The feature maps of the landmark network have a stride of 8 pixels, which is more than an eye is open. Lids and lips are therefore
placed again, from patches of the image itself.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from thermal_fld_ros.perception.cropping import DOWN

RIGHT_EYE_POINTS = (36, 37, 38, 39, 40, 41)
LEFT_EYE_POINTS = (45, 44, 43, 42, 47, 46)  # the mirror images of the right eye's points, in their order
MOUTH_POINTS = tuple(range(48, 68))
PATCHES = (RIGHT_EYE_POINTS, LEFT_EYE_POINTS, MOUTH_POINTS)


class PatchFrames(NamedTuple):
    """Where P square patches lie in each of N crops; lengths in units of the crop's side, origin in its middle.

    Attributes
    ----------
    centre : (N, P, 2)
    axes : (N, P, 2, 2)
        Rows: the patch's right and down, each as long as its side.
    """

    centre: Tensor
    axes: Tensor

    def to_patch(self, points: Tensor) -> Tensor:
        """Points (N, P, K, 2) of the crop -> of their patch, in units of its side, origin in its middle."""
        side = self.axes.square().sum(-1).unsqueeze(2)
        return (points - self.centre.unsqueeze(2)) @ self.axes.transpose(2, 3) / side

    def to_crop(self, points: Tensor) -> Tensor:
        """The way back."""
        return self.centre.unsqueeze(2) + points @ self.axes

    def sample(self, image: Tensor, size: int) -> Tensor:
        """Patches (N P, channels, size, size) of the crops (N, channels, S, S), each with mean 0 and deviation 1."""
        steps = (torch.arange(size, device=image.device, dtype=torch.float32) + 0.5) / size - 0.5
        x, y = steps.repeat(size), steps.repeat_interleave(size)
        grid = torch.stack([x, y, torch.ones_like(x)], -1)
        # one product gives the positions, in the units of grid_sample: from -1 to 1 from edge to edge
        where = grid @ (2 * torch.cat([self.axes, self.centre.unsqueeze(2)], 2))
        channels, count = image.shape[1], self.centre.shape[1]
        # all patches of a crop are sampled at once, one below the other
        seen = functional.grid_sample(
            image, where.view(-1, count * size, size, 2), padding_mode="border", align_corners=False
        )
        if channels > 1:
            seen = seen.view(-1, channels, count, size, size).transpose(1, 2)
        return functional.instance_norm(seen.reshape(-1, channels, size, size), eps=1e-4)


def _conv(before: int, after: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU())


class Refinement(nn.Module):
    """Places the points of eyes and mouth again; both eyes alike, the left one mirrored. Untrained, it moves nothing.

    All three patches are one batch for the same layers, and an eye's points are repeated until they are as many as the mouth's: on a
    CPU, layers as small as these cost by their number.

    Parameters
    ----------
    channels : int
        Of the images.
    size : int
        Side of the patches, pixels, a multiple of 8.
    width : int
        Channels of the first convolution.
    hidden : int
        Width of the layer between features and movements.
    """

    EYE_SIDE, MOUTH_SIDE = 0.45, 0.85  # sides of the patches over sqrt(w h) of the face box
    POINTS = len(MOUTH_POINTS)
    about: Tensor
    turn: Tensor
    order: Tensor

    def __init__(self, channels: int, size: int = 32, width: int = 16, hidden: int = 96):
        super().__init__()
        self.size = size
        self.features = nn.Sequential(
            _conv(channels, width, 2),
            _conv(width, 2 * width, 2),
            _conv(2 * width, 2 * width, 1),
            _conv(2 * width, 4 * width, 2),
            nn.Flatten(),
        )
        self.count = 4 * width * (size // 8) ** 2
        self.hidden = nn.Linear(self.count + 2 * self.POINTS, hidden)
        self.move = nn.Linear(hidden, 2 * self.POINTS)
        nn.init.zeros_(self.move.weight)
        nn.init.zeros_(self.move.bias)

        about = torch.zeros(4, 68)  # of 68 points: the vector down the face, and the middles of the patches
        about[0] = torch.tensor(DOWN)
        for row, points in zip(about[1:], PATCHES, strict=True):
            row[list(points)] = 1 / len(points)
        self.register_buffer("about", about, persistent=False)
        down, right = torch.eye(2), torch.tensor([[0.0, -1.0], [1.0, 0.0]])
        turn = torch.stack([  # from down to both axes of each patch, as long as its side
            self.EYE_SIDE * torch.stack([right, down]),
            self.EYE_SIDE * torch.stack([-right, down]),
            self.MOUTH_SIDE * torch.stack([right, down]),
        ])  # fmt: skip
        self.register_buffer("turn", turn.permute(2, 0, 1, 3).reshape(2, -1), persistent=False)
        self.looked_at = [points[k % len(points)] for points in PATCHES for k in range(self.POINTS)]
        order = [68 + self.looked_at.index(k) if k in self.looked_at else k for k in range(68)]
        self.register_buffer("order", torch.tensor(order), persistent=False)

    def forward(self, image: Tensor, points: Tensor) -> Tensor:
        """Images (N, channels, S, S) and all points (N, 68, 2) in units of the crop's side -> all points."""
        # the gradient reaches the first points by themselves, not by where the patches lie
        frames = self._frames(points.detach())
        features = self.features(frames.sample(image, self.size)).view(-1, len(PATCHES), self.count)
        first = frames.to_patch(points[:, self.looked_at].view(-1, len(PATCHES), self.POINTS, 2))
        seen = torch.cat([features, 4 * first.flatten(2)], 2)
        move = self.move(functional.relu(self.hidden(seen))).float()
        placed = frames.to_crop(first + move.view(-1, len(PATCHES), self.POINTS, 2))
        return torch.cat([points, placed.flatten(1, 2)], 1)[:, self.order]

    def _frames(self, points: Tensor) -> PatchFrames:
        """The patches, upright in the face."""
        places = self.about @ points
        down = places[:, 0]
        down = down / down.norm(dim=-1, keepdim=True).clamp(min=1e-6)
        extent = (points.amax(1) - points.amin(1)).prod(-1, keepdim=True).clamp(min=1e-6).sqrt()
        return PatchFrames(places[:, 1:], ((down * extent) @ self.turn).view(-1, len(PATCHES), 2, 2))
