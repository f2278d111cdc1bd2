# SPDX-License-Identifier: Apache-2.0
"""What is learned: samples, losses and validation of the landmark student and of the face detector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import Dataset

from thermal_fld_ros.distillation.augmentation import appearance, lower_resolution
from thermal_fld_ros.distillation.networks import (
    RIGHT,
    FaceDetectorNet,
    LandmarkHead,
    LandmarkNet,
    Prediction,
    decode_boxes,
)
from thermal_fld_ros.perception.cropping import DOWN, crop_from_box, crop_from_points
from thermal_fld_ros.perception.decoding import decode_array
from thermal_fld_ros.perception.detector import suppress
from thermal_fld_ros.perception.geometry import Affine, iou
from thermal_fld_ros.perception.normalisation import Normalisation, normalise
from thermal_fld_ros.recordings.folder import IMAGE_SUFFIXES
from thermal_fld_ros.synthesis.gain import gain_control
from thermal_fld_ros.synthesis.morphable import MIRROR68
from thermal_fld_ros.synthesis.shards import load_shards

Array = NDArray[np.float32]

OPENINGS = ([37, 38, 43, 44, 61, 62, 63], [41, 40, 47, 46, 67, 66, 65])
"""Points of upper lids and lips, and those below. Each alone may be off by as much as a blink: their errors have to agree."""

SCENES = 0.25
"""Share of the samples without a face that come from images of scenes, where there are any."""

LABEL_WIDTH = 0.012  # standard deviation of a point's label, in units of the crop's side: about a bin


class Task(Protocol):
    """What the trainer needs to know of a task."""

    network: nn.Module
    training_set: Dataset[Any]

    def loss(self, network: nn.Module, batch: dict[str, Tensor], progress: float) -> dict[str, Tensor]:
        """Named loss terms, when a share of the training (0 to 1) is done; the trainer minimises their sum."""

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Named figures; the first is the one to minimise."""


CHANNELS = {"thermal": 1, "rgb": 3}
"""Of the images of each modality."""


def landmark_net(config: dict[str, Any], **more: Any) -> LandmarkNet:
    """The network of a configuration, untrained; thermal unless its ``modality`` is "rgb"."""
    return LandmarkNet(
        config["size"], channels=CHANNELS[config.get("modality", "thermal")], **config["network"], **more
    )


NETWORKS: dict[str, Callable[[dict[str, Any]], nn.Module]] = {
    "landmarks": landmark_net,
    "distillation": landmark_net,
    "detection": lambda config: FaceDetectorNet(**config["network"]),
}


class LandmarkTask:
    """Rendered faces -> points, spread, face score.

    Configuration: ``faces``, ``frames``, ``validation`` (folders of rendered data), ``size``, ``crop_scale``,
    ``normalisation``, ``network`` (arguments of LandmarkNet), ``negatives`` (share of crops without a face), ``scenes`` (a
    folder of thermal images without faces, from which a quarter of these crops come; optional), ``without``
    (ingredients of the augmentation to leave out; none when absent).
    """

    def __init__(self, config: dict[str, Any]):
        self.config = config
        self.network = NETWORKS["landmarks"](config)
        self.training_set: Dataset[Any] = _LandmarkSamples(config, Path(config["faces"]), Path(config["frames"]))
        self.validation_set = _LandmarkSamples(config, Path(config["validation"]), None)

    def loss(self, network: nn.Module, batch: dict[str, Tensor], progress: float = 0.0) -> dict[str, Tensor]:
        """Terms of ``landmark_losses`` and ``score_loss``."""
        found: Prediction = network(batch["image"])
        points, box, face = batch["points"], batch["box"], batch["face"]
        weight = face[:, None].expand(-1, 68)
        return landmark_losses(found, points, box, weight) | {"score": score_loss(found, points, box, weight, face)}

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        """Figures of ``validation_figures``."""
        return validation_figures(network, self.validation_set)


def landmark_losses(found: Prediction, points: Tensor, box: Tensor, weight: Tensor) -> dict[str, Tensor]:
    """Point error in units of the box, its predicted spread, coordinate distributions, how far lids and lips are apart.

    Of crops within reach of their face.

    Parameters
    ----------
    found : Prediction
    points : (N, 68, 2)
        The true ones.
    box : (N,)
        sqrt(w h) of the face box, in units of the crop's side.
    weight : (N, 68)
        Of each point in the means; 0 where the truth is not known.
    """
    weight = weight * within_reach(points)[:, None]
    count = weight.sum().clamp(min=1)
    error = (found.points - points).norm(dim=-1) / box[:, None]
    # the spread learns the error's size but does not excuse hard points
    log_spread = found.log_spread.float()
    spread = 2 * log_spread + error.detach() * torch.exp(-log_spread)
    unlikely = cross_entropy(found.distribution, points)
    upper, lower = OPENINGS
    apart = (found.points[:, upper] - found.points[:, lower]) - (points[:, upper] - points[:, lower])
    both = torch.minimum(weight[:, upper], weight[:, lower])
    opening = apart.norm(dim=-1) / box[:, None]
    return {
        "points": (error * weight).sum() / count * 10,
        "spread": (spread * weight).sum() / count * 0.1,
        "distribution": (unlikely * weight).sum() / count * 0.3,
        "openings": (opening * both).sum() / both.sum().clamp(min=1) * 8,
    }


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


def score_loss(found: Prediction, points: Tensor, box: Tensor, weight: Tensor, face: Tensor) -> Tensor:
    """Of the face score, against whether the crop shows a face (N,) and the points found there are right as a whole.

    Parameters are those of ``landmark_losses``; a face without a known point counts as right.
    """
    error = (found.points.detach() - points).norm(dim=-1) / box[:, None]
    known = weight.sum(1)
    right = (error * weight).sum(1) / known.clamp(min=1e-6) < RIGHT
    truth = face * (right | (known == 0)).to(face.dtype)
    return functional.binary_cross_entropy_with_logits(found.logit.float(), truth) * 0.5


class PlainSamples(Protocol):
    """Faces without augmentation, as ``validation_figures`` takes them."""

    def __len__(self) -> int: ...

    def plain(self, k: int) -> dict[str, Any]:
        """Face k: ``image`` (channels, S, S), ``points`` (68, 2) and ``box`` in units of the crop's side."""


@torch.no_grad()
def validation_figures(network: nn.Module, faces: PlainSamples) -> dict[str, float]:
    """NME in % of sqrt(w h) of the box, on un-augmented faces at their true crops."""
    errors = []
    for start in range(0, len(faces), 250):
        samples = [faces.plain(k) for k in range(start, min(start + 250, len(faces)))]
        image = torch.from_numpy(np.stack([s["image"] for s in samples]))
        points = network(image).points.numpy()
        truth = np.stack([s["points"] for s in samples])
        box = np.array([s["box"] for s in samples])
        errors.append(np.linalg.norm(points - truth, axis=-1) / box[:, None] * 100)
    error = np.concatenate(errors)
    return {"nme": float(error.mean()), "nme51": float(error[:, 17:].mean()), "median": float(np.median(error.mean(1)))}


def cross_entropy(distribution: Tensor, points: Tensor) -> Tensor:
    """Of the predicted distributions (N, 68, 2, bins) against narrow Gaussians about the true points (N, 68, 2): (N, 68)."""
    grid = torch.linspace(-LandmarkHead.REACH, LandmarkHead.REACH, distribution.shape[-1], device=points.device)
    target = torch.softmax(-0.5 * ((grid - points[..., None]) / LABEL_WIDTH) ** 2, dim=-1)
    return -(target * distribution.log_softmax(-1)).sum(-1).mean(-1)


def sampled(image: NDArray[np.uint16], crop: Affine, size: tuple[int, int]) -> Array:
    """A crop (size) of a stored image, fetched as the robot fetches its own."""
    return decode_array(image).sample(crop, size).astype(np.float32)


def jittered(crop: Affine, size: int, rng: np.random.Generator) -> Affine:
    """A crop of ``size`` pixels as they come from a detector, from last frame's points, or from where a face has left."""
    middle = (size - 1) / 2
    kind = rng.choice(["followed", "detected", "lost"], p=[0.57, 0.31, 0.12])
    angle, zoom, shift = {"followed": (5, 0.05, 0.025), "detected": (20, 0.12, 0.07), "lost": (40, 0.4, 0.22)}[kind]
    turn = rng.uniform(-180, 180) if kind == "lost" and rng.random() < 0.25 else rng.normal(0, angle)
    moved = middle + rng.normal(0, shift, 2) * size
    return crop @ Affine.similarity(
        float(np.exp(rng.normal(0, zoom))), np.deg2rad(turn), (middle, middle), (moved[0], moved[1])
    )


def in_crop(image: Array, points: NDArray[np.float64] | None) -> dict[str, Any]:
    """A sample of the landmark network: image (channels, S, S), points (68, 2) in crop pixels or None where there is no face."""
    size = image.shape[-1]
    face = points is not None
    if points is None:
        points = np.zeros((68, 2))
    unit = (points - (size - 1) / 2) / size
    box = np.sqrt(np.prod(np.ptp(unit, axis=0))) if face else 1.0
    return {"image": image, "points": unit.astype(np.float32), "box": np.float32(box), "face": np.float32(face)}


class NoFaces:
    """Crops of images that show no face: of anything with structure, of bodies below faces, of heads that are turned away.

    Parameters
    ----------
    frames : sequence of (H, W) arrays
    faces : list of (n, K, 2) arrays
        Of each image K points of each of its n faces.
    size : int
        Side of a crop, pixels.
    scale : float
        Its side over that of a face's box.
    backs : list of (n, K, 2) arrays, optional
        The same points of each image's heads that are turned away.
    """

    def __init__(
        self,
        frames: Sequence[NDArray[Any]],
        faces: list[NDArray[Any]],
        size: int,
        scale: float,
        backs: list[NDArray[Any]] | None = None,
    ):
        self.frames, self.faces, self.size, self.scale = frames, faces, size, scale
        self.backs = backs or [points[:0] for points in faces]

    @staticmethod
    def rendered(folder: Path, size: int, scale: float) -> NoFaces:
        """From rendered frames."""
        frames, labels = load_shards(folder)
        facing, of_frame = labels["facing"].astype(bool), labels["frame"]
        first = np.searchsorted(of_frame, np.arange(len(frames) + 1))
        rows = [np.arange(*first[k : k + 2]) for k in range(len(frames))]
        faces = [labels["points"][row[facing[row]]] for row in rows]
        backs = [labels["points"][row[~facing[row]]] for row in rows]
        return NoFaces(list(frames), faces, size, scale, backs)

    @staticmethod
    def scenes(folder: Path, size: int, scale: float) -> NoFaces:
        """From a folder of thermal images (PNG, JPEG, TIFF) without any face; raises ValueError where there is none."""
        files = sorted(file for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)
        read = [cv2.imread(str(file), cv2.IMREAD_ANYDEPTH | cv2.IMREAD_GRAYSCALE) for file in files]
        frames = [frame for frame in read if frame is not None]
        if not frames:
            raise ValueError(f"{folder}: no images, expected thermal images without faces")
        return NoFaces(frames, [np.zeros((0, 68, 2))] * len(frames), size, scale)

    def draw(self, rng: np.random.Generator) -> Array:
        """A crop (size, size) in the frame's unit: of some candidates the one with the most structure."""
        k = int(rng.integers(len(self.frames)))
        frame, faces, backs = self.frames[k], self.faces[k], self.backs[k]
        best, most = crop_from_box([0, 0, 1, 1], self.size, self.scale), -1.0
        for centre, side in self._candidates(np.array(frame.shape[::-1]), faces, backs, rng):
            # off the middle of every face by more than the tracker ever is
            reach = 0.5 * np.maximum(side, np.ptp(faces, axis=1).max(1, initial=0))
            if (np.abs(faces.mean(1) - centre).max(1) < reach).any():
                continue
            crop = crop_from_box([*(centre - side / 2), side, side], self.size, self.scale, rng.normal(0, 0.3))
            thumbnail = sampled(frame, crop @ Affine.scaling(8.0), (self.size // 8, self.size // 8))
            if thumbnail.std() > most:
                best, most = crop, float(thumbnail.std())
        return sampled(frame, best, (self.size, self.size))

    @staticmethod
    def _candidates(
        whole: NDArray[Any], faces: NDArray[Any], backs: NDArray[Any], rng: np.random.Generator
    ) -> list[tuple[NDArray[np.float64], float]]:
        """Centres (2,) and sides of crops in an image of ``whole`` (width, height) pixels."""
        if len(backs) and rng.random() < 0.6:
            points = backs[rng.integers(len(backs))].astype(np.float64)
            side = float(np.ptp(points, axis=0).max() * np.exp(rng.normal(0.1, 0.2)))
            return [((points.min(0) + points.max(0)) / 2 + rng.normal(0, 0.12, 2) * side, side)]
        if len(faces) and rng.random() < 0.4:  # neck, chest, arms, lap, and what is beside the head
            points = faces[rng.integers(len(faces))].astype(np.float64)
            face = float(np.ptp(points, axis=0).max())
            return [
                (points.mean(0) + rng.uniform((-1.2, -0.8), (1.2, 4)) * face, float(face * np.exp(rng.normal(0, 0.4))))
                for _ in range(3)
            ]
        sides = np.exp(rng.uniform(np.log(15), np.log(180), 6))
        return [(rng.uniform(0, 1, 2) * whole, float(side)) for side in sides]


def with_scenes(no_faces: NoFaces, config: dict[str, Any]) -> Callable[[np.random.Generator], Array]:
    """Draws crops without a face from ``no_faces`` and, where the configuration names a folder of ``scenes``, from there."""
    if "scenes" not in config:
        return no_faces.draw
    scenes = NoFaces.scenes(Path(config["scenes"]), no_faces.size, no_faces.scale)
    return lambda rng: (scenes if rng.random() < SCENES else no_faces).draw(rng)


class _LandmarkSamples(Dataset[dict[str, Any]]):
    def __init__(self, config: dict[str, Any], faces: Path, frames: Path | None):
        self.images, labels = load_shards(faces)
        nearest = np.flatnonzero(
            np.append(np.diff(labels["frame"]) > 0, True)
        )  # the last face of each image is in front
        self.points = labels["points"][nearest]
        self.size, self.scale = config["size"], config["crop_scale"]
        self.normalisation = Normalisation(**config["normalisation"])
        self.negatives = config["negatives"] if frames else 0.0
        self.without = config.get("without", ())
        if frames:
            self.no_faces = with_scenes(NoFaces.rendered(frames, self.size, self.scale), config)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, k: int) -> dict[str, Any]:
        rng = np.random.default_rng(int(torch.randint(2**62, ())))
        if rng.random() < self.negatives:
            return self._sample(appearance(self.no_faces(rng), rng, self.without), None)
        points = self.points[k].astype(np.float64)
        crop = jittered(crop_from_points(points, self.size, self.scale), self.size, rng)
        image = self.images[k]
        if rng.random() < 0.5:
            image, points = image[:, ::-1].copy(), np.array([image.shape[1] - 1, 0]) + points[MIRROR68] * [-1, 1]
            points[:, 1] = self.points[k][MIRROR68, 1]
            crop = jittered(crop_from_points(points, self.size, self.scale), self.size, rng)
        return self._sample(
            appearance(sampled(image, crop, (self.size, self.size)), rng, self.without), crop.inverse()(points)
        )

    def plain(self, k: int) -> dict[str, Any]:
        """Sample k without augmentation."""
        crop = crop_from_points(self.points[k], self.size, self.scale)
        return self._sample(sampled(self.images[k], crop, (self.size, self.size)), crop.inverse()(self.points[k]))

    def _sample(self, image: Array, points: NDArray[np.float64] | None) -> dict[str, Any]:
        return in_crop(normalise(image, self.normalisation)[None], points)


class DetectionTask:
    """Rendered frames -> heat map of face centres and boxes.

    Configuration: ``frames``, ``validation``, ``size`` (width, height of the
    windows that are learnt from), ``max_side`` (longer side of a frame at run time), ``normalisation``, ``network``, ``scenes``
    (a folder of thermal images without faces, of which windows are mixed in; optional).
    """

    def __init__(self, config: dict[str, Any]):
        self.config = config
        self.network = NETWORKS["detection"](config)
        scenes = NoFaces.scenes(Path(config["scenes"]), 1, 1.0).frames if "scenes" in config else ()
        self.training_set: Dataset[Any] = _DetectionSamples(config, Path(config["frames"]), scenes)
        self.validation_set = _DetectionSamples(config, Path(config["validation"]))

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
        threshold = self.config["threshold"]
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
    def __init__(self, config: dict[str, Any], frames: Path, scenes: Sequence[NDArray[Any]] = ()):
        self.images, labels = load_shards(frames)
        self.scenes = scenes
        facing = labels["facing"]
        self.frame = labels["frame"][facing]
        points = labels["points"][facing]
        self.boxes = np.concatenate([points.min(1), points.max(1)], 1)
        self.visible = labels["visible"][facing].mean(1)
        self.size = tuple(config["size"])
        self.normalisation = Normalisation(**config["normalisation"])

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


def pick_peaks(logit: Tensor, edges: Tensor, count: int = 64) -> tuple[Tensor, Tensor]:
    """The ``count`` best local maxima of one heat map (1, h, w): boxes (count, 4) input pixels and scores (count,)."""
    score = torch.sigmoid(logit)
    score = score * (functional.max_pool2d(score[:, None], 3, 1, 1)[:, 0] == score)
    best, index = score.flatten().topk(count)
    return decode_boxes(edges)[0].flatten(1)[:, index].T, best


def pairwise_iou(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """IoU (A, B) of boxes given as x0, y0, x1, y1."""
    if not len(a) or not len(b):
        return np.zeros((len(a), len(b)))
    return np.stack([iou(box, _extents(b)) for box in _extents(a)])


def _extents(corners: NDArray[Any]) -> NDArray[Any]:
    """Corners x0, y0, x1, y1 (N, 4) -> x, y, width, height."""
    return np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
