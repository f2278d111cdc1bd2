# SPDX-License-Identifier: Apache-2.0
"""Run by ``torchrun``: train, compare the processes' weights after every step, and perhaps stop after some steps.

Arguments: a configuration as JSON, the output folder, the number of steps (0: to the end).
"""

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
from torch import distributed
from torch.optim.optimizer import register_optimizer_step_post_hook

from thermal_fld_ros.distillation.config import read_config
from thermal_fld_ros.distillation.trainer import train

config, out, last = read_config(json.loads(Path(sys.argv[1]).read_text()), "test"), Path(sys.argv[2]), int(sys.argv[3])
steps: list[torch.optim.Optimizer] = []


def compare(optimiser: torch.optim.Optimizer, *_: Any) -> None:
    mine = torch.cat([p.detach().flatten() for group in optimiser.param_groups for p in group["params"]])
    everyones = [torch.empty_like(mine) for _ in range(distributed.get_world_size())]
    distributed.all_gather(everyones, mine)
    assert all(torch.equal(weights, mine) for weights in everyones)
    steps.append(optimiser)
    if len(steps) == last:
        raise KeyboardInterrupt


register_optimizer_step_post_hook(compare)
with contextlib.suppress(KeyboardInterrupt):
    train(config, out)
sys.stdout.write(f"compared {len(steps)} steps\n")  # in one piece: both processes write here
sys.stdout.flush()
os.execlp(
    "true", "true"
)  # threads of a training that was stopped in the middle would abort the interpreter's usual end
