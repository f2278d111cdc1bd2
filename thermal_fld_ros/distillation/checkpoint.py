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


WEIGHTS = ("averaged", "config", "figures", "git", "recipes")
"""What of a checkpoint outlives the training."""


def save_trained(state: dict[str, Any], file: Path, dtype: torch.dtype = torch.float32) -> None:
    """Write of a checkpoint what ``load_trained`` reads, without the optimiser and what else only the training needs.

    With half precision the file is half as large; training that starts from it goes on in single precision.
    """
    kept = {key: state[key] for key in WEIGHTS if key in state}
    if kept["config"]["task"] == "distillation":
        kept["averaged"] = {name: value for name, value in kept["averaged"].items() if name.startswith(STUDENT)}
    kept["averaged"] = {
        name: value.cpu().contiguous().to(dtype if value.is_floating_point() else value.dtype)
        for name, value in kept["averaged"].items()
    }
    partial = file.with_suffix(".tmp")
    torch.save(kept, partial)
    partial.replace(file)


def load_trained(file: Path) -> tuple[nn.Module, dict[str, Any]]:
    """The averaged network of a checkpoint, or of its weights alone, in evaluation mode, and the rest (config, figures, git, recipes).

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


def steps_of(file: Path) -> int:
    """How many steps the training of a checkpoint has made, as its optimiser counted them."""
    state: dict[str, Any] = torch.load(file, weights_only=True, map_location="cpu", mmap=True)
    return int(state["optimiser"]["state"][0]["step"])
