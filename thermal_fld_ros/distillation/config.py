# SPDX-License-Identifier: Apache-2.0
"""Configurations of trainings, as their YAML files and checkpoints hold them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from thermal_fld_ros.distillation.fields import at_least, plain, read_dataclass, read_mapping
from thermal_fld_ros.perception.normalisation import Normalisation

CHANNELS = {"thermal": 1, "rgb": 3}
"""Of the images of each modality."""

NETWORK_PARTS = ("encoder", "head", "refinement")
"""Of a landmark network."""


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """What every training has.

    Attributes
    ----------
    task
        "detection" or "distillation".
    name, version
        Of the network.
    threshold
        The score of a face from which it counts, for the runtime.
    batch
        Samples a step, of all processes together.
    workers
        Processes that make samples; 0: the training's own.
    scenes
        A folder of thermal images without faces.
    """

    task: str
    name: str
    version: str
    threshold: float
    normalisation: Normalisation
    validation: str
    seed: int = at_least(0)
    epochs: int = at_least(1)
    batch: int = at_least(1)
    learning_rate: float = at_least(0)
    weight_decay: float = at_least(0)
    workers: int = at_least(0)
    scenes: str | None = None


# --- the detector ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class DetectorNetConfig:
    """The arguments of ``FaceDetectorNet``."""

    stem: int
    widths: tuple[int, ...]
    depths: tuple[int, ...]
    neck: int


@dataclass(frozen=True, kw_only=True)
class DetectorShape:
    """What determines the weights of a detector."""

    network: DetectorNetConfig


@dataclass(frozen=True, kw_only=True)
class DetectionConfig(TrainingConfig, DetectorShape):
    """Training of the face detector.

    Attributes
    ----------
    frames, validation
        Folders of rendered frames.
    size
        Width and height of the windows that are learnt from, pixels.
    max_side
        The longer side of a frame at run time, pixels.
    """

    frames: str
    size: tuple[int, int]
    max_side: int = at_least(1)


# --- the landmark network --------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class RefinementConfig:
    """The arguments of ``Refinement``."""

    eye: int = 32
    mouth: int = 48
    width: int = 16


@dataclass(frozen=True, kw_only=True)
class LandmarkNetConfig:
    """The arguments of ``LandmarkNet``; the backbone is either the package's own (stem, widths, depths) or one of the library timm."""

    neck: int
    bins: int
    hidden: int
    stem: int | None = None
    widths: tuple[int, ...] = ()
    depths: tuple[int, ...] = ()
    timm: str | None = None
    refinement: RefinementConfig | None = None

    def __post_init__(self) -> None:
        if self.timm is None and (self.stem is None or not self.widths or not self.depths):
            raise ValueError("expected stem, widths and depths, or timm")


@dataclass(frozen=True, kw_only=True)
class LandmarkShape:
    """What determines the weights of a landmark network.

    Attributes
    ----------
    size
        Side of the crop, pixels.
    modality
        "thermal" or "rgb": what the network sees.
    """

    size: int = at_least(16)
    network: LandmarkNetConfig
    modality: str = "thermal"

    def __post_init__(self) -> None:
        if self.modality not in CHANNELS:
            raise ValueError(f"modality is {self.modality!r}, expected one of {', '.join(CHANNELS)}")


@dataclass(frozen=True, kw_only=True)
class SampleConfig:
    """How samples of the landmark network are made.

    Attributes
    ----------
    size, crop_scale
        Side of the crop in pixels, and over the longer side of the face box.
    count
        Only the first so many pairs.
    labelled
        Only the first so many pairs keep their labels.
    repeat
        How often each pair comes in an epoch, with other random augmentation.
    registration
        How far the teacher's RGB crop is moved about at random; 1: a standard deviation of 1.5 degrees, 2 % in scale, 2 % of the crop.
    negatives
        Share of crops without a face, thermal only.
    scenes
        A folder of thermal images without faces, from which some of these crops come.
    without
        Ingredients of the thermal augmentation to leave out.
    """

    size: int = at_least(16)
    crop_scale: float = at_least(0.5)
    normalisation: Normalisation
    count: int | None = at_least(1, default=None)
    labelled: int | None = at_least(0, default=None)
    repeat: int = at_least(1, default=1)
    registration: float = at_least(0, default=0.0)
    negatives: float = at_least(0, default=0.0)
    scenes: str | None = None
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class LossWeights:
    """Of the parts of what a head is taught by labels; docs/distillation.md has the formula.

    Attributes
    ----------
    points, spread, distribution, openings
        Of the parts of ``landmark_loss``.
    score
        Of ``score_loss``.
    """

    points: float = at_least(0, default=10.0)
    spread: float = at_least(0, default=0.1)
    distribution: float = at_least(0, default=0.3)
    openings: float = at_least(0, default=8.0)
    score: float = at_least(0, default=0.5)


@dataclass(frozen=True)
class TermConfig:
    """A term of the loss: its weight, and the name of how the weight decays; None: the term's usual decay."""

    weight: float
    decay: str | None = None


@dataclass(frozen=True, kw_only=True)
class LandmarkConfig(TrainingConfig, LandmarkShape, SampleConfig):
    """Training of a landmark network, with or without a teacher.

    Attributes
    ----------
    pairs, validation
        Folders of pairs; renders of faces or frames are pairs without RGB. ``pairs`` may map folders to their shares of the batches;
        ``split`` is then that of the folders that have splits.
    split, validation_split
        Of these, where they have splits.
    unlabelled
        Those of the folders in ``pairs`` whose labels are kept back: the teacher's points stand for them.
    frames
        For crops without a face: rendered frames, or a folder of listed pairs.
    terms
        Of the loss, by name.
    teacher
        A checkpoint.
    start
        A checkpoint whose weights the network begins with, or a mapping of checkpoints to their shares in the mean of the weights.
    pretrained
        Begin with the weights that timm has for its backbone.
    learns
        The parts of the network that learn: "encoder", "head", "refinement". The others stay as they are.
    gate, adapted_from, about_data, index_sha256
        What the model card tells of a network that has been fitted or adapted.
    """

    pairs: str | dict[str, float]
    terms: dict[str, TermConfig]
    loss_weights: LossWeights = field(default_factory=LossWeights)
    split: str | None = None
    validation_split: str | None = None
    unlabelled: tuple[str, ...] = ()
    frames: str | None = None
    teacher: str | None = None
    start: str | dict[str, float] | None = None
    pretrained: bool = False
    learns: tuple[str, ...] = NETWORK_PARTS
    gate: dict[str, float] | None = None
    adapted_from: dict[str, str] | None = None
    about_data: str | None = None
    index_sha256: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.frames is not None and self.modality != "thermal":
            raise ValueError(f"frames are thermal images, but the network's modality is {self.modality}")
        if (self.frames is None) != (self.negatives == 0):
            raise ValueError(f"negatives is {self.negatives} and frames is {self.frames!r}, expected both or neither")
        if not self.learns or set(self.learns) - set(NETWORK_PARTS):
            raise ValueError(
                f"learns names {', '.join(self.learns) or 'nothing'}, expected some of {', '.join(NETWORK_PARTS)}"
            )
        if set(self.unlabelled) - set(self.pairs if isinstance(self.pairs, dict) else ()):
            raise ValueError(
                f"unlabelled names {', '.join(self.unlabelled)}, expected folders that pairs maps to shares"
            )
        if self.unlabelled and self.teacher is None:
            raise ValueError(f"unlabelled names {', '.join(self.unlabelled)}, but there is no teacher to label them")


CONFIGS: dict[str, type[TrainingConfig]] = {"detection": DetectionConfig, "distillation": LandmarkConfig}
"""The configuration of each task."""

SHAPES: dict[str, type[DetectorShape] | type[LandmarkShape]] = {
    "detection": DetectorShape,
    "distillation": LandmarkShape,
}
"""What of it determines the network's weights."""


def load_config(file: Path) -> TrainingConfig:
    """Read a training configuration; paths in it are relative to the working directory.

    Raises
    ------
    ValueError
        A key is unknown or missing, or a value is not what it must be.
    """
    return read_config(read_mapping(file), str(file))


def read_config(content: Mapping[str, Any], where: str) -> TrainingConfig:
    """The configuration that a mapping holds; ``where`` is its place for messages. Raises ValueError as `load_config`."""
    task = content.get("task")
    if not isinstance(task, str) or task not in CONFIGS:
        raise ValueError(f"{where}: task is {task!r}, expected one of {', '.join(CONFIGS)}")
    return read_dataclass(CONFIGS[task], content, where)


def plain_config(config: TrainingConfig) -> dict[str, Any]:
    """The mapping that `read_config` reads, without fields that have their usual value; what checkpoints hold."""
    usual = {
        each.name: each.default_factory() if each.default_factory is not MISSING else each.default
        for each in fields(config)
    }
    return {name: value for name, value in plain(config).items() if getattr(config, name) != usual[name]}


def is_config_of(content: Mapping[str, Any], config: TrainingConfig) -> bool:
    """Whether a checkpoint's mapping is that configuration."""
    try:
        return read_config(content, "") == config
    except ValueError:
        return False


def shape_of(content: Mapping[str, Any]) -> DetectorShape | LandmarkShape:
    """What determines the weights of a network, from a checkpoint's configuration, of which nothing else is looked at.

    Raises
    ------
    ValueError, LookupError
        It is missing or wrong.
    """
    kind = SHAPES[content["task"]]
    names = {each.name for each in fields(kind)}
    return read_dataclass(kind, {name: value for name, value in content.items() if name in names}, "configuration")


def recipes(config: Mapping[str, Any]) -> dict[str, Any]:
    """How the data sets of a configuration were made, by the configuration's key: recipes of renders, sources of photographs."""
    folders = {key: value for key, value in config.items() if isinstance(value, str)}
    mixed = config.get("pairs")
    folders |= {f"pairs: {Path(folder).name}": folder for folder in mixed} if isinstance(mixed, dict) else {}
    files = [(key, Path(folder) / name) for key, folder in folders.items() for name in ("recipe.json", "sources.json")]
    return {key: json.loads(file.read_text(encoding="utf-8")) for key, file in files if file.is_file()}
