# SPDX-License-Identifier: Apache-2.0
"""Calibrate the score of faces, so that it is the probability that a face's points are right.

  thermal-fld calibrate --models models --data renders:runs/calibration_frames

Runs both networks over labelled frames, fits the gate (docs/training.md) and writes it into the landmark network's files. Half of
the frames are held out to test the fit.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, replace
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--models", type=Path, required=True, metavar="FOLDER", help="folder of both networks and of the weights (.pt)"
    )
    parser.add_argument(
        "--data",
        required=True,
        metavar="FORM:PATH",
        help="labelled frames, in the form that `evaluate` takes; every face must be labelled",
    )
    parser.add_argument("--dry-run", action="store_true", help="print the gate, but do not write it")


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    from thermal_fld_ros.cli._progress import Progress
    from thermal_fld_ros.datasets.forms import open_dataset
    from thermal_fld_ros.datasets.sample import DataSetError
    from thermal_fld_ros.distillation.export import set_gate
    from thermal_fld_ros.evaluation.gating import fit, gather, judged
    from thermal_fld_ros.perception.detector import Detector
    from thermal_fld_ros.perception.gate import read_gate
    from thermal_fld_ros.perception.landmarker import Landmarker
    from thermal_fld_ros.perception.models import DETECTOR_FILE, LANDMARKS_FILE, ModelError, load_model

    try:
        detector = Detector(load_model(args.models / DETECTOR_FILE, provider="cpu"))
        landmarker = Landmarker(load_model(args.models / LANDMARKS_FILE, provider="cpu"))
        data = open_dataset(args.data)
        halves = [replace(data, samples=data.samples[start::2]) for start in (0, 1)]
        with Progress(len(data.samples), "frames") as progress:
            known, held_out = (gather(detector, landmarker, half, progress.step) for half in halves)
        gate = fit(known)
        print(f"gate: {asdict(gate)}")
        for name, one in (("before", read_gate(landmarker.model)), ("after", gate)):
            print(f"{name}: {judged(held_out, one, landmarker.threshold)}")
        if not args.dry_run:
            set_gate(args.models / LANDMARKS_FILE, asdict(gate))
    except (DataSetError, ModelError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0
