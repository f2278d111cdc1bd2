# SPDX-License-Identifier: Apache-2.0
"""What can be trained, by its configuration."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor, nn
from torch.utils.data import Dataset

from thermal_fld_ros.distillation.config import DetectionConfig, LandmarkConfig, TrainingConfig
from thermal_fld_ros.distillation.detection import DetectionTask
from thermal_fld_ros.distillation.distil import DistillationTask


class Task(Protocol):
    """What the trainer needs to know of a task."""

    network: nn.Module
    training_set: Dataset[Any]

    def loss(self, network: nn.Module, batch: dict[str, Tensor], progress: float) -> dict[str, Tensor]:
        """Named loss terms, when a share of the training (0 to 1) is done; the trainer minimises their sum."""

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Named metrics; the first is the one to minimise."""


def task_of(config: TrainingConfig) -> Task:
    """The task of a configuration."""
    if isinstance(config, DetectionConfig):
        return DetectionTask(config)
    if isinstance(config, LandmarkConfig):
        return DistillationTask(config)
    raise TypeError(f"no task for a {type(config).__name__}")
