# SPDX-License-Identifier: Apache-2.0
"""Measure networks on labelled thermal images: errors of landmarks, faces found and missed, jitter, confidence.

  thermal-fld evaluate --data sf-tl54:SF-TL54/gray/test --data tfw:TFW/test/outdoor.csv

Two protocols. "given box": the landmark network gets the labelled box and refines it once, as the pipeline does. "pipeline": faces
are detected, tracked and smoothed as on the robot, and matched with the labelled faces by overlap; a face that is not found counts as a
failure. docs/datasets.md describes the forms of data, docs/accuracy.md the figures.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

from thermal_fld_ros.cli._progress import Progress
from thermal_fld_ros.datasets.forms import FORMS, open_dataset
from thermal_fld_ros.datasets.sample import DataSet, DataSetError
from thermal_fld_ros.evaluation.figures import data_figures, run_figures
from thermal_fld_ros.evaluation.metrics import POINT_SETS
from thermal_fld_ros.evaluation.protocols import Run, read_predictions, run_models
from thermal_fld_ros.evaluation.report import text
from thermal_fld_ros.perception.decoding import ImageError
from thermal_fld_ros.perception.models import ModelError, default_model_folder
from thermal_fld_ros.provenance import git_state
from thermal_fld_ros.recordings.source import SourceError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--data",
        action="append",
        required=True,
        metavar="[NAME=]FORM:PATH",
        help=f"labelled images, may be repeated; FORM is one of {', '.join(FORMS)}",
    )
    parser.add_argument(
        "--models",
        action="append",
        metavar="[NAME=]FOLDER",
        help="folder of the two ONNX files, may be repeated (default: the shipped models)",
    )
    parser.add_argument(
        "--predictions",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="points that another tool found (JSON), may be repeated",
    )
    parser.add_argument(
        "--points",
        action="append",
        default=[],
        metavar="NAME=RANGES",
        help="also measure this set of iBUG points, such as contour=0-16,27,30-35; may be repeated (always measured: 68, 51, 54)",
    )
    parser.add_argument(
        "--iou", type=float, default=0.4, help="minimum overlap of a found box with a labelled box (default: 0.4)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="write curves as PNG (needs matplotlib)")


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    try:
        if not 0.0 < args.iou <= 1.0:
            raise ValueError(f"--iou is {args.iou}, expected above 0 and at most 1")
        if args.plots:
            from thermal_fld_ros.evaluation.plots import write_plots  # what is missing shows now, not at the end
        point_sets = POINT_SETS | dict(parse_points(item) for item in args.points)
        models = [_named(item) for item in args.models or [f"shipped={default_model_folder()}"]]
        others = [_named(item) for item in args.predictions]
        _refuse_twins([name for name, _ in models + others], "model")
        sets = [open_dataset(item) for item in args.data]
        _refuse_twins([data.name for data in sets], "data set")
        results = _evaluate(sets, models, others, point_sets, args.iou)
        if args.json:
            args.json.parent.mkdir(parents=True, exist_ok=True)
            args.json.write_text(to_json(results), encoding="utf-8")
        if args.plots:
            write_plots(results, args.plots)
    except (DataSetError, ImageError, ModelError, SourceError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for name, figures in results["data"].items():
        for reason, count in figures["left_out"].items():
            print(f"{name}: {count} left out ({reason})", file=sys.stderr)
    print(text(results))
    return 0


def to_json(results: dict[str, Any]) -> str:
    """JSON with lists of numbers on one line."""
    lines = json.dumps(results, indent=1, allow_nan=False)
    return re.sub(r"\[\s+([^\[\]{}]+?)\s+\]", lambda m: "[" + re.sub(r"\s+", " ", m[1]) + "]", lines) + "\n"


def parse_points(item: str) -> tuple[str, tuple[int, ...]]:
    """A set of points, "NAME=0-16,27"; raises ValueError."""
    name, equals, ranges = item.partition("=")
    try:
        indices: list[int] = []
        for part in ranges.split(","):
            first, dash, last = part.partition("-")
            indices += range(int(first), int(last if dash else first) + 1)
        if not (name and equals and indices and min(indices) >= 0 and max(indices) < 68):
            raise ValueError
    except ValueError:
        raise ValueError(
            f'--points "{item}": expected NAME=RANGES of iBUG points 0 to 67, such as contour=0-16,27'
        ) from None
    return name, tuple(dict.fromkeys(indices))


def _named(item: str) -> tuple[str, Path]:
    name, equals, path = item.partition("=")
    return (name, Path(path)) if equals else (Path(item).name or item, Path(item))


def _refuse_twins(names: list[str], what: str) -> None:
    twins = sorted({name for name in names if names.count(name) > 1})
    if twins:
        raise ValueError(f'two {what}s are named "{twins[0]}": give them different names with NAME=')


def _evaluate(
    sets: list[DataSet],
    models: list[tuple[str, Path]],
    others: list[tuple[str, Path]],
    point_sets: dict[str, tuple[int, ...]],
    least_iou: float,
) -> dict[str, Any]:
    rows = []
    with Progress(len(models) * sum(len(data.samples) for data in sets), "images") as progress:
        answers = [[(name, read_predictions(name, file, data)) for name, file in others] for data in sets]
        for data, given in zip(sets, answers, strict=True):
            runs: list[Run] = [run_models(name, folder, data, progress.step) for name, folder in models]
            for name, found in given:
                if found is None:
                    progress.say(f"{name}: no predictions of {data.name}")
                else:
                    runs.append(found)
            for one in runs:
                figures = run_figures(data, one, point_sets, least_iou)
                rows.append({"data": data.name, "model": one.name, **figures})
    return {
        "git": git_state(),
        "iou": least_iou,
        "data": {data.name: data_figures(data) for data in sets},
        "rows": rows,
    }
