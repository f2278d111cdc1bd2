# SPDX-License-Identifier: Apache-2.0
"""Compare ways of distillation: train every stage of a plan with every seed, and report means and deviations; run again to continue.

  thermal-fld ablate config/distillation/ablation.yaml --data "pairs=plain:labels.json"

Writes docs/results/<name of the plan>.json and two plots, and the table into docs/distillation_tables.md.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from thermal_fld_ros.cli._plans import add_plan_arguments, command_of, plan_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m thermal_fld_ros ablate``."""
    add_plan_arguments(parser, "ablation")
    parser.add_argument(
        "--processes", type=int, default=2, help="number of trainings that run in parallel, one thread each"
    )
    parser.add_argument(
        "--page",
        type=Path,
        default=Path("docs/distillation_tables.md"),
        help="Markdown page that the table is written into",
    )
    parser.add_argument("--estimate", action="store_true", help="only print an estimate of the time")


def run(args: argparse.Namespace) -> int:
    """Carry out a plan with all its seeds."""
    from thermal_fld_ros.distillation.ablation import run_ablation, write_report
    from thermal_fld_ros.distillation.estimate import estimate

    try:
        plan = plan_of(args, "ablate")
        cost = estimate(plan)
        print(f"{len(cost)} of {len(plan.trainings)} trainings are left: about {sum(cost.values()) / 60:.0f} min of processor time, "
              f"{sum(cost.values()) / 60 / args.processes:.0f} min on {args.processes} cores", flush=True)  # fmt: skip
        if args.estimate:
            for name, seconds in cost.items():
                print(f"  {name}: {seconds:.0f} s")
            return 0
        write_report(run_ablation(plan, command_of(args, "ablate"), args.processes), args.page)
    except (ValueError, ArithmeticError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0
