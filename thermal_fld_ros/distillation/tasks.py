# SPDX-License-Identifier: Apache-2.0
"""What can be trained, by the name that a configuration gives it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from torch import Tensor, nn
from torch.utils.data import Dataset

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


TASKS: dict[str, Callable[[dict[str, Any]], Task]] = {
    "detection": DetectionTask,
    "distillation": DistillationTask,
}
