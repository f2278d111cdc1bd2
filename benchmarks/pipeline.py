# SPDX-License-Identifier: Apache-2.0
"""Time of a frame on one thread, from the bytes of an image message to points, by stage.

    python benchmarks/pipeline.py [--input RECORDING] [--models FOLDER] [--frames 200] [--rounds 3] [--before COMMIT] [--out FILE]

Four cases on 640 x 512 frames of 16 bit with one face: *tracked* (the crop follows the landmarks), *pose* (the same with the head's pose,
by a camera of an assumed field of view), *periodic* (tracked with a detection in every frame) and *first* (nothing known: detection and
two landmark passes). Frames without a face are left out and counted. The stage *rest* is what no other stage holds, so the stages of a
frame sum up to its time. The figures in the documentation are those of an idle machine; the load average is stored with the results.

Figures are medians over the rounds. With --before an earlier commit is measured by its own benchmarks/pipeline.py, in turns with this
version and on the same input; it must have that script.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from earlier import check_out  # noqa: E402

from thermal_fld_ros.perception.camera import Camera  # noqa: E402
from thermal_fld_ros.perception.decoding import UNITS, Decoding  # noqa: E402
from thermal_fld_ros.perception.pipeline import Pipeline, PipelineOptions, with_models  # noqa: E402
from thermal_fld_ros.recordings.opening import open_source  # noqa: E402
from thermal_fld_ros.recordings.source import RawImage  # noqa: E402

SIZE = (640, 512)
FPS = 30.0
FIELD_OF_VIEW = 50.0
"""Degrees, as `config/detector.yaml` assumes."""
TARGETS_MS = {"tracked": 1.5, "periodic": 6.0, "first": 6.0}
CASES = {
    "tracked": {"max_faces": 1},
    "pose": {"max_faces": 1},
    "periodic": {"max_faces": 1, "detect_every": 1},
    "first": {"max_faces": 1},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--input", type=Path, default=ROOT / "resource/demo_clip.npz", help="16-bit recording with a face"
    )
    parser.add_argument("--unit", default="centikelvin", choices=UNITS)
    parser.add_argument("--models", type=Path, help="folder of the two models, default: the shipped ones")
    parser.add_argument("--frames", type=int, default=200, help="of each case in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--before", metavar="COMMIT", help="measure an earlier version, too")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/pipeline.json")
    args = parser.parse_args()

    cv2.setNumThreads(1)
    images = [to_size(image.decode().pixels) for image in open_source(args.input)]
    decoding = Decoding(UNITS[args.unit])
    result: dict[str, Any] = {"machine": machine(), "input": args.input.name, "size": SIZE, "threads": 1}
    pipelines = {}
    for name, settings in CASES.items():
        options = PipelineOptions(**settings)
        pipelines[name] = Pipeline(with_models(options, args.models) if args.models else options)
        result["models"] = {
            part.model.name: part.model.sha256 for part in (pipelines[name].detector, pipelines[name].landmarker)
        }
    rounds, rounds_before = [], []
    with tempfile.TemporaryDirectory() as temporary:
        earlier = check_out(args.before, Path(temporary, "earlier")) if args.before else None
        for _ in range(args.rounds):
            if earlier:
                rounds_before.append(measure_earlier(earlier, args.input, args.unit, args.frames))
            rounds.append({name: measure(name, it, images, decoding, args.frames) for name, it in pipelines.items()})
    result["cases"] = over_rounds(rounds)
    if args.before:
        result["before"] = {"commit": args.before, "cases": over_rounds(rounds_before)}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for name, case in result["cases"].items():
        print_case(name, case)
    for name, case in result.get("before", {}).get("cases", {}).items():
        print_case(f"{args.before}, {name}", case)


def to_size(pixels: NDArray[Any], size: tuple[int, int] = SIZE) -> RawImage:
    """The recording's frame enlarged to a size without distortion, its border continued."""
    height, width = pixels.shape
    scale = min(size[0] / width, size[1] / height)
    resized = cv2.resize(pixels, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_CUBIC)
    right, bottom = size[0] - resized.shape[1], size[1] - resized.shape[0]
    return RawImage.from_array(cv2.copyMakeBorder(resized, 0, bottom, 0, right, cv2.BORDER_REPLICATE))


def measure(name: str, pipeline: Pipeline, images: list[RawImage], decoding: Decoding, count: int) -> dict[str, Any]:
    """Milliseconds of `count` frames with a face: total and by stage, median and 95th percentile."""
    totals: list[float] = []
    stages: list[dict[str, float]] = []
    camera = Camera.from_field_of_view(SIZE, FIELD_OF_VIEW) if name == "pose" else None
    pipeline.reset()
    left_out = index = 0
    warm_up = 20
    while len(totals) < count + warm_up and index < 4 * (count + warm_up):
        image = images[back_and_forth(index, len(images))]
        if name == "first":
            pipeline.reset()
        seen_before = pipeline.statistics.detections
        started = time.perf_counter()
        frame = image.decode(decoding)
        decoded = time.perf_counter()
        faces = pipeline(frame, index / FPS, camera)
        ended = time.perf_counter()
        index += 1
        detected = pipeline.statistics.detections - seen_before
        if len(faces) != 1 or (name in ("tracked", "pose") and detected):
            left_out += 1
            continue
        totals.append(ended - started)
        laps = {"decode": decoded - started, **pipeline.last_timing}
        stages.append({**laps, "rest": totals[-1] - sum(laps.values())})
    totals, stages = totals[warm_up:], stages[warm_up:]
    return {
        "frames": len(totals),
        "frames_left_out": left_out,
        "total_ms": spread(totals),
        "stages_ms": {
            stage: spread([entry.get(stage, 0.0) for entry in stages])
            for stage in dict.fromkeys(stage for entry in stages for stage in entry)
        },
        "target_ms": TARGETS_MS.get(name),
    }


def measure_earlier(root: Path, recording: Path, unit: str, count: int) -> dict[str, Any]:
    """The cases as the version in `root` measures itself, in a process of its own."""
    out = root / "measured.json"
    arguments = ["--input", str(recording.resolve()), "--unit", unit, "--frames", str(count), "--out", str(out)]
    command = [sys.executable, str(root / "benchmarks/pipeline.py"), *arguments]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"the earlier version cannot be measured: {done.stderr.strip()}")
    cases: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))["cases"]
    return cases


def over_rounds(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Each case's counts summed up over the rounds, and the medians of its times."""

    def middle(found: list[dict[str, float]]) -> dict[str, float]:
        found = [times for times in found if times]
        return {key: round(float(np.median([times[key] for times in found])), 4) for key in (found[0] if found else ())}

    cases = {}
    for name, first in rounds[0].items():
        each = [found[name] for found in rounds]
        stages = dict.fromkeys(stage for case in each for stage in case["stages_ms"])
        cases[name] = {
            "frames": sum(case["frames"] for case in each),
            "frames_left_out": sum(case["frames_left_out"] for case in each),
            "total_ms": middle([case["total_ms"] for case in each]),
            "stages_ms": {stage: middle([case["stages_ms"].get(stage, {}) for case in each]) for stage in stages},
            "target_ms": first["target_ms"],
        }
    return cases


def back_and_forth(index: int, length: int) -> int:
    """0 1 .. length-1 .. 1 0 1 ..: a recording without a jump from its end to its start."""
    period = max(2 * (length - 1), 1)
    return min(index % period, period - index % period) if length > 1 else 0


def spread(seconds: list[float]) -> dict[str, float]:
    if not seconds:
        return {}
    return {
        "median": round(1e3 * float(np.median(seconds)), 4),
        "p95": round(1e3 * float(np.percentile(seconds, 95)), 4),
    }


def machine() -> dict[str, Any]:
    cpu = platform.processor()
    cpu_info = Path("/proc/cpuinfo")
    if cpu_info.is_file():
        lines = cpu_info.read_text(encoding="utf-8").splitlines()
        cpu = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), cpu)
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "onnxruntime": onnxruntime.__version__,
    }


def print_case(name: str, case: dict[str, Any]) -> None:
    total = case["total_ms"]
    if not total:
        print(f"{name}: no frame with one face")
        return
    left_out = f", {case['frames_left_out']} left out" if case["frames_left_out"] else ""
    target = f", target {case['target_ms']} ms" if case["target_ms"] else ""
    print(
        f"{name}: {total['median']:.3f} ms median, {total['p95']:.3f} ms p95{target} ({case['frames']} frames{left_out})"
    )
    for stage, values in case["stages_ms"].items():
        print(f"    {stage:16} {values['median']:7.3f} {values['p95']:7.3f}")


if __name__ == "__main__":
    main()
