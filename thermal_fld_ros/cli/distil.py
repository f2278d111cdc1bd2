# SPDX-License-Identifier: Apache-2.0
"""Train a light thermal network by distillation from an RGB teacher, all levels from one plan; run again to go on.

  thermal-fld distil config/distillation/face_landmarks.yaml

Every stage that the plan names is trained, exported and measured on the plan's test sets; what is finished is not done again. The
product, an ONNX file with its model card, comes last. In several processes: `torchrun --nproc-per-node 2 -m thermal_fld_ros distil ...`.
docs/distillation.md describes plans.
"""

from __future__ import annotations

import argparse
import sys

from thermal_fld_ros.cli._plans import add_plan_arguments, command_of, plan_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m thermal_fld_ros distil``."""
    add_plan_arguments(parser, "face_landmarks")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads of torch a process; 0: torch's choice")


def run(args: argparse.Namespace) -> int:
    """Carry out a plan."""
    from thermal_fld_ros.distillation.plan import run_plan

    try:
        run_plan(plan_of(args, "distil"), command_of(args, "distil"), args.threads)
    except (ValueError, ArithmeticError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0
