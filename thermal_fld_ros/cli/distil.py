# SPDX-License-Identifier: Apache-2.0
"""Train a light thermal network by distillation from an RGB teacher, all levels from one plan; run again to go on.

  python -m thermal_fld_ros distil config/distillation/face_landmarks.yaml

Every stage that the plan names is trained, exported and measured on the plan's test sets; what is finished is not done again. The
product, an ONNX file with its model card, comes last. In several processes: `torchrun --nproc-per-node 2 -m thermal_fld_ros distil ...`.
docs/distillation.md describes plans.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m thermal_fld_ros distil``."""
    parser.add_argument("plan", type=Path, help="for instance config/distillation/face_landmarks.yaml")
    parser.add_argument("--out", type=Path, help="folder of all stages; default: the plan's")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads of torch a process; 0: torch's choice")


def run(args: argparse.Namespace) -> int:
    """Carry out a plan."""
    from thermal_fld_ros.distillation.plan import read_plan, run_plan

    try:
        plan = read_plan(args.plan, args.out)
        if plan.seeds:
            raise ValueError(f"{args.plan} names seeds: it is a plan for ablate")
        run_plan(plan, f"python -m thermal_fld_ros distil {args.plan}", args.threads)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0
