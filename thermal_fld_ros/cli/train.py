# SPDX-License-Identifier: Apache-2.0
"""Train a network from a configuration file; run again to continue after an interruption.

  thermal-fld train config/training/face_landmarks.yaml --out runs/face_landmarks

In several processes: `torchrun --nproc-per-node 2 -m thermal_fld_ros train ...`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m thermal_fld_ros train``."""
    parser.add_argument("config", type=Path, help="for instance config/training/face_landmarks.yaml")
    parser.add_argument("--out", type=Path, help="checkpoint and logs; default runs/<name of the configuration>")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads of torch per process; 0: torch's default")


def run(args: argparse.Namespace) -> int:
    """Train."""
    from thermal_fld_ros.distillation.config import load_config
    from thermal_fld_ros.distillation.trainer import train

    out = args.out or Path("runs") / args.config.stem
    try:
        metrics = train(load_config(args.config), out, args.threads)
    except OSError as error:
        where = "" if error.filename else f"{out}: "  # a full disk shows where a file is flushed, which knows no name
        print(f"error: {where}{error}", file=sys.stderr)
        return 2
    except (ValueError, ArithmeticError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if metrics:  # none in processes after the first
        print(f"{out}/checkpoint.pt:", "  ".join(f"{k} {v:.4g}" for k, v in metrics.items()))
    return 0
