# SPDX-License-Identifier: Apache-2.0
"""Adapt the landmark network to your camera and people with a data set of `dataset`; run again to continue after an interruption.

  thermal-fld adapt DIR

Training starts from the shipped weights and never uses the split "test" of the data set. If the new network is not better on that split, it
is not written, and the exit status is 1. docs/adaptation.md describes all steps from recordings to the running detector.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m thermal_fld_ros adapt``."""
    parser.add_argument("data", type=Path, metavar="DIR", help="a data set, with pairs.jsonl and its splits")
    parser.add_argument(
        "--out", type=Path, help="folder of the network and its training; default: runs/adapted_<name of DIR>"
    )
    parser.add_argument(
        "--start", type=Path, metavar="FILE.pt", help="weights to start from; default: the shipped ones"
    )
    parser.add_argument(
        "--teacher", type=Path, metavar="RGB.pt", help="an RGB landmark network: distil from it in two levels"
    )
    parser.add_argument("--steps", type=int, help="minimum number of steps of each training (default: 500)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0, help="CPU threads of torch; 0: torch's default")


def run(args: argparse.Namespace) -> int:
    """Adapt."""
    from thermal_fld_ros.distillation.adapt import STEPS, adapt
    from thermal_fld_ros.distillation.self_training import is_pseudo_labelled, self_train

    out = args.out or Path("runs") / f"adapted_{args.data.resolve().name}"
    try:
        common = {"start": args.start, "steps": args.steps or STEPS, "seed": args.seed, "threads": args.threads}
        if is_pseudo_labelled(args.data):
            if args.teacher is not None:
                raise ValueError(
                    "--teacher is for a data set with RGB images, but this one's labels are the thermal network's own"
                )
            result = self_train(args.data, out, args.command_line, **common)
        else:
            result = adapt(args.data, out, args.command_line, teacher=args.teacher, **common)
    except (ValueError, ArithmeticError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if result.model is None:
        print(f"not written: {result.reason}", file=sys.stderr)
        return 1
    model = result.model.resolve()
    print(f"{result.model}: {model.stat().st_size / 1e6:.2f} MB, with weights and model card beside it. Use it:")
    print(f"  ros2 launch thermal_fld_ros detector.launch.py landmark_model:={shlex.quote(str(model))}")
    print(f"  ros2 param set /thermal_fld_detector landmark_model {shlex.quote(str(model))}    # while it runs")
    return 0
