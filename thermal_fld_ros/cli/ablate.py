# SPDX-License-Identifier: Apache-2.0
"""Compare ways of distillation: every stage of a plan with every seed, means and deviations; run again to go on.

  python -m thermal_fld_ros ablate config/distillation/ablation.yaml --data "pairs=plain:labels.json"

Writes docs/results/<name of the plan>.json and two plots, and the table into docs/distillation.md.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m thermal_fld_ros ablate``."""
    parser.add_argument("plan", type=Path, help="for instance config/distillation/ablation.yaml")
    parser.add_argument("--out", type=Path, help="folder of all trainings; default: the plan's")
    parser.add_argument("--data", action="append", default=[], metavar="[NAME=]FORM:PATH",
                        help="test sets beside the plan's own, as `evaluate` takes them")  # fmt: skip
    parser.add_argument("--processes", type=int, default=2, help="trainings at a time, one thread each")
    parser.add_argument("--page", type=Path, default=Path("docs/distillation.md"), help="Markdown page of the table")
    parser.add_argument("--estimate", action="store_true", help="only tell how long it would take")


def run(args: argparse.Namespace) -> int:
    """Carry out a plan with all its seeds."""
    from thermal_fld_ros.datasets.forms import open_dataset
    from thermal_fld_ros.distillation.ablation import run_ablation, write_report
    from thermal_fld_ros.distillation.plan import estimate, read_plan

    try:
        plan = read_plan(args.plan, args.out)
        if not plan.seeds:
            raise ValueError(f"{args.plan} names no seeds: it is a plan for distil")
        tests = [*plan.tests, *args.data]
        for test in tests:
            open_dataset(test)  # what is missing shows now, not at the end
        cost = estimate(plan)
        print(f"{len(cost)} of {len(plan.trainings)} trainings are left: about {sum(cost.values()) / 60:.0f} min of processor time, "
              f"{sum(cost.values()) / 60 / args.processes:.0f} min on {args.processes} cores", flush=True)  # fmt: skip
        if args.estimate:
            for name, seconds in cost.items():
                print(f"  {name}: {seconds:.0f} s")
            return 0
        more = "".join(
            f" --data {prefix}:{Path(path).name}" for prefix, _, path in (d.partition(":") for d in args.data)
        )
        command = f"python -m thermal_fld_ros ablate {args.plan}{more}"
        write_report(run_ablation(plan, tests, command, args.processes), args.page)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0
