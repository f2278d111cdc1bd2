# SPDX-License-Identifier: Apache-2.0
"""The networks, of plain 3x3 residual blocks: vectorised CPU kernels run these best, in training and at run time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from thermal_fld_ros.distillation.config import CHANNELS, LandmarkShape, shape_of
from thermal_fld_ros.distillation.fields import plain
from thermal_fld_ros.distillation.refinement import Refinement

# A landmark counts as right within this distance, in units of sqrt(w h) of the face box: the confidence's meaning.
TOLERANCE = 0.05
# A crop's points as a whole are right while their mean error is below this, in the same unit: the face score's meaning.
RIGHT = 0.10


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
    """Feature maps at strides 4, 8, 16, ... of an image (N, channels, H, W)."""

    def __init__(self, stem: int, widths: Sequence[int], depths: Sequence[int], channels: int = 1):
        super().__init__()
        self.widths = tuple(widths)
        self.stem = nn.Sequential(conv(channels, stem, 2), nn.ReLU())
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


class TimmBackbone(nn.Module):
    """Feature maps at strides 8 and 16 of a backbone of the library timm (needs it installed), by its name there."""

    def __init__(self, timm: str, channels: int, pretrained: bool = False):
        super().__init__()
        import timm as library

        strides = library.create_model(timm, features_only=True).feature_info.reduction()
        if not {8, 16} <= set(strides):
            raise ValueError(f"{timm} has feature maps at strides {strides}, expected 8 and 16 among them")
        wanted = [strides.index(8), strides.index(16)]
        self.features = library.create_model(
            timm, features_only=True, out_indices=wanted, in_chans=channels, pretrained=pretrained
        )
        self.widths = tuple(self.features.feature_info.channels())
        self._freeze_rest(channels)

    def _freeze_rest(self, channels: int) -> None:
        """Some backbones keep blocks after the last map: without gradients, which data-parallel training would wait for."""
        self.features.eval()
        torch.stack([one.sum() for one in self(torch.zeros(1, channels, 64, 64))]).sum().backward()
        for parameter in self.features.parameters():
            parameter.requires_grad_(parameter.grad is not None)
            parameter.grad = None
        self.features.train()

    def forward(self, image: Tensor) -> list[Tensor]:
        """Images (N, channels, H, W) in [0, 1] -> two maps."""
        maps: list[Tensor] = self.features((image - 0.45) / 0.225)  # about ImageNet's mean and deviation
        return maps


class Prediction(NamedTuple):
    """What ``LandmarkNet`` says about N crops; lengths in units of the crop's side, origin in its middle.

    Attributes
    ----------
    points : (N, 68, 2)
    log_spread : (N, 68)
        Logarithm of the scale s of the error density exp(-r / s) / s^2 per area, r in units of sqrt(w h) of the face box.
    logit : (N,)
        Of the probability that the crop shows a face whose points are right: with a mean error below ``RIGHT``.
    distribution : (N, 68, 2, bins)
        Logits over the positions ``LandmarkHead.grid`` along x and along y, whose means the points are.
    """

    points: Tensor
    log_spread: Tensor
    logit: Tensor
    distribution: Tensor


class LandmarkEncoder(nn.Module):
    """Features (N, neck, size / 8, size / 8) of a crop (N, channels, size, size): strides 8 and 16 of a backbone, joined."""

    def __init__(self, backbone: Backbone | TimmBackbone, neck: int):
        super().__init__()
        self.backbone = backbone
        self.lateral = nn.ModuleList([conv(width, neck, kernel=1) for width in backbone.widths[-2:]])
        self.merge = nn.Sequential(conv(neck, neck), nn.ReLU())

    def forward(self, image: Tensor) -> Tensor:
        """See the class."""
        fine, coarse = self.backbone(image)[-2:]
        up = functional.interpolate(self.lateral[1](coarse), scale_factor=2, mode="nearest")
        return self.merge(functional.relu(self.lateral[0](fine) + up))


class LandmarkHead(nn.Module):
    """Coordinate distributions from a feature map, after SimCC (Li et al., ECCV 2022): a token a point, x and y apart.

    Each point's map becomes a token; tokens see each other once, so that a hidden eye is placed by the visible one.
    """

    REACH = 0.75  # the grid spans the crop and half of it again: points may lie outside

    def __init__(self, neck: int, cells: int, bins: int, hidden: int):
        super().__init__()
        self.maps = nn.Conv2d(neck, 68, 1)
        self.embed = nn.Linear(cells, hidden)
        self.identity = nn.Parameter(torch.zeros(68, hidden))
        self.mix = nn.Linear(68, 68, bias=False)
        nn.init.zeros_(self.mix.weight)
        self.norm = nn.LayerNorm(hidden)
        self.distribution = nn.Linear(hidden, 2 * bins)
        self.spread = nn.Linear(hidden, 1)
        self.presence = nn.Sequential(nn.Linear(neck, 64), nn.ReLU(), nn.Linear(64, 1))
        self.judgement = nn.Sequential(nn.Linear(hidden, 32), nn.ReLU(), nn.Linear(32, 1, bias=False))
        nn.init.zeros_(self.judgement[2].weight)  # type: ignore[arg-type]
        self.register_load_state_dict_pre_hook(_without_judgement)
        self.register_buffer("grid", torch.linspace(-self.REACH, self.REACH, bins), persistent=False)

    def forward(self, features: Tensor) -> Prediction:
        """Features (N, neck, h, w) with h w = cells."""
        tokens = self.embed(self.maps(features).flatten(2)) + self.identity
        tokens = tokens + self.mix(functional.relu(tokens).transpose(1, 2)).transpose(1, 2)
        tokens = functional.relu(self.norm(tokens))
        distribution = self.distribution(tokens).unflatten(-1, (2, -1)).float()
        points = (distribution.softmax(-1) * self.grid).sum(-1)
        # what is in the crop, and what became of the points: a face beside the crop's middle is one, but its points are wrong
        logit = (self.presence(features.amax((2, 3))) + self.judgement(tokens.mean(1)))[:, 0]
        return Prediction(points, self.spread(tokens)[..., 0] - 3.0, logit, distribution)


def _without_judgement(head: LandmarkHead, state: dict[str, Tensor], prefix: str, *_: Any) -> None:
    """Weights before version 0.4 have no ``judgement``: with zeros for its last layer the score is theirs."""
    if f"{prefix}judgement.2.weight" not in state:
        for name, value in head.judgement.state_dict().items():
            state[f"{prefix}judgement.{name}"] = torch.zeros_like(value) if name == "2.weight" else value.clone()


class LandmarkNet(nn.Module):
    """Points, their spread and a face score from crops (N, channels, size, size) in [0, 1]: ``head(encoder(image))``.

    ``backbone`` are the arguments of ``Backbone``, with stages at strides 4, 8 and 16, or of ``TimmBackbone``; ``refinement`` those of
    ``Refinement``, which places eyes and mouth again; None: the network has none.
    """

    def __init__(
        self,
        size: int,
        neck: int,
        bins: int,
        hidden: int,
        channels: int = 1,
        refinement: dict[str, int] | None = None,
        **backbone: Any,
    ):
        super().__init__()
        self.size, self.channels, self.neck, self.bins = size, channels, neck, bins
        if "timm" not in backbone and len(backbone["widths"]) != 3:
            raise ValueError(
                f"the landmark network has stages at strides 4, 8 and 16, but widths are {backbone['widths']}"
            )
        make = TimmBackbone if "timm" in backbone else Backbone
        self.encoder = LandmarkEncoder(make(channels=channels, **backbone), neck)
        self.head = LandmarkHead(neck, (size // 8) ** 2, bins, hidden)
        self.refinement = None if refinement is None else Refinement(channels, **refinement)

    def forward(self, image: Tensor) -> Prediction:
        """See the class."""
        return self.refined(image, self.head(self.encoder(image)))

    def refined(self, image: Tensor, found: Prediction) -> Prediction:
        """What the head says, with the points of eyes and mouth placed again where the network has a ``refinement``."""
        if self.refinement is None:
            return found
        return found._replace(points=self.refinement(image, found.points))


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


def pick_peaks(logit: Tensor, edges: Tensor, count: int = 64) -> tuple[Tensor, Tensor]:
    """The ``count`` best local maxima of one heat map (1, h, w): boxes (count, 4) input pixels and scores (count,)."""
    score = torch.sigmoid(logit)
    score = score * (functional.max_pool2d(score[:, None], 3, 1, 1)[:, 0] == score)
    best, index = score.flatten().topk(count)
    return decode_boxes(edges)[0].flatten(1)[:, index].T, best


def landmark_net(shape: LandmarkShape, pretrained: bool = False) -> LandmarkNet:
    """An untrained landmark network; ``pretrained``: with the weights that timm has for its backbone."""
    more: dict[str, Any] = {"pretrained": True} if pretrained else {}
    return LandmarkNet(shape.size, channels=CHANNELS[shape.modality], **plain(shape.network), **more)


def network_of(config: Mapping[str, Any]) -> nn.Module:
    """The untrained network of a checkpoint's configuration.

    Raises
    ------
    ValueError, LookupError
        What determines its weights is missing from the configuration or wrong.
    """
    shape = shape_of(config)
    return landmark_net(shape) if isinstance(shape, LandmarkShape) else FaceDetectorNet(**plain(shape.network))
