# SPDX-License-Identifier: Apache-2.0
"""What a training leaves behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from thermal_fld_ros.distillation.tasks import NETWORKS

STUDENT = "student."
"""Where the network lies in what a distillation trains; the rest of it is of use in the training only."""


def load_trained(file: Path) -> tuple[nn.Module, dict[str, Any]]:
    """The averaged network of a checkpoint, in evaluation mode, and the checkpoint itself (config, figures, git, recipes).

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    """
    state: dict[str, Any] = torch.load(file, weights_only=True, map_location="cpu")
    network = NETWORKS[state["config"]["task"]](state["config"])
    weights = state["averaged"]
    if state["config"]["task"] == "distillation":
        weights = {name.removeprefix(STUDENT): value for name, value in weights.items() if name.startswith(STUDENT)}
    network.load_state_dict(weights)
    return network.eval(), state
