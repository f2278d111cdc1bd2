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
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from onnxruntime.transformers.float16 import convert_float_to_float16
from pipeline import machine

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from thermal_fld_ros.perception.cropping import crop_from_points  # noqa: E402
from thermal_fld_ros.perception.decoding import decode_array  # noqa: E402
from thermal_fld_ros.perception.models import Model, load_model  # noqa: E402
from thermal_fld_ros.perception.normalisation import normalise  # noqa: E402
from thermal_fld_ros.provenance import git_state  # noqa: E402
from thermal_fld_ros.synthesis.shards import load_shards  # noqa: E402

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


def crops(folder: Path, model: Model, count: int) -> tuple[Array, Array, Array]:
    """Network inputs (N, 1, S, S) at the true crops of rendered faces, their points (N, 68, 2) and sqrt(w h) (N,), crop pixels."""
    size, scale = model.positive("input.size", int), model.positive("input.crop_scale", float)
    normalisation = model.normalisation()
    images, labels = load_shards(folder)
    nearest = np.flatnonzero(np.append(np.diff(labels["frame"]) > 0, True))[
        :count
    ]  # the last face of an image is in front
    inputs, points = np.empty((len(nearest), 1, size, size), np.float32), np.empty((len(nearest), 68, 2), np.float32)
    for k, row in enumerate(nearest):
        crop = crop_from_points(labels["points"][row], size, scale)
        raw = decode_array(images[labels["frame"][row]]).sample(crop, (size, size))
        normalise(raw, normalisation, out=inputs[k, 0])
        points[k] = crop.inverse()(labels["points"][row])
    return inputs, points, np.sqrt(np.prod(np.ptp(points, axis=1), axis=1))


class Crops(CalibrationDataReader):  # type: ignore[misc]
    """Calibration crops, one by one."""

    def __init__(self, images: Array):
        self._images: Iterator[Array] = iter(images)

    def get_next(self) -> dict[str, Array] | None:
        image = next(self._images, None)
        return None if image is None else {"image": image[None]}


def variants(file: Path, folder: Path, calibration: Array) -> dict[str, Path]:
    """Files of the network in fewer bits, by name."""
    folder.mkdir(parents=True, exist_ok=True)
    prepared = folder / "prepared.onnx"
    quant_pre_process(str(file), str(prepared), skip_symbolic_shape=True)
    files = {name: folder / f"{name.replace(' ', '_')}.onnx" for name in ("int8", "int8 convolutions", "fp16")}
    for name, kinds in (("int8", None), ("int8 convolutions", ["Conv"])):
        quantize_static(
            str(prepared), str(files[name]), Crops(calibration), quant_format=QuantFormat.QDQ, op_types_to_quantize=kinds,
            per_channel=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
        )  # fmt: skip
    half = convert_float_to_float16(onnx.load(str(prepared)), keep_io_types=True)
    onnx.save(half, str(files["fp16"]))
    properties = {p.key: p.value for p in onnx.load(str(file)).metadata_props}
    for made in files.values():  # what the runtime reads
        network = onnx.load(str(made))
        onnx.helper.set_model_props(network, properties)
        onnx.save(network, str(made))
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
