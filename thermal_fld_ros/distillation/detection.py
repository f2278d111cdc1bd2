# SPDX-License-Identifier: Apache-2.0
"""The training of the face detector: windows of rendered frames, its losses, and its validation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset

from thermal_fld_ros.distillation.augmentation import lower_resolution
from thermal_fld_ros.distillation.config import DetectionConfig
from thermal_fld_ros.distillation.crops import SCENES, Array, read_scenes, sampled
from thermal_fld_ros.distillation.fields import plain
from thermal_fld_ros.distillation.networks import FaceDetectorNet, decode_boxes, pick_peaks
from thermal_fld_ros.perception.detector import suppress
from thermal_fld_ros.perception.geometry import Affine, iou
from thermal_fld_ros.perception.normalisation import normalise
from thermal_fld_ros.synthesis.gain import gain_control
from thermal_fld_ros.synthesis.shards import load_shards


class DetectionTask:
    """Rendered frames, and windows of scenes where there are some -> heat map of face centres and boxes."""

    def __init__(self, config: DetectionConfig):
        self.config = config
        self.network: nn.Module = FaceDetectorNet(**plain(config.network))
        scenes = read_scenes(Path(config.scenes)) if config.scenes else ()
        self.training_set: Dataset[Any] = _DetectionSamples(config, Path(config.frames), scenes)
        self.validation_set = _DetectionSamples(config, Path(config.validation))

    def loss(self, network: nn.Module, batch: dict[str, Tensor], progress: float = 0.0) -> dict[str, Tensor]:
        """Focal loss of the centres' heat map (CenterNet, Zhou et al., 2019) and generalised IoU of the boxes."""
        logit, edges = network(batch["image"])
        logit, edges = logit.float(), edges.float()
        target, box = batch["heat"], batch["boxes"]
        p = torch.sigmoid(logit).clamp(1e-4, 1 - 1e-4)
        peak = (target >= 0.999).float()
        near = (1 - target).clamp(min=0) ** 4
        count = peak.sum().clamp(min=1)
        heat = -(peak * (1 - p) ** 2 * p.log() + (1 - peak) * near * p**2 * (1 - p).log()) * batch["care"]
        inside = (target > 0.5).float() * (box[:, 2] > box[:, 0]).float()
        overlap = giou(decode_boxes(edges), box)
        return {"heat": heat.sum() / count, "box": (inside * (1 - overlap)).sum() / inside.sum().clamp(min=1)}

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        """Recall of faces of 10 px and more at IoU 0.5, and false boxes an image, both at the configured threshold."""
        threshold = self.config.threshold
        found, faces, false = 0, 0, 0
        for k in range(len(self.validation_set)):
            sample = self.validation_set.plain(k)
            logit, edges = network(torch.from_numpy(sample["image"])[None])
            peaks, score = pick_peaks(logit.float(), edges.float())
            boxes, scores = peaks[score > threshold].double().numpy(), score[score > threshold].double().numpy()
            boxes = boxes[suppress(_extents(boxes), scores, 0.4)]
            truth = sample["truth"]
            overlap = pairwise_iou(truth, boxes)
            wanted = (np.ptp(truth.reshape(-1, 2, 2), axis=1).max(1) >= 10) & (sample["visible"] > 0.12)
            found += int((overlap.max(1, initial=0)[wanted] > 0.5).sum())
            faces += int(wanted.sum())
            false += int((overlap.max(0, initial=0) < 0.3).sum())
        recall = found / max(faces, 1)
        false_per_image = false / len(self.validation_set)
        return {"cost": 1 - recall + false_per_image, "recall": recall, "false_per_image": false_per_image}


class _DetectionSamples(Dataset[dict[str, Any]]):
    def __init__(self, config: DetectionConfig, frames: Path, scenes: Sequence[NDArray[Any]] = ()):
        self.images, labels = load_shards(frames)
        self.scenes = scenes
        facing = labels["facing"]
        self.frame = labels["frame"][facing]
        points = labels["points"][facing]
        self.boxes = np.concatenate([points.min(1), points.max(1)], 1)
        self.visible = labels["visible"][facing].mean(1)
        self.size = config.size
        self.normalisation = config.normalisation

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, k: int) -> dict[str, Any]:
        rng = np.random.default_rng(int(torch.randint(2**62, ())))
        mine = self.frame == k
        image, boxes, visible = self.images[k], self.boxes[mine].astype(np.float64), self.visible[mine]
        if len(self.scenes) and rng.random() < SCENES / 4:
            image, boxes, visible = self.scenes[int(rng.integers(len(self.scenes)))], boxes[:0], visible[:0]
        width, height = self.size
        zoom = float(np.exp(rng.uniform(np.log(0.55), np.log(1.5))))
        whole = np.array(image.shape[::-1])
        shift = rng.uniform(-0.5, 0.5, 2) * np.abs(whole - np.divide(self.size, zoom)) + rng.normal(0, 8, 2)
        middle = ((width - 1) / 2, (height - 1) / 2)
        crop = Affine.similarity(1 / zoom, np.deg2rad(rng.normal(0, 3)), middle, (whole - 1) / 2 + shift)
        window = sampled(image, crop, self.size)
        corners = crop.inverse()(boxes.reshape(-1, 2, 2)).reshape(-1, 4)
        if rng.random() < 0.5:
            window = window[:, ::-1].copy()
            corners[:, [0, 2]] = width - 1 - corners[:, [2, 0]]
        if rng.random() < 0.6:
            window = lower_resolution(window, float(np.exp(rng.uniform(np.log(0.25), 0))), rng)
        return {"image": self._normalised(gain_control(window, rng)), **self._targets(corners, visible)}

    def plain(self, k: int) -> dict[str, Any]:
        """Frame k without augmentation, its boxes and how much of each face is visible."""
        mine = self.frame == k
        return {"image": self._normalised(self.images[k]), "truth": self.boxes[mine], "visible": self.visible[mine]}

    def _normalised(self, image: NDArray[Any]) -> Array:
        return normalise(image, self.normalisation)[None]

    def _targets(self, boxes: NDArray[np.float64], visible: Array) -> dict[str, Array]:
        """Heat (h, w), care (h, w): 0 where neither yes nor no is right, boxes (4, h, w) of the nearest face."""
        stride = FaceDetectorNet.stride
        width, height = self.size[0] // stride, self.size[1] // stride
        heat, care = np.zeros((height, width), np.float32), np.ones((height, width), np.float32)
        target = np.zeros((4, height, width), np.float32)
        x = np.arange(width) * stride + (stride - 1) / 2
        y = (np.arange(height) * stride + (stride - 1) / 2)[:, None]
        for box, seen in zip(boxes[visible > 0.02], visible[visible > 0.02], strict=True):
            (x0, y0), (x1, y1) = box[:2], box[2:]
            cx, cy, extent = (x0 + x1) / 2, (y0 + y1) / 2, max(x1 - x0, y1 - y0)
            outside = not (0 <= cx < self.size[0] and 0 <= cy < self.size[1])
            if outside or extent < 6 or seen < 0.12:
                margin = 0.0 if seen < 0.12 else stride / 2
                care[((x > x0 - margin) & (x < x1 + margin)) & ((y > y0 - margin) & (y < y1 + margin))] = 0
                continue
            sigma = max(extent / 7, 0.55 * stride)
            bump = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * sigma**2)).astype(np.float32)
            row, col = min(int((cy + 0.5) // stride), height - 1), min(int((cx + 0.5) // stride), width - 1)
            bump[row, col] = 1
            nearer = bump > heat
            target[:, nearer] = np.array(box, np.float32)[:, None]
            heat = np.maximum(heat, bump)
            care[row, col] = 1
        return {"heat": heat, "care": care, "boxes": target}


def giou(a: Tensor, b: Tensor) -> Tensor:
    """Generalised IoU of boxes (N, 4, ...) given as x0, y0, x1, y1 (Rezatofighi et al., 2019)."""
    area_a = (a[:, 2] - a[:, 0]).clamp(min=0) * (a[:, 3] - a[:, 1]).clamp(min=0)
    area_b = (b[:, 2] - b[:, 0]).clamp(min=0) * (b[:, 3] - b[:, 1]).clamp(min=0)
    common = (torch.minimum(a[:, 2], b[:, 2]) - torch.maximum(a[:, 0], b[:, 0])).clamp(min=0) * (
        torch.minimum(a[:, 3], b[:, 3]) - torch.maximum(a[:, 1], b[:, 1])
    ).clamp(min=0)
    hull = (torch.maximum(a[:, 2], b[:, 2]) - torch.minimum(a[:, 0], b[:, 0])) * (
        torch.maximum(a[:, 3], b[:, 3]) - torch.minimum(a[:, 1], b[:, 1])
    )
    union = area_a + area_b - common
    return common / (union + 1e-6) - (hull - union) / (hull + 1e-6)


def pairwise_iou(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """IoU (A, B) of boxes given as x0, y0, x1, y1."""
    if not len(a) or not len(b):
        return np.zeros((len(a), len(b)))
    return np.stack([iou(box, _extents(b)) for box in _extents(a)])


def _extents(corners: NDArray[Any]) -> NDArray[Any]:
    """Corners x0, y0, x1, y1 (N, 4) -> x, y, width, height."""
    return np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
