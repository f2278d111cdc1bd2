# SPDX-License-Identifier: Apache-2.0
"""The second look at eyes and mouth: where its patches lie, and that left and right are treated alike."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from thermal_fld_ros.distillation.networks import LandmarkNet
from thermal_fld_ros.distillation.refinement import PatchFrames, Refinement
from thermal_fld_ros.synthesis.morphable import MIRROR68

coordinate = st.floats(-0.5, 0.5)


def face(rng: np.random.Generator) -> torch.Tensor:
    """68 points (1, 68, 2) with the eyes above the mouth, in units of the crop's side."""
    points = rng.uniform(-0.3, 0.3, (68, 2))
    points[17:48, 1] -= 0.2
    points[48:, 1] += 0.2
    return torch.tensor(points, dtype=torch.float32)[None]


def trained(channels: int = 1) -> Refinement:
    """A refinement that moves points."""
    torch.manual_seed(0)
    refinement = Refinement(channels).eval()
    for look in (refinement.eye, refinement.mouth):
        torch.nn.init.normal_(look.move.weight, std=0.1)
    return refinement


@settings(max_examples=50, deadline=None)
@given(coordinate, coordinate, st.floats(-3.1, 3.1), st.floats(0.05, 1.0), coordinate, coordinate)
def test_a_patch_is_left_as_it_was_entered(cx: float, cy: float, angle: float, side: float, x: float, y: float) -> None:
    """``to_crop`` undoes ``to_patch``, whatever the patch's place, turn and size."""
    right = side * torch.tensor([np.cos(angle), np.sin(angle)], dtype=torch.float32)
    axes = torch.stack([right, torch.stack([-right[1], right[0]])])[None]
    frames = PatchFrames(torch.tensor([[cx, cy]], dtype=torch.float32), axes)
    point = torch.tensor([[[x, y]]], dtype=torch.float32)
    assert torch.allclose(frames.to_crop(frames.to_patch(point)), point, atol=1e-5)


def test_a_patch_shows_what_lies_at_its_place() -> None:
    """The brightest pixel of a patch is where the crop's bright spot is, by the patch's own coordinates."""
    image = torch.zeros(1, 1, 112, 112)
    image[0, 0, 39:43, 69:73] = 1.0  # about pixel (70.5, 40.5)
    spot = (torch.tensor([70.5, 40.5]) - 55.5) / 112
    frames = PatchFrames(torch.tensor([[0.1, -0.1]]), torch.tensor([[[0.0, 0.4], [-0.4, 0.0]]]))
    patch = frames.sample(image, 40)[0, 0]
    expected = frames.to_patch(spot[None, None])[0, 0]
    rows, columns = torch.where(patch > 0.9 * patch.max())
    found = torch.stack([columns.float().mean(), rows.float().mean()])
    assert torch.allclose((found + 0.5) / 40 - 0.5, expected, atol=0.02)


def test_untrained_it_moves_nothing_and_only_eyes_and_mouth_when_trained() -> None:
    """The jaw, brows and nose are the first look's."""
    points, image = face(np.random.default_rng(1)), torch.rand(1, 1, 112, 112)
    assert torch.allclose(Refinement(1).eval()(image, points), points, atol=1e-6)
    moved = (trained()(image, points) - points).abs().sum(-1)[0]
    assert torch.all(moved[:36] == 0) and torch.all(moved[36:] > 0)


def test_a_mirrored_face_has_mirrored_eyes() -> None:
    """Both eyes are looked at by the same weights, the left one in the mirror."""
    points, image = face(np.random.default_rng(2)), torch.rand(1, 1, 112, 112)
    refinement, flip = trained(), torch.tensor([-1.0, 1.0])
    found = refinement(image, points)[:, 36:48]
    mirrored = refinement(image.flip(3), points[:, MIRROR68] * flip)[:, MIRROR68][:, 36:48] * flip
    assert torch.allclose(found, mirrored, atol=1e-4)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_network_with_a_refinement_learns_it(channels: int) -> None:
    """The error of the eyes reaches the weights of the second look."""
    net = LandmarkNet(112, 16, 32, 16, channels, {}, stem=16, widths=[16, 16, 16], depths=[1, 1, 1])
    net(torch.rand(2, channels, 112, 112)).points[:, 36:].square().sum().backward()
    assert net.refinement is not None and net.refinement.eye.move.weight.grad is not None
    assert net.refinement.eye.move.weight.grad.abs().sum() > 0
