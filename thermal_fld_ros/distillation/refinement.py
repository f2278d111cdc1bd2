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
MOUTH = tuple(range(48, 68))


class PatchFrames(NamedTuple):
    """Where N square patches lie in their crops; lengths in units of the crop's side, origin in its middle.

    Attributes
    ----------
    centre : (N, 2)
    axes : (N, 2, 2)
        Rows: the patch's right and down, each as long as its side.
    """

    centre: Tensor
    axes: Tensor

    def to_patch(self, points: Tensor) -> Tensor:
        """Points (N, K, 2) of the crop -> of the patch, in units of its side, origin in its middle."""
        side = self.axes.square().sum(-1).unsqueeze(1)
        return (points - self.centre[:, None]) @ self.axes.transpose(1, 2) / side

    def to_crop(self, points: Tensor) -> Tensor:
        """The way back."""
        return self.centre[:, None] + points @ self.axes

    def sample(self, image: Tensor, size: int) -> Tensor:
        """Patches (N, channels, size, size) of the crops (N, channels, S, S), each with mean 0 and deviation 1."""
        steps = (torch.arange(size, device=image.device, dtype=torch.float32) + 0.5) / size - 0.5
        x, y = steps.repeat(size), steps.repeat_interleave(size)
        grid = torch.stack([x, y, torch.ones_like(x)], -1)
        # one product gives the positions, in the units of grid_sample: from -1 to 1 from edge to edge
        where = grid @ torch.cat([2 * self.axes, 2 * self.centre[:, None]], 1)
        patch = functional.grid_sample(image, where.view(-1, size, size, 2), padding_mode="border", align_corners=False)
        return functional.instance_norm(patch, eps=1e-4)


class CloserLook(nn.Module):
    """Moves K points by what a patch (channels, size, size) about them shows; untrained, it leaves them where they are."""

    def __init__(self, channels: int, points: int, size: int, width: int):
        super().__init__()
        self.size = size
        self.features = nn.Sequential(
            _conv(channels, width, 2),
            _conv(width, 2 * width, 2),
            _conv(2 * width, 2 * width, 1),
            _conv(2 * width, 4 * width, 2),
            nn.Flatten(),
        )
        self.hidden = nn.Linear(4 * width * (size // 8) ** 2 + 2 * points, 64)
        self.move = nn.Linear(64, 2 * points)
        nn.init.zeros_(self.move.weight)
        nn.init.zeros_(self.move.bias)

    def forward(self, patch: Tensor, points: Tensor) -> Tensor:
        """Patches (N, channels, size, size) and points (N, K, 2) in units of their side -> points (N, K, 2)."""
        seen = torch.cat([self.features(patch), 4 * points.flatten(1)], 1)
        return points + self.move(functional.relu(self.hidden(seen))).float().view(-1, *points.shape[1:])


def _conv(before: int, after: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU())


class Refinement(nn.Module):
    """Places the points of eyes and mouth again; both eyes by the same weights, the left one mirrored.

    Parameters
    ----------
    channels : int
        Of the images.
    eye, mouth : int
        Sides of the patches, pixels, multiples of 8.
    width : int
        Channels of the first convolutions.
    """

    EYE_SIDE, MOUTH_SIDE = 0.45, 0.85  # sides of the patches over sqrt(w h) of the face box
    down: Tensor

    def __init__(self, channels: int, eye: int = 32, mouth: int = 48, width: int = 16):
        super().__init__()
        self.eye = CloserLook(channels, len(RIGHT_EYE_POINTS), eye, width)
        self.mouth = CloserLook(channels, len(MOUTH), mouth, width)
        self.register_buffer("down", torch.tensor(DOWN, dtype=torch.float32), persistent=False)

    def forward(self, image: Tensor, points: Tensor) -> Tensor:
        """Images (N, channels, S, S) and all points (N, 68, 2) in units of the crop's side -> all points."""
        right, left, mouth = list(RIGHT_EYE_POINTS), list(LEFT_EYE_POINTS), list(MOUTH)
        first = points.detach()  # the gradient reaches the first points by themselves, not by where the patches lie
        frames = [
            self._frames(first, right, self.EYE_SIDE, 1.0),
            self._frames(first, left, self.EYE_SIDE, -1.0),
            self._frames(first, mouth, self.MOUTH_SIDE, 1.0),
        ]
        eyes = PatchFrames(torch.cat([frames[0].centre, frames[1].centre]), torch.cat([frames[0].axes, frames[1].axes]))
        both = torch.cat([points[:, right], points[:, left]])
        both = eyes.to_crop(self.eye(eyes.sample(torch.cat([image, image]), self.eye.size), eyes.to_patch(both)))
        eye_right, eye_left = both.view(2, -1, len(right), 2).unbind()
        lips = frames[2].to_crop(
            self.mouth(frames[2].sample(image, self.mouth.size), frames[2].to_patch(points[:, mouth]))
        )
        back = [left.index(k) for k in range(42, 48)]
        return torch.cat([points[:, :36], eye_right, eye_left[:, back], lips], 1)

    def _frames(self, points: Tensor, about: list[int], side: float, mirror: float) -> PatchFrames:
        """Patches about some of the points, upright in the face; ``mirror`` -1 changes left and right."""
        down = self.down @ points
        down = down / down.norm(dim=-1, keepdim=True).clamp(min=1e-6)
        right = torch.stack([down[:, 1], -down[:, 0]], -1) * mirror
        extent = (points.amax(1) - points.amin(1)).prod(-1).clamp(min=1e-6).sqrt() * side
        return PatchFrames(points[:, about].mean(1), torch.stack([right, down], 1) * extent[:, None, None])
