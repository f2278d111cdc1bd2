# SPDX-License-Identifier: Apache-2.0
"""Whether the landmark network is faster in 8 or 16 bits, and what that costs.

    python benchmarks/quantisation.py --calibration runs/faces --test runs/faces_test [--model models/face_landmarks.onnx]

int8: static quantisation by onnxruntime (weights a channel, QDQ, activations U8, weights S8), calibrated on rendered crops; once of the
whole network, once of the convolutions only. fp16: by onnxruntime too. All variants run interleaved, crop by crop on one thread,
so that the machine's other load falls on all alike: the ratio of times is what counts. Errors are those of rendered faces that the
calibration did not see, at their true crops. A variant is worth shipping that
is a tenth faster at less than 0.1 points of NME.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.transformers.float16 import convert_float_to_float16
from pipeline import machine

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from thermal_fld_ros.distillation.quantisation import crops, quantise  # noqa: E402
from thermal_fld_ros.perception.models import Model, load_model  # noqa: E402
from thermal_fld_ros.provenance import git_state  # noqa: E402

Array = NDArray[np.float32]
WANTED_TIMES, ALLOWED_NME = 0.9, 0.1  # of fp32; points
ROUNDS = 3  # over the test crops


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=ROOT / "models/face_landmarks.onnx")
    parser.add_argument("--calibration", type=Path, required=True, help="rendered faces to calibrate on")
    parser.add_argument("--test", type=Path, required=True, help="rendered faces to measure on")
    parser.add_argument("--crops", type=int, default=256, help="of the calibration; the test takes twice as many")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/quantisation.json")
    parser.add_argument("--keep", type=Path, help="folder for the variants' files")
    args = parser.parse_args()

    model = load_model(args.model, provider="cpu")
    calibration, _, _ = crops(args.calibration, model, args.crops)
    images, points, boxes = crops(args.test, model, 2 * args.crops)
    with tempfile.TemporaryDirectory() as scratch:
        files = {"fp32": args.model, **variants(args.model, args.keep or Path(scratch), calibration)}
        models = {name: load_model(file, provider="cpu", threads=1) for name, file in files.items()}
        seconds, found = run(models, images)
        sizes = {name: file.stat().st_size for name, file in files.items()}
    rows = {}
    for name in models:
        error = np.linalg.norm(found[name] - points, axis=-1).mean(1) / boxes * 100
        shift = np.linalg.norm(found[name] - found["fp32"], axis=-1)
        rows[name] = {"ms": round(1e3 * float(np.median(seconds[name])), 4),
                      "times_fp32": round(float(np.median(seconds[name] / seconds["fp32"])), 3),
                      "nme": round(float(error.mean()), 4), "shift_px": round(float(shift.mean()), 4),
                      "bytes": sizes[name]}  # fmt: skip
    result = {"command": shlex.join(["python", "benchmarks/quantisation.py", *sys.argv[1:]]), "git": git_state(),
              "machine": machine(), "model": {"name": model.name, "sha256": model.sha256},
              "crops": len(images), "rows": rows}  # fmt: skip
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(table(rows))


def variants(file: Path, folder: Path, calibration: Array) -> dict[str, Path]:
    """Files of the network in fewer bits, by name."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: folder / f"{name.replace(' ', '_')}.onnx" for name in ("int8", "int8 convolutions", "fp16")}
    quantise(file, files["int8"], calibration)
    quantise(file, files["int8 convolutions"], calibration, ["Conv"])
    onnx.save(convert_float_to_float16(onnx.load(str(file)), keep_io_types=True), str(files["fp16"]))
    return files


def run(models: dict[str, Model], images: Array) -> tuple[dict[str, Array], dict[str, Array]]:
    """Seconds (ROUNDS N,) of every crop, and the points (N, 68, 2), by model; the models take turns."""
    seconds: dict[str, list[float]] = {name: [] for name in models}
    points: dict[str, list[Array]] = {name: [] for name in models}
    for number in range(ROUNDS + 1):  # the first round warms up
        for image in images:
            for name, model in models.items():
                started = time.perf_counter()
                outputs = model.run(image=image[None])
                if number:
                    seconds[name].append(time.perf_counter() - started)
                else:
                    points[name].append(outputs["points"][0])
    return {k: np.array(v) for k, v in seconds.items()}, {k: np.stack(v) for k, v in points.items()}


def table(rows: dict[str, dict[str, Any]]) -> str:
    """In Markdown."""
    reference = rows["fp32"]["nme"]
    lines = ["| | ms a crop | times fp32 | NME % | points moved, px | MB | worth shipping |", "| --- " * 7 + "|"]
    for name, row in rows.items():
        worth = name != "fp32" and row["times_fp32"] < WANTED_TIMES and row["nme"] - reference < ALLOWED_NME
        lines.append(f"| {name} | {row['ms']:.3f} | {row['times_fp32']:.2f} | {row['nme']:.3f} | {row['shift_px']:.3f} "
                     f"| {row['bytes'] / 1e6:.2f} | {'yes' if worth else 'no' if name != 'fp32' else ''} |")  # fmt: skip
    return "\n".join(lines)


if __name__ == "__main__":
    main()
