# SPDX-License-Identifier: Apache-2.0
"""Renders a second, and what the jaw line that follows the visible outline changes.

    python benchmarks/rendering.py --face-model FOLDER [--count 200] [--out FILE]

Faces of 160 px, pairs of 128 px and frames of 320 x 256 px, sampled and rendered in memory by one process and by two. *CPU* is the
time that the processes computed, which another load on the machine changes less than the time that passed; the load average is
stored with the results. Then the distance between jaw points 0 to 16 on the outline and at the model's fixed vertices, in percent of
the root of the face box's area, by yaw.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys

import cv2
import numba
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from thermal_fld_ros.synthesis.body import build  # noqa: E402
from thermal_fld_ros.synthesis.contour import JawContour  # noqa: E402
from thermal_fld_ros.synthesis.figure import Viewpoint  # noqa: E402
from thermal_fld_ros.synthesis.morphable import MorphableModel, load_morphable_model  # noqa: E402
from thermal_fld_ros.synthesis.person import sample_person  # noqa: E402
from thermal_fld_ros.synthesis.scene import Renderer  # noqa: E402
from thermal_fld_ros.synthesis.shards import SIZES, Recipe  # noqa: E402

YAWS = (0, 15, 30, 45, 60, 75, 90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--face-model", type=Path, required=True, help="ICT-FaceKit's FaceXModel folder or its cached .npz"
    )
    parser.add_argument("--count", type=int, default=200, help="images of each kind and process")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/rendering.json")
    args = parser.parse_args()

    result: dict[str, Any] = {"machine": machine(), "count": args.count, "kinds": {}}
    for kind, size in SIZES.items():
        result["kinds"][kind] = {"size": size, **{
            f"processes_{n}": measure(args.face_model, Recipe(kind, args.count, 0, size), n) for n in (1, 2)
        }}  # fmt: skip
        print(kind, json.dumps(result["kinds"][kind]))
    result["jaw_percent"] = jaw_table(load_morphable_model(args.face_model))
    for yaw, values in result["jaw_percent"].items():
        print(f"yaw {yaw}: {values}")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def measure(face_model: Path, recipe: Recipe, processes: int) -> dict[str, float]:
    """Images a second of all processes together, and CPU milliseconds an image."""
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), prepare, (face_model, recipe)) as pool:
        list(pool.map(ready, range(processes)))
        started = time.perf_counter()
        seconds = list(pool.map(render, [recipe] * processes, range(processes)))
        passed = time.perf_counter() - started
    images = recipe.count * processes
    return {"a_second": round(images / passed, 1), "cpu_ms": round(1e3 * sum(seconds) / images, 2)}


_renderer: list[Renderer] = []


def prepare(face_model: Path, recipe: Recipe) -> None:
    """Load the model in a process, and compile what is compiled."""
    cv2.setNumThreads(1)
    _renderer.append(Renderer(load_morphable_model(face_model)))
    for k in range(60):
        _renderer[0].render(recipe.scene(_renderer[0], 10**6 + k))


def ready(_: int) -> None:
    """Wait until a process has started."""
    time.sleep(0.2)


def render(recipe: Recipe, part: int) -> float:
    """CPU seconds of one process's images."""
    started = time.process_time()
    for k in range(recipe.count):
        _renderer[0].render(recipe.scene(_renderer[0], part * recipe.count + k))
    return time.process_time() - started


def jaw_table(model: MorphableModel, people: int = 40) -> dict[str, dict[str, float]]:
    """Mean distance of the outline's points to the fixed vertices on the far and on the near side, percent of the box."""
    jaw, rng = JawContour(model), np.random.default_rng(0)
    sampled = [sample_person(model, rng) for _ in range(people)]
    table = {}
    for yaw in YAWS:
        far, near = [], []
        for person in sampled:
            person.yaw, person.pitch, person.roll = np.deg2rad(yaw), 0.0, 0.0
            _, shape = build(model, person)
            camera = Viewpoint((0.0, 0.0), 5.0, 150.0)
            xy, depth = camera.project(shape)
            points, _ = jaw(xy, depth, person.yaw, 0.0, camera.scale)
            fixed = xy[model.landmarks]
            distance = 100 * np.linalg.norm(points - fixed[:17], axis=1) / np.sqrt(np.prod(np.ptp(fixed, axis=0)))
            far.append(distance[9:].mean())  # turned to the image's right: the face's left side is hidden
            near.append(distance[:8].mean())
        table[str(yaw)] = {"far_side": round(float(np.mean(far)), 2), "near_side": round(float(np.mean(near)), 2)}
    return table


def machine() -> dict[str, Any]:
    cpu_info = Path("/proc/cpuinfo")
    lines = cpu_info.read_text(encoding="utf-8").splitlines() if cpu_info.is_file() else []
    cpu = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor()
    )
    return {"cpu": cpu, "cores": os.cpu_count(), "load_average": round(os.getloadavg()[0], 2), "python": platform.python_version(),
            "numpy": np.__version__, "opencv": cv2.__version__, "numba": numba.__version__}  # fmt: skip


if __name__ == "__main__":
    main()
