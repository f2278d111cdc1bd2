# SPDX-License-Identifier: Apache-2.0
"""Data-parallel training: which of the processes that ``torchrun`` started is this one, and which samples are its share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import distributed, nn
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from thermal_fld_ros.distillation.config import TrainingConfig


@dataclass(frozen=True)
class Process:
    """One of ``count`` processes that train one network; number 0 validates and writes."""

    rank: int
    count: int
    device: torch.device

    def parallel(self, network: nn.Module) -> nn.Module:
        """The network with gradients averaged over all processes; itself when there is one process."""
        return nn.parallel.DistributedDataParallel(network) if self.count > 1 else network

    def wait(self) -> None:
        """Until every process has come here."""
        if self.count > 1:
            distributed.barrier()


@contextmanager
def this_process() -> Iterator[Process]:
    """The place of this process among those that ``torchrun`` started, or alone. GPUs talk by nccl, CPUs by gloo.

    The outermost of nested calls joins the processes: they can do so only once.
    """
    cuda = torch.cuda.is_available()
    if not distributed.is_torchelastic_launched():
        yield Process(0, 1, torch.device("cuda" if cuda else "cpu"))
        return
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if cuda else torch.device("cpu")
    outermost = not distributed.is_initialized()
    if outermost:
        if cuda:
            torch.cuda.set_device(device)
        distributed.init_process_group("nccl" if cuda else "gloo")
    try:
        yield Process(distributed.get_rank(), distributed.get_world_size(), device)
    finally:
        if outermost:
            distributed.destroy_process_group()


class EpochLoader:
    """Batches of one process, epoch by epoch, shuffled.

    The configuration's ``batch`` is that of all processes together. Which samples a batch holds, and
    their random augmentation, follows from the seed and the epoch alone: neither an interruption nor the number of
    processes or of ``workers`` changes it.

    Raises
    ------
    ValueError
        When the batch cannot be shared equally among the processes, or the data do not fill one batch.
    """

    def __init__(self, samples: Dataset[Any], config: TrainingConfig, process: Process):
        if config.batch % process.count:
            raise ValueError(f"batch is {config.batch}, expected a multiple of the {process.count} processes")
        self._order = _Order(samples, process.count, process.rank, seed=config.seed, drop_last=True)
        self._loader = DataLoader(
            _Seeded(samples), config.batch // process.count, sampler=self._order, drop_last=True,
            num_workers=config.workers, persistent_workers=config.workers > 0,
        )  # fmt: skip
        if not len(self._loader):
            raise ValueError(f"{len(self._order)} samples a process do not fill a batch of {config.batch}")

    def __len__(self) -> int:
        """Batches an epoch."""
        return len(self._loader)

    def epoch(self, number: int) -> Iterator[dict[str, torch.Tensor]]:
        """The batches of one epoch."""
        self._order.set_epoch(number)
        return iter(self._loader)


class _Order(DistributedSampler[Any]):
    """Indices of this process's share, each with what seeds its random augmentation."""

    def __iter__(self) -> Iterator[Any]:
        return ((self.seed, self.epoch, index) for index in super().__iter__())


class _Seeded(Dataset[Any]):
    """Samples whose random numbers depend on the key alone, and not on the process that draws them."""

    def __init__(self, samples: Dataset[Any]):
        self.samples = samples

    def __getitem__(self, key: tuple[int, int, int]) -> Any:
        torch.default_generator.manual_seed(int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> 1))
        return self.samples[key[2]]
