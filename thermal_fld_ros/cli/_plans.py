# SPDX-License-Identifier: Apache-2.0
"""Shared by the commands that carry out a plan: ``distil`` and ``ablate``."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from thermal_fld_ros.distillation.plan import Plan


def add_plan_arguments(parser: argparse.ArgumentParser, example: str) -> None:
    """The plan, the folder of its trainings, test sets."""
    parser.add_argument("plan", type=Path, help=f"for instance config/distillation/{example}.yaml")
    parser.add_argument("--out", type=Path, help="folder of all trainings (default: as the plan says)")
    parser.add_argument("--data", action="append", default=[], metavar="[NAME=]FORM:PATH",
                        help="more test sets, in the form that `evaluate` takes; may be repeated")  # fmt: skip


def plan_of(args: argparse.Namespace, name: str) -> Plan:
    """The plan that the arguments of a command name, with their test sets.

    Raises
    ------
    ValueError, OSError
        When the plan is wrong, or for the other command, or a test set cannot be read: that shows now, not at the end.
    """
    from thermal_fld_ros.datasets.forms import open_dataset
    from thermal_fld_ros.distillation.plan import read_plan

    plan = read_plan(args.plan, args.out)
    suited = "ablate" if plan.seeds else "distil"
    if name != suited:
        raise ValueError(
            f"{args.plan} {'names' if plan.seeds else 'does not name'} seeds, so it is a plan for {suited}"
        )
    plan = replace(plan, tests=[*plan.tests, *args.data])
    for test in plan.tests:
        open_dataset(test)
    return plan


def command_of(args: argparse.Namespace, name: str) -> str:
    """The command line for model cards and tables, with only the last part of the test sets' paths."""
    parts = (data.partition(":") for data in args.data)
    more = (("--data", f"{prefix}:{Path(path).name}") for prefix, _, path in parts)
    return shlex.join(
        ["python", "-m", "thermal_fld_ros", name, str(args.plan), *(word for pair in more for word in pair)]
    )
