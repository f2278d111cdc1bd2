# SPDX-License-Identifier: Apache-2.0
"""The training loop: one configuration, resumable, data parallel, with averaged weights."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from thermal_fld_ros.distillation.checkpoint import CheckpointError, read_state, save_trained, write_state
from thermal_fld_ros.distillation.config import TrainingConfig, is_config_of, plain_config, recipes
from thermal_fld_ros.distillation.logs import Log
from thermal_fld_ros.distillation.parallel import EpochLoader, Process, this_process
from thermal_fld_ros.distillation.tasks import Task, task_of
from thermal_fld_ros.provenance import git_state


def train(config: TrainingConfig, out: Path, threads: int = 0) -> dict[str, float]:
    """Train to the end, or go on from ``out/checkpoint.pt``; returns the last validation metrics.

    Writes ``checkpoint.pt``, ``log.csv``, ``curves.png`` and TensorBoard events after every epoch, and ``best.pt``, the averaged weights
    of the epoch with the least first validation metric. Under ``torchrun`` the
    processes share each batch, and the first one validates and writes; the others return nothing.

    Raises
    ------
    ValueError
        When ``out`` holds a checkpoint of another configuration, or the batch cannot be shared.
    FloatingPointError
        When the loss is no number any more.
    """
    if threads:
        torch.set_num_threads(threads)
    torch.manual_seed(config.seed)
    with this_process() as process:
        task = task_of(config)
        learner = _Learner(task.network, config, process)
        loader = EpochLoader(task.training_set, config, process)
        out.mkdir(parents=True, exist_ok=True)
        state = _resume(out / "checkpoint.pt", config, learner)
        log = Log(out, state["epoch"]) if process.rank == 0 else None
        for epoch in range(state["epoch"], config.epochs):
            row = _epoch(task, learner, loader, epoch, config, process)
            if log is None:
                continue
            metrics = task.validate(learner.averaged.to("cpu"))
            learner.averaged.to(process.device)
            log.add({"epoch": epoch + 1, **row, **{f"validation/{name}": value for name, value in metrics.items()}})
            print("  ".join(f"{k} {v:.4g}" for k, v in log.rows[-1].items()), flush=True)
            state |= {"epoch": epoch + 1, "metrics": metrics, **learner.state()}
            judged = f"validation/{next(iter(metrics))}"
            if all(log.rows[-1][judged] < row[judged] for row in log.rows[:-1]):
                save_trained(state, out / "best.pt")
            write_state(state, out / "checkpoint.pt")
        if log:
            log.close()
        process.wait()  # the checkpoint is there for everybody
    return dict(state["metrics"]) if process.rank == 0 else {}


class _Learner:
    """The network that is trained, its ``parallel`` form, the moving average of its weights, and the optimiser."""

    PARTS = ("network", "averaged", "optimiser")

    def __init__(self, network: nn.Module, config: TrainingConfig, process: Process):
        # channels last: a fifth less time in bfloat16 on a CPU
        self.network = network.to(process.device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        self.parallel = process.parallel(self.network)
        self.averaged = copy.deepcopy(self.network).eval()
        self.optimiser = torch.optim.AdamW(network.parameters(), config.learning_rate, weight_decay=config.weight_decay)

    def step(self, loss: Tensor, rate: float, keep: float) -> None:
        """Follow the gradient of the loss, then move the average."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        _average(self.averaged, self.network, keep)

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds of it."""
        return {part: getattr(self, part).state_dict() for part in self.PARTS}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        for part in self.PARTS:
            getattr(self, part).load_state_dict(state[part])


def _epoch(task: Task, learner: _Learner, loader: EpochLoader, epoch: int, config: TrainingConfig,
           process: Process) -> dict[str, float]:  # fmt: skip
    """Train for one epoch; means of this process's loss terms, the last learning rate, and the time."""
    sums: dict[str, Tensor] = {}
    started, rate, total = time.monotonic(), 0.0, config.epochs * len(loader)
    bar = tqdm(
        loader.epoch(epoch), desc=f"epoch {epoch + 1}", total=len(loader), mininterval=5, disable=process.rank > 0
    )
    for step, batch in enumerate(bar, epoch * len(loader)):
        batch = {name: value.to(process.device) for name, value in batch.items()}
        with torch.autocast(process.device.type, torch.bfloat16):
            terms = task.loss(learner.parallel, batch, step / total)
        rate = config.learning_rate * schedule(step, total)
        learner.step(torch.stack(list(terms.values())).sum(), rate, keep=min(0.999, step / (step + 20)))
        for name, value in terms.items():
            sums[name] = sums.get(name, torch.zeros((), device=process.device)) + value.detach()
    means = {f"loss/{name}": float(value) / len(loader) for name, value in sums.items()}
    if not all(math.isfinite(value) for value in means.values()):
        raise FloatingPointError(f"the loss is no number any more in epoch {epoch + 1}: {means}")
    return {**means, "training/rate": rate, "training/seconds": time.monotonic() - started}


def schedule(step: int, total: int) -> float:
    """Learning rate over its peak: a linear start of 200 steps, or a fifth of all, then half a cosine to a tenth.

    The average over the last steps stands for the rest of the way, and does not settle as deep in the renders.
    """
    return min(1.0, (step + 1) / max(1, min(200, total // 5))) * (0.55 + 0.45 * math.cos(math.pi * step / total))


@torch.no_grad()
def _average(averaged: nn.Module, network: nn.Module, keep: float) -> None:
    """Exponential moving average of the parameters and of the normalisation statistics."""
    for parameter, value in zip(averaged.parameters(), network.parameters(), strict=True):
        parameter.lerp_(value, 1 - keep)
    for buffer, statistic in zip(averaged.buffers(), network.buffers(), strict=True):
        if buffer.is_floating_point():
            buffer.lerp_(statistic, 1 - min(keep, 0.99))
        else:
            buffer.copy_(statistic)


def trainings_before(start: str | Mapping[str, float] | None) -> list[dict[str, Any]]:
    """Configuration, commit and recipes of the trainings whose weights one begins with, by its ``start``; the first one first."""
    found: list[dict[str, Any]] = []
    for file in [] if start is None else [start] if isinstance(start, str) else start:
        state = read_state(Path(file))
        own = {key: state.get(key) for key in ("config", "git", "recipes")}
        found += [one for one in [*state.get("before", []), own] if one not in found]
    return found


def _resume(file: Path, config: TrainingConfig, learner: _Learner) -> dict[str, Any]:
    """What a checkpoint holds: that in the file, or that of a training that begins."""
    if not file.exists():
        content = plain_config(config)
        before = trainings_before(content.get("start"))
        return {
            "epoch": 0,
            "metrics": {},
            "config": content,
            "git": git_state(),
            "recipes": recipes(content),
            "before": before,
        }
    state = read_state(file)
    if not is_config_of(state["config"], config):
        raise ValueError(f"{file} was written with another configuration: choose another output folder, or remove it")
    try:
        learner.load(state)
    except (LookupError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"{file}: no training can go on from it, choose another output folder: {error}"
        ) from error
    return state
