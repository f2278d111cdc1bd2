# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import torch

from thermal_fld_ros.distillation.detection import giou
from thermal_fld_ros.distillation.fields import read_mapping
from thermal_fld_ros.distillation.losses import LABEL_WIDTH, cross_entropy
from thermal_fld_ros.distillation.networks import (
    TOLERANCE,
    LandmarkHead,
    confidence,
    decode_boxes,
    network_of,
    pick_peaks,
)

CONFIGS = Path(__file__).parents[2] / "config/training"


def shipped(name: str) -> torch.nn.Module:
    return network_of(read_mapping(CONFIGS / f"{name}.yaml")).eval()


def test_shapes_and_size_of_the_student() -> None:
    network = shipped("face_landmarks")
    found = network(torch.zeros(3, 1, 112, 112))
    assert found.points.shape == (3, 68, 2)
    assert found.log_spread.shape == (3, 68)
    assert found.logit.shape == (3,)
    assert found.distribution.shape[:3] == (3, 68, 2)
    assert sum(p.numel() for p in network.parameters()) < 1_000_000


def test_the_detector_takes_any_multiple_of_32() -> None:
    network = shipped("face_detector")
    for height, width in ((256, 320), (320, 256), (96, 128)):
        logit, edges = network(torch.zeros(1, 1, height, width))
        assert logit.shape == (1, height // 8, width // 8)
        assert edges.shape == (1, 4, height // 8, width // 8)
        assert (edges > 0).all()


def test_confidence_is_the_share_of_errors_within_the_tolerance() -> None:
    # distances of the density exp(-r / s) / s^2 in the plane follow a gamma distribution of shape 2
    for spread in (0.01, 0.03, 0.1):
        r = np.random.default_rng(0).gamma(2.0, spread, 200_000)
        said = float(confidence(torch.tensor(np.log(spread))))
        assert abs(said - (r < TOLERANCE).mean()) < 0.005


def test_the_likeliest_points_are_the_true_ones() -> None:
    truth = torch.rand(2, 68, 2, generator=torch.Generator().manual_seed(0)) - 0.5
    grid = torch.linspace(-LandmarkHead.REACH, LandmarkHead.REACH, 112)

    def loss(points: torch.Tensor) -> float:
        return float(cross_entropy(-0.5 * ((grid - points[..., None]) / LABEL_WIDTH) ** 2, truth).mean())

    assert loss(truth) < loss(truth + 0.01) < loss(truth + 0.03)


def test_boxes_surround_the_middle_of_their_cell() -> None:
    edges = torch.full((1, 4, 3, 5), 10.0)
    boxes = decode_boxes(edges)
    assert boxes[0, :, 0, 0].tolist() == [-6.5, -6.5, 13.5, 13.5]  # cell 0 covers pixels 0 to 7, its middle is 3.5
    assert boxes[0, :, 2, 4].tolist() == [25.5, 9.5, 45.5, 29.5]


def test_giou_of_known_boxes() -> None:
    a = torch.tensor([[0.0, 0.0, 2.0, 2.0]])
    assert torch.allclose(giou(a, a), torch.ones(1), atol=1e-4)
    # apart: no overlap, hull 2 x 6 = 12, of which 4 are empty
    assert torch.allclose(giou(a, torch.tensor([[0.0, 4.0, 2.0, 6.0]])), torch.tensor([-4 / 12]), atol=1e-4)


def test_only_local_maxima_are_picked() -> None:
    logit = torch.full((1, 10, 10), -9.0)
    logit[0, 2, 3], logit[0, 2, 4], logit[0, 7, 7] = 3.0, 2.0, 1.0
    boxes, scores = pick_peaks(logit, torch.full((1, 4, 10, 10), 4.0))
    assert (scores > 0.5).sum() == 2
    assert boxes[0].tolist() == [3 * 8 - 0.5, 2 * 8 - 0.5, 3 * 8 + 7.5, 2 * 8 + 7.5]
