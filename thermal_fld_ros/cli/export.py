# SPDX-License-Identifier: Apache-2.0
"""Write the ONNX file of a trained checkpoint, with its metadata.

  thermal-fld export runs/face_landmarks/checkpoint.pt --out models/face_landmarks.onnx

If --out is a .pt file, only the weights are written. Adaptation and distillation start from them.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m thermal_fld_ros export``."""
    parser.add_argument("checkpoint", type=Path, help="for instance runs/face_landmarks/checkpoint.pt")
    parser.add_argument("--out", type=Path, required=True, help="for instance models/face_landmarks.onnx")
    parser.add_argument(
        "--config", default="", help="path of the configuration, named in the metadata's training command"
    )
    parser.add_argument(
        "--arms",
        type=Path,
        help="results of `ablate`, whose methods the model card compares: what the way of training is worth",
    )


def run(args: argparse.Namespace) -> int:
    """Export."""
    from thermal_fld_ros.distillation.export import export, export_weights

    name = args.config or f"config/training/{args.out.stem}.yaml"
    command = f"python -m thermal_fld_ros {'distil' if 'distillation' in Path(name).parts else 'train'} {name}"
    try:
        if args.out.suffix == ".pt":
            metadata = export_weights(args.checkpoint, args.out, command)
        else:
            metadata = export(args.checkpoint, args.out, command, _errors_of(args.arms) if args.arms else None)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(
        f"{args.out}: {args.out.stat().st_size / 1e6:.2f} MB,",
        ", ".join(f"{k} {v:.4g}" for k, v in metadata["metrics"].items()),
    )
    return 0


def _errors_of(arms: Path) -> dict[str, dict[str, float]]:
    """Mean NME by method and test set from the JSON that `ablate` wrote; ValueError where it is none."""
    from thermal_fld_ros.files import parse_json, read_bytes

    try:
        methods = parse_json(read_bytes(arms))["methods"]
        tested = {name: method["tests"] for name, method in methods.items() if "tests" in method}
        return {name: {test: float(told["mean"]) for test, told in tests.items()} for name, tests in tested.items()}
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{arms}: expected the results of `ablate`: {error!r}") from error
