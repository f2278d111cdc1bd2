# SPDX-License-Identifier: Apache-2.0
"""The networks, of plain 3x3 residual blocks: vectorised CPU kernels run these best, in training and at run time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

# A landmark counts as right within this distance, in units of sqrt(w h) of the face box: the confidence's meaning.
TOLERANCE = 0.05


def conv(channels_in: int, channels_out: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    """Convolution without bias and batch normalisation."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(channels_out)
    )


class Residual(nn.Module):
    """Two 3x3 convolutions and a skip; stride 2 halves the resolution."""

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1):
        super().__init__()
        self.first = conv(channels_in, channels_out, stride)
        self.second = conv(channels_out, channels_out)
        self.skip = nn.Sequential()
        if stride == 2:
            self.skip.append(nn.AvgPool2d(2))
        if channels_in != channels_out:
            self.skip.append(conv(channels_in, channels_out, kernel=1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels_in, H, W) -> (N, channels_out, H / stride, W / stride)."""
        return functional.relu(self.second(functional.relu(self.first(x))) + self.skip(x))


class Backbone(nn.Module):
    """Feature maps at strides 4, 8, 16, ... of a one-channel image (N, 1, H, W)."""

    def __init__(self, stem: int, widths: Sequence[int], depths: Sequence[int]):
        super().__init__()
        self.stem = nn.Sequential(conv(1, stem, 2), nn.ReLU())
        self.stages = nn.ModuleList()
        before = stem
        for width, depth in zip(widths, depths, strict=True):
            blocks = [Residual(before, width, 2)] + [Residual(width, width) for _ in range(depth - 1)]
            self.stages.append(nn.Sequential(*blocks))
            before = width

    def forward(self, image: Tensor) -> list[Tensor]:
        """One map (N, width, H / stride, W / stride) a stage."""
        maps = [self.stem(image)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps[1:]


class LandmarkNet(nn.Module):
    """Points, their spread and a face score from a crop.

    Outputs: points (N, 68, 2) in units of the crop's side about its middle, log_spread (N, 68): logarithm of
    the scale s of the error density exp(-r / s) / s^2 per area, r in units of sqrt(w h) of the face box, and logit (N,).
    """

    def __init__(self, size: int, stem: int, widths: Sequence[int], depths: Sequence[int], neck: int):
        super().__init__()
        self.size = size
        self.backbone = Backbone(stem, widths, depths)
        self.neck = nn.Sequential(conv(widths[-1], neck, kernel=1), nn.ReLU())
        cells = (size // 2 ** (len(widths) + 1)) ** 2
        self.points = nn.Linear(neck * cells, 136)
        self.rest = nn.Sequential(nn.Linear(neck * cells, 64), nn.ReLU(), nn.Linear(64, 69))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Crops (N, 1, size, size) in [0, 1] -> points, log_spread, logit."""
        features = self.neck(self.backbone(image)[-1]).flatten(1)
        rest = self.rest(features)
        return self.points(features).unflatten(1, (68, 2)), rest[:, :68] - 3.0, rest[:, 68]


def confidence(log_spread: Tensor) -> Tensor:
    """Probability that a point lies within ``TOLERANCE`` of the truth, from the density that ``LandmarkNet`` predicts."""
    ratio = TOLERANCE * torch.exp(-log_spread)
    return 1 - (1 + ratio) * torch.exp(-ratio)


class FaceDetectorNet(nn.Module):
    """One-stage detector without anchors: a heat map of face centres at stride 8 and the box's edges around them.

    Outputs: heat logits (N, h, w) and edges (N, 4, h, w): distances to left, top, right and bottom, input pixels.
    """

    stride = 8

    def __init__(self, stem: int, widths: Sequence[int], depths: Sequence[int], neck: int):
        super().__init__()
        self.backbone = Backbone(stem, widths, depths)
        self.lateral = nn.ModuleList([conv(w, neck, kernel=1) for w in widths[1:]])
        self.merge = nn.ModuleList([conv(neck, neck) for _ in widths[2:]])
        self.head = nn.Sequential(conv(neck, neck), nn.ReLU(), nn.Conv2d(neck, 5, 1))
        final = self.head[-1]
        assert isinstance(final, nn.Conv2d) and final.bias is not None
        nn.init.constant_(final.bias[0], -4.0)  # faces are rare: start near the prior

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Images (N, 1, H, W) in [0, 1], H and W multiples of the last stage's stride -> heat logits, edges."""
        maps = self.backbone(image)[1:]
        merged = self.lateral[-1](maps[-1])
        for k in range(len(maps) - 2, -1, -1):
            up = functional.interpolate(merged, scale_factor=2, mode="nearest")
            merged = functional.relu(self.merge[k](functional.relu(self.lateral[k](maps[k]) + up)))
        out = self.head(merged)
        return out[:, 0], torch.exp(out[:, 1:].clamp(-4, 4)) * self.stride


def decode_boxes(edges: Tensor) -> Tensor:
    """Boxes (N, 4, h, w) as x0, y0, x1, y1 input pixels from the edges' distances around each cell's middle."""
    stride = FaceDetectorNet.stride
    height, width = edges.shape[-2:]
    # the middle of cell 0 covers pixels 0 to stride - 1
    x = torch.arange(width, device=edges.device) * float(stride) + (stride - 1) / 2
    y = (torch.arange(height, device=edges.device) * float(stride) + (stride - 1) / 2)[:, None]
    left, top, right, bottom = edges.unbind(1)
    return torch.stack([x - left, y - top, x + right, y + bottom], 1)
