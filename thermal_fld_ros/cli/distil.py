# SPDX-License-Identifier: Apache-2.0
"""Train a light thermal network by distillation from an RGB teacher, all levels from one plan; run again to continue.

  thermal-fld distil config/distillation/face_landmarks.yaml

Every stage of the plan is trained, exported and measured on the plan's test sets; finished stages are not repeated. The last product is an
ONNX file with its model card. In several processes: `torchrun --nproc-per-node 2 -m thermal_fld_ros distil ...`.
docs/distillation.md describes plans.
"""

from __future__ import annotations

import argparse
import sys

from thermal_fld_ros.cli._plans import add_plan_arguments, command_of, plan_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m thermal_fld_ros distil``."""
    add_plan_arguments(parser, "face_landmarks")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads of torch per process; 0: torch's default")


def run(args: argparse.Namespace) -> int:
    """Carry out a plan."""
    from thermal_fld_ros.distillation.plan import run_plan

    try:
        run_plan(plan_of(args, "distil"), command_of(args, "distil"), args.threads)
    except (ValueError, ArithmeticError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0
