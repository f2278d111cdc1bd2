# SPDX-License-Identifier: Apache-2.0
"""The training loop: one configuration, resumable, with averaged weights."""

from __future__ import annotations

import copy
import csv
import math
import subprocess
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from thermal_fld_ros.distillation.tasks import NETWORKS, TASKS, Task


def load_config(file: Path) -> dict[str, Any]:
    """Read a training configuration; paths in it are relative to the working directory.

    Raises
    ------
    ValueError
        When a key that every training needs is missing.
    """
    config = yaml.safe_load(file.read_text())
    missing = {"task", "seed", "epochs", "batch", "learning_rate", "weight_decay", "workers"} - set(config)
    if missing:
        raise ValueError(f"{file} lacks {', '.join(sorted(missing))}")
    if config["task"] not in TASKS:
        raise ValueError(f"{file}: task is {config['task']!r}, expected one of {', '.join(TASKS)}")
    return dict(config)


def train(config: dict[str, Any], out: Path, threads: int = 0) -> dict[str, float]:
    """Train to the end, or go on from ``out/checkpoint.pt``; returns the last validation figures.

    Writes ``checkpoint.pt`` and a row of ``log.csv`` after every epoch.
    """
    if threads:
        torch.set_num_threads(threads)
    torch.manual_seed(config["seed"])
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    task = TASKS[config["task"]](config)
    network = task.network.to(device)
    averaged = copy.deepcopy(network).eval()
    optimiser = torch.optim.AdamW(network.parameters(), config["learning_rate"], weight_decay=config["weight_decay"])
    loader = DataLoader(task.training_set, config["batch"], shuffle=True, drop_last=True, num_workers=config["workers"],
                        persistent_workers=config["workers"] > 0)  # fmt: skip
    total = config["epochs"] * len(loader)
    out.mkdir(parents=True, exist_ok=True)
    state = _resume(out / "checkpoint.pt", config, network, averaged, optimiser)
    figures: dict[str, float] = state["figures"]
    origin = state.get("git") or git_state()  # of the code that began the training
    for epoch in range(state["epoch"], config["epochs"]):
        torch.manual_seed(config["seed"] + epoch)  # an interrupted training sees the samples that it would have seen
        terms = _epoch(task, network, averaged, optimiser, loader, epoch, total, config["learning_rate"], device)
        figures = task.validate(averaged.to("cpu"))
        averaged.to(device)
        row = {"epoch": epoch + 1, **terms, **figures}
        _log(out / "log.csv", row)
        print("  ".join(f"{k} {v:.4g}" for k, v in row.items()), flush=True)
        checkpoint = {"epoch": epoch + 1, "network": network.state_dict(), "averaged": averaged.state_dict(),
                      "optimiser": optimiser.state_dict(), "config": config, "figures": figures, "git": origin}  # fmt: skip
        torch.save(checkpoint, out / "checkpoint.tmp")
        (out / "checkpoint.tmp").replace(out / "checkpoint.pt")  # a kill while writing loses nothing
    return figures


def _epoch(task: Task, network: nn.Module, averaged: nn.Module, optimiser: torch.optim.Optimizer, loader: DataLoader[Any],
           epoch: int, total: int, rate: float, device: torch.device) -> dict[str, float]:  # fmt: skip
    network.train()
    sums: dict[str, float] = {}
    for k, batch in enumerate(tqdm(loader, desc=f"epoch {epoch + 1}", mininterval=5)):
        step = epoch * len(loader) + k
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / 200) * 0.5 * (1 + math.cos(math.pi * step / total))
        batch = {name: value.to(device) for name, value in batch.items()}
        with torch.autocast(device.type, torch.bfloat16):
            terms = task.loss(network, batch)
        loss = sum(terms.values(), torch.zeros((), device=device))
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        _average(averaged, network, min(0.999, step / (step + 20)))
        for name, value in terms.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach()) / len(loader)
    return sums


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


def _resume(file: Path, config: dict[str, Any], network: nn.Module, averaged: nn.Module,
            optimiser: torch.optim.Optimizer) -> dict[str, Any]:  # fmt: skip
    if not file.exists():
        return {"epoch": 0, "figures": {}}
    state: dict[str, Any] = torch.load(file, weights_only=True)
    if state["config"] != config:
        raise ValueError(f"{file} was written with another configuration: choose another output folder, or remove it")
    network.load_state_dict(state["network"])
    averaged.load_state_dict(state["averaged"])
    optimiser.load_state_dict(state["optimiser"])
    return state


def load_trained(file: Path) -> tuple[nn.Module, dict[str, Any]]:
    """The averaged network of a checkpoint, in evaluation mode, and the checkpoint itself (config, figures, git).

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    """
    state: dict[str, Any] = torch.load(file, weights_only=True, map_location="cpu")
    network = NETWORKS[state["config"]["task"]](state["config"])
    network.load_state_dict(state["averaged"])
    return network.eval(), state


def _log(file: Path, row: dict[str, float]) -> None:
    new = not file.exists()
    with file.open("a", newline="") as stream:
        writer = csv.DictWriter(stream, list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)


def git_state() -> str:
    """The commit of the working directory, with ``-dirty`` where files differ; "unknown" outside a repository."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.stdout.strip() or "unknown"

