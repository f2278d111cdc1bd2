# SPDX-License-Identifier: Apache-2.0
"""A landmark network with fewer channels, from a wider one: those that carry most of the signal stay.

Structured pruning by the norm of what a channel writes and of what reads it, after Li et al., "Pruning Filters for Efficient ConvNets"
(ICLR 2017). It is a beginning: the narrow network has to learn, best with the wide one as its teacher.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from thermal_fld_ros.distillation.networks import Backbone, LandmarkNet, Residual

NARROWED = ("encoder.backbone.stages.", "encoder.lateral.")
"""Where weights have other shapes in a narrower network."""


def is_narrower(narrow: LandmarkNet, wide: LandmarkNet) -> bool:
    """Whether `narrowed` can make one of the other: they differ in the widths of their backbones' stages only."""
    ours, theirs = narrow.encoder.backbone, wide.encoder.backbone
    if not (isinstance(ours, Backbone) and isinstance(theirs, Backbone)):
        return False
    if [len(stage) for stage in ours.stages] != [len(stage) for stage in theirs.stages]:  # type: ignore[arg-type]
        return False
    own, other = narrow.state_dict(), wide.state_dict()
    elsewhere = {name for name in own.keys() & other.keys() if not name.startswith(NARROWED)}
    return (
        all(own[name].shape == other[name].shape for name in elsewhere)
        and ours.widths != theirs.widths
        and all(a <= b for a, b in zip(ours.widths, theirs.widths, strict=True))
    )


@torch.no_grad()
def narrowed(wide: LandmarkNet, narrow: LandmarkNet) -> dict[str, Tensor]:
    """Weights for a narrower network (`is_narrower`), by name; of those without a counterpart, its own."""
    kept = _Kept(wide, narrow)
    before = torch.arange(wide.encoder.backbone.stem[0][0].weight.shape[0])  # type: ignore[index, union-attr]
    for stage, width in enumerate(narrow.encoder.backbone.widths):
        blocks = _blocks(wide, stage)
        outputs = _best(_written(blocks) * _read(wide, stage), width)
        for index, block in enumerate(blocks):
            name = f"encoder.backbone.stages.{stage}.{index}"
            inputs = before if index == 0 else outputs
            inner = _best(_energy(block.first) * _reading(block.second), width)
            kept.put(f"{name}.first", inner, inputs)
            kept.put(f"{name}.second", outputs, inner)
            for position, _ in _convolutions(block.skip):
                kept.put(f"{name}.skip.{position}", outputs, inputs)
        if stage >= 1:
            kept.put(f"encoder.lateral.{stage - 1}", torch.arange(wide.neck), outputs)
        before = outputs
    return kept.weights


class _Kept:
    """The narrow network's weights, as they are filled; those of the same shape are the wide one's from the beginning."""

    def __init__(self, wide: LandmarkNet, narrow: LandmarkNet) -> None:
        self._source = wide.state_dict()
        self.weights = {name: value.clone() for name, value in narrow.state_dict().items()}
        for name, value in self.weights.items():
            if name in self._source and self._source[name].shape == value.shape:
                self.weights[name] = self._source[name].clone()

    def put(self, name: str, outputs: Tensor, inputs: Tensor) -> None:
        """Some output and input channels of a convolution and its normalisation, where the narrow network has it."""
        if f"{name}.0.weight" not in self.weights:  # a skip between stages of one width has none
            return
        self.weights[f"{name}.0.weight"] = self._source[f"{name}.0.weight"][outputs][:, inputs].clone()
        for each in ("weight", "bias", "running_mean", "running_var"):
            self.weights[f"{name}.1.{each}"] = self._source[f"{name}.1.{each}"][outputs].clone()


def _blocks(network: LandmarkNet, stage: int) -> list[Residual]:
    blocks = list(network.encoder.backbone.stages[stage])  # type: ignore[index]
    assert all(isinstance(block, Residual) for block in blocks)
    return blocks


def _convolutions(skip: nn.Sequential) -> Iterator[tuple[int, nn.Sequential]]:
    return ((k, module) for k, module in enumerate(skip) if isinstance(module, nn.Sequential))


def _best(scores: Tensor, count: int) -> Tensor:
    """Places of the largest scores, in order."""
    return scores.topk(count).indices.sort().values


def _energy(convolution: nn.Sequential) -> Tensor:
    """Mean square of what each output channel writes: normalised, its deviation is the scale and its mean the shift."""
    norm = convolution[1]
    assert isinstance(norm, nn.BatchNorm2d)
    return norm.weight.square() + norm.bias.square()


def _reading(convolution: nn.Sequential) -> Tensor:
    """Squared norm of the weights with which each input channel is read, normalisation included."""
    weight, norm = convolution[0].weight, convolution[1]
    assert isinstance(weight, Tensor) and isinstance(norm, nn.BatchNorm2d) and norm.running_var is not None
    gain = norm.weight / (norm.running_var + norm.eps).sqrt()
    return (weight * gain[:, None, None, None]).square().sum((0, 2, 3))


def _written(blocks: list[Residual]) -> Tensor:
    """Mean square of what the blocks of a stage add to its channels."""
    parts = [_energy(block.second) for block in blocks]
    parts += [_energy(skip) for block in blocks for _, skip in _convolutions(block.skip)]
    return torch.stack(parts).sum(0)


def _read(network: LandmarkNet, stage: int) -> Tensor:
    """Squared norm of the weights with which the channels of a stage are read: by its own blocks, the next stage, the lateral layer."""
    readers = [block.first for block in _blocks(network, stage)[1:]]
    if stage + 1 < len(network.encoder.backbone.widths):
        following = _blocks(network, stage + 1)[0]
        readers += [following.first, *(skip for _, skip in _convolutions(following.skip))]
    if stage >= 1:
        readers.append(network.encoder.lateral[stage - 1])  # type: ignore[arg-type]
    return torch.stack([_reading(reader) for reader in readers]).sum(0)
