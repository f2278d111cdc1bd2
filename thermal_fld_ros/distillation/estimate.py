# SPDX-License-Identifier: Apache-2.0
"""How long the trainings of a plan would take."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import torch

from thermal_fld_ros.distillation.distil import DistillationTask
from thermal_fld_ros.distillation.networks import landmark_net
from thermal_fld_ros.distillation.plan import Plan, Training


def estimate(plan: Plan, steps: int = 3) -> dict[str, float]:
    """Seconds of one process with one thread for each training that is not finished, by "<stage>/<seed>".

    Times some steps and one validation of each stage. Needs no checkpoint: untrained networks take as long.
    """
    torch.set_num_threads(1)
    todo = [training for training in plan.trainings if not training.finished()]
    by_file = {str(training.checkpoint): training for training in plan.trainings}
    seconds: dict[str, float] = {}
    for training in todo:
        if training.stage not in seconds:
            teacher = by_file.get(str(training.config.teacher))  # None: there is none, or it is a checkpoint
            seconds[training.stage] = _seconds(training, teacher, steps)
    return {f"{training.stage}/{training.seed}": seconds[training.stage] for training in todo}


def _seconds(training: Training, teacher: Training | None, steps: int) -> float:
    given = (landmark_net(teacher.config), teacher.config.modality) if teacher else None
    config = training.config
    task = DistillationTask(replace(config, start=None), given)
    optimiser = torch.optim.AdamW(task.network.parameters(), 1e-6)
    count, batch = len(task.training_set), config.batch  # type: ignore[arg-type]
    times = []
    for step in range(steps):
        started = time.process_time()
        samples = [task.training_set[(step * batch + k) % count] for k in range(batch)]
        with torch.autocast("cpu", torch.bfloat16):
            loss = task.loss(task.network, torch.utils.data.default_collate(samples))
        optimiser.zero_grad()
        torch.stack(list(loss.values())).sum().backward()
        optimiser.step()
        times.append(time.process_time() - started)
    started = time.process_time()
    task.validate(task.network.eval())
    validation = time.process_time() - started
    return float(config.epochs * (np.median(times) * (count // batch) + validation))
