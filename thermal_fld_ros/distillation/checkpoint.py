# SPDX-License-Identifier: Apache-2.0
"""What a training leaves behind."""

from __future__ import annotations

import io
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import nn

from thermal_fld_ros.distillation.networks import network_of
from thermal_fld_ros.files import read_bytes, write_bytes

STUDENT = "student."
"""Where the network lies in what a distillation trains; the rest of it is of use in the training only."""


WEIGHTS = ("averaged", "config", "metrics", "git", "recipes", "before")
"""What of a checkpoint outlives the training."""


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message names the file and says why."""


def write_state(state: dict[str, Any], file: Path) -> None:
    """Write a checkpoint; the file is at any time the old one or the new one. Raises OSError that names it."""
    content = io.BytesIO()
    torch.save(state, content)
    write_bytes(file, content.getbuffer())


def read_state(file: Path) -> dict[str, Any]:
    """What a checkpoint holds, on the CPU; no code in it is ever run.

    Raises
    ------
    CheckpointError
        The file is cut or damaged, or holds anything else than tensors, numbers and texts by name.
    OSError
        It cannot be read.
    """
    content = io.BytesIO(read_bytes(file))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with zipfile.ZipFile(content) as archive:
                if archive.testzip():  # torch does not look at the checksums
                    raise zipfile.BadZipFile
            content.seek(0)
            state = torch.load(content, weights_only=True, map_location="cpu")
    except Exception as error:  # torch raises many kinds, and some of its texts advise to let the code run
        reason = "it is cut or damaged, or holds more than weights, which is refused"
        raise CheckpointError(f"{file}: no checkpoint that can be read: {reason}") from error
    if not isinstance(state, dict) or not isinstance(state.get("config"), dict):
        raise CheckpointError(f"{file}: no checkpoint of this package, it has no configuration")
    if "figures" in state:  # their name until version 0.4
        state["metrics"] = state.pop("figures")
    return state


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
    write_state(kept, file)


def load_trained(file: Path) -> tuple[nn.Module, dict[str, Any]]:
    """The averaged network of a checkpoint, or of its weights alone, in evaluation mode, and the rest (config, metrics, git, recipes).

    Raises
    ------
    CheckpointError
        When it is none, its weights are not those of its configuration, or some are no finite numbers.
    OSError
        When the file cannot be read.
    """
    state = read_state(file)
    try:
        network = network_of(state["config"])
        weights = state["averaged"]
        if state["config"]["task"] == "distillation":
            weights = {name.removeprefix(STUDENT): value for name, value in weights.items() if name.startswith(STUDENT)}
        network.load_state_dict(weights)
    except (LookupError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise CheckpointError(f"{file}: its configuration and its weights make no network: {reason}") from error
    broken = [name for name, value in network.state_dict().items() if not torch.isfinite(value).all()]
    if broken:
        raise CheckpointError(f"{file}: {len(broken)} of its weights are NaN or infinite, the first is {broken[0]}")
    return network.eval(), state


def steps_of(file: Path) -> int:
    """How many steps the training of a checkpoint has made, as its optimiser counted them."""
    return int(read_state(file)["optimiser"]["state"][0]["step"])
