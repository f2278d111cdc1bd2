# SPDX-License-Identifier: Apache-2.0
"""Crops of pairs for training: both halves through one map, each with the appearance of its own kind of camera."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from thermal_fld_ros.datasets.colour import sampled_colour
from thermal_fld_ros.datasets.pairs import INDEX, Pair, read_index, read_pairs
from thermal_fld_ros.distillation.augmentation import appearance, colour_appearance
from thermal_fld_ros.distillation.config import SampleConfig
from thermal_fld_ros.distillation.crops import Array, NoFaces, jittered, sampled, with_scenes
from thermal_fld_ros.perception.cropping import crop_from_box, crop_from_points
from thermal_fld_ros.perception.geometry import Affine, box_around
from thermal_fld_ros.perception.normalisation import normalise
from thermal_fld_ros.synthesis.morphable import MIRROR68

JAW_AND_BROWS = slice(0, 27)
"""The points of jaw and brows, which make a face's box."""


class PairSamples(Dataset[dict[str, Any]]):
    """Augmented crops of the faces in a folder of pairs.

    A sample is a dictionary of float32 arrays:

    ================= ================ =====================================================================
    ``image``         (channels, S, S) of the trained network's modality
    ``teacher_image`` (channels, S, S) of the teacher's, where that is another; zeros where it is missing
    ``has_teacher``   ()               1 where the teacher has an image
    ``points``        (68, 2)          in units of the crop's side, origin in its middle
    ``label_weight``  (68,)            what the label of a point is worth, 0 to 1; 0 where it is not labelled
    ``face``          ()               1 where there is a face
    ================= ================ =====================================================================

    Parameters
    ----------
    config : SampleConfig
    folder : Path
        Of the pairs.
    modality : str
        "thermal" or "rgb", of the trained network; pairs without such an image are left out, and counted in ``left_out``.
    teacher_modality : str or None
        The teacher's modality, where that is another.
    frames : Path, optional
        For crops without a face: rendered frames, or a folder of listed pairs, whose images are cropped beside the faces.
    split : str, optional
        Of the pairs, see ``read_pairs``.
    """

    def __init__(
        self,
        config: SampleConfig,
        folder: Path,
        modality: str,
        teacher_modality: str | None = None,
        frames: Path | None = None,
        split: str | None = None,
    ):
        pairs = read_pairs(folder, split)[: config.count]
        labelled = len(pairs) if config.labelled is None else config.labelled
        pairs = pairs[:labelled] + [replace(pair, face=replace(pair.face, points=None)) for pair in pairs[labelled:]]
        self.pairs = [pair for pair in pairs if getattr(pair, modality) is not None]
        self.left_out = len(pairs) - len(self.pairs)
        if not self.pairs:
            raise ValueError(f"{folder}: none of {len(pairs)} pairs has a {modality} image")
        self.modality, self.teacher_modality = modality, teacher_modality
        self.config, self.size = config, config.size
        self.negatives = config.negatives if frames else 0.0
        if frames:
            of_pairs = (frames / INDEX).is_file()
            no_faces = (
                beside_faces(frames, split, config.size, config.crop_scale)
                if of_pairs
                else NoFaces.rendered(frames, config.size, config.crop_scale)
            )
            self.no_faces = with_scenes(no_faces, Path(config.scenes) if config.scenes else None)

    def __len__(self) -> int:
        return len(self.pairs) * self.config.repeat

    def __getitem__(self, k: int) -> dict[str, Any]:
        rng = np.random.default_rng(int(torch.randint(2**62, ())))
        if rng.random() < self.negatives:
            return self._negative(rng)
        pair = self.pairs[k % len(self.pairs)]
        mirrored = rng.random() < 0.5
        width = pair.pixels("rgb" if pair.thermal is None else "thermal").shape[1]
        crop = self._crop(pair, width if mirrored else None, lambda crop: jittered(crop, self.size, rng))
        sample = {
            "image": self._image(pair, self.modality, crop, rng),
            "has_teacher": np.float32(1),
            "face": np.float32(1),
            **self._labels(pair, crop, mirrored),
        }
        if self.teacher_modality is not None:
            missing = getattr(pair, self.teacher_modality) is None
            seen = crop @ self._shaken(rng)
            blank = np.zeros((3 if self.teacher_modality == "rgb" else 1, self.size, self.size), np.float32)
            sample["teacher_image"] = blank if missing else self._image(pair, self.teacher_modality, seen, rng)
            sample["has_teacher"] = np.float32(not missing)
        return sample

    def plain(self, pair: Pair) -> dict[str, Array]:
        """A face without augmentation, whose labelled points outline it.

        Returns
        -------
        dict of ``image`` (channels, S, S), ``points`` (68, 2) in units of the crop's side, NaN where one is not labelled, and ``box``
        (): sqrt(w h) in the same.
        """
        crop = self._crop(pair, None, lambda crop: crop)
        assert pair.face.points is not None
        points = ((crop.inverse()(pair.face.points) - (self.size - 1) / 2) / self.size).astype(np.float32)
        box = np.sqrt(np.prod(np.nanmax(points, axis=0) - np.nanmin(points, axis=0)))
        return {"image": self._image(pair, self.modality, crop, None), "points": points, "box": box}

    def _negative(self, rng: np.random.Generator) -> dict[str, Any]:
        image = normalise(appearance(self.no_faces(rng), rng, self.config.without), self.config.normalisation)[None]
        sample = {"image": image, "has_teacher": np.float32(self.teacher_modality is None), "face": np.float32(0),
                  "points": np.zeros((68, 2), np.float32), "label_weight": np.zeros(68, np.float32)}  # fmt: skip
        return sample | (
            {} if self.teacher_modality is None else {"teacher_image": np.zeros((3, self.size, self.size), np.float32)}
        )

    def _crop(self, pair: Pair, mirror: int | None, jitter: Callable[[Affine], Affine]) -> Affine:
        """From the crop's pixels to the image's; in an image of width ``mirror`` left and right are changed."""
        flip = Affine.identity() if mirror is None else Affine(np.array([[-1.0, 0, mirror - 1], [0, 1, 0]]))
        points = pair.face.points
        if points is not None and np.isfinite(points).all():
            seen = flip(points) if mirror is None else flip(points)[MIRROR68]
            return flip @ jitter(crop_from_points(seen, self.size, self.config.crop_scale))
        corners = np.array([pair.face.box[:2], pair.face.box[:2] + pair.face.box[2:]])
        return flip @ jitter(crop_from_box(box_around(flip(corners)), self.size, self.config.crop_scale))

    def _image(self, pair: Pair, modality: str, crop: Affine, rng: np.random.Generator | None) -> Array:
        """The network's input of a modality, with the appearance of some camera unless ``rng`` is None."""
        pixels = pair.pixels(modality)
        if modality == "thermal":
            grey = sampled(pixels, crop, (self.size, self.size))
            return normalise(
                grey if rng is None else appearance(grey, rng, self.config.without), self.config.normalisation
            )[None]
        to_rgb = Affine.identity() if pair.thermal is None else pair.to_rgb
        colour = sampled_colour(pixels, to_rgb @ crop, (self.size, self.size)).astype(np.float32) / np.float32(255)
        return np.moveaxis(colour if rng is None else colour_appearance(colour, rng), -1, 0)

    def _shaken(self, rng: np.random.Generator) -> Affine:
        """A small map of the crop onto itself: the two cameras are never registered perfectly."""
        amount, middle = self.config.registration, (self.size - 1) / 2
        angle, zoom = rng.normal(0, np.deg2rad(1.5)) * amount, np.exp(rng.normal(0, 0.02) * amount)
        shift = rng.normal(0, 0.02, 2) * amount * self.size
        return Affine.similarity(zoom, angle, (middle, middle), (middle + shift[0], middle + shift[1]))

    def _labels(self, pair: Pair, crop: Affine, mirrored: bool) -> dict[str, Array]:
        points = np.full((68, 2), np.nan) if pair.face.points is None else pair.face.points
        worth = np.ones(68) if pair.confidence is None else pair.confidence
        if mirrored:
            points, worth = points[MIRROR68], worth[MIRROR68]
        unit = (crop.inverse()(points) - (self.size - 1) / 2) / self.size
        labelled = np.isfinite(unit[:, 0] + unit[:, 1])
        weight = np.where(labelled, worth, 0)
        return {
            "points": np.where(labelled[:, None], unit, 0).astype(np.float32),
            "label_weight": weight.astype(np.float32),
        }


class MixedSamples(Dataset[dict[str, Any]]):
    """Samples of several folders of pairs, each drawn as often as its share says: renders and photographs, say.

    An epoch has as many samples as the folders together. Each sample is drawn by chance, the folder by the shares first.

    Parameters
    ----------
    parts : sequence of PairSamples
    shares : sequence of float
        Positive, in any unit: 1 and 1 are half and half.

    Raises
    ------
    ValueError
        When a share is not positive.
    """

    def __init__(self, parts: Sequence[PairSamples], shares: Sequence[float]):
        self.parts = list(parts)
        self.shares = torch.tensor([float(share) for share in shares])
        if not (len(self.parts) == len(self.shares) > 0 and bool((self.shares > 0).all())):
            raise ValueError(
                f"shares are {list(shares)}, expected a positive number for each of {len(self.parts)} folders"
            )
        self.left_out = sum(part.left_out for part in parts)

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def __getitem__(self, k: int) -> dict[str, Any]:
        part = self.parts[int(torch.multinomial(self.shares, 1))]
        return part[int(torch.randint(len(part), ()))]


def open_samples(
    pairs: str | Mapping[str, float],
    config: SampleConfig,
    modality: str,
    view: str | None = None,
    frames: Path | None = None,
    split: str | None = None,
    unlabelled: Collection[str] = (),
) -> PairSamples | MixedSamples:
    """The samples of one folder of ``pairs``, or of a mapping of folders to their shares of the batches.

    In a mapping, ``split`` is that of the folders with a list of pairs; renders have no splits. Pairs of the folders in ``unlabelled``
    lose their labels. The other parameters are those of
    ``PairSamples``; raises DataSetError and ValueError as it does.
    """
    if isinstance(pairs, str):
        return PairSamples(config, Path(pairs), modality, view, frames, split)

    def part(folder: str) -> PairSamples:
        listed = (Path(folder) / INDEX).is_file()
        own = replace(config, labelled=0) if folder in unlabelled else config
        return PairSamples(own, Path(folder), modality, view, frames, split if listed else None)

    return MixedSamples([part(folder) for folder in pairs], list(pairs.values()))


class _ThermalImages(Sequence[NDArray[Any]]):
    """The thermal images of pairs, read when they are wanted."""

    def __init__(self, pairs: Sequence[Pair]):
        self.pairs = pairs

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, k: Any) -> Any:
        return self.pairs[k].pixels("thermal")


def beside_faces(folder: Path, split: str | None, size: int, scale: float) -> NoFaces:
    """What lies beside the faces in the thermal images of listed pairs. A face that a review has struck is still a face."""
    pairs = {pair.thermal: pair for pair in read_pairs(folder, split) if isinstance(pair.thermal, Path)}
    faces: dict[Path, list[Array]] = {file: [] for file in pairs if isinstance(file, Path)}
    for _, entry in read_index(folder):
        file = folder / entry.get("thermal", "")
        if file in faces:
            x, y, width, height = entry.get("box") or box_around([p for p in entry["points"] if p is not None])
            faces[file].append(np.array([(x, y), (x + width, y + height)], np.float32))
    return NoFaces(_ThermalImages(list(pairs.values())), [np.stack(boxes) for boxes in faces.values()], size, scale)


class PlainPairs:
    """The faces of a folder of pairs whose labels outline them, at their true crops, without augmentation: for validation."""

    def __init__(self, config: SampleConfig, folder: Path, modality: str, split: str | None = None):
        everything = SampleConfig(size=config.size, crop_scale=config.crop_scale, normalisation=config.normalisation)
        self.samples = PairSamples(everything, folder, modality, split=split)
        self.pairs = [
            pair
            for pair in self.samples.pairs
            if pair.face.points is not None and np.isfinite(pair.face.points[JAW_AND_BROWS]).all()
        ]
        if not self.pairs:
            raise ValueError(
                f"{folder}: no face has labels of its whole jaw and brows, points 0 to {JAW_AND_BROWS.stop - 1}"
            )

    def __len__(self) -> int:
        return len(self.pairs)

    def plain(self, k: int) -> dict[str, Array]:
        """Face k, see `PairSamples.plain`."""
        return self.samples.plain(self.pairs[k])
