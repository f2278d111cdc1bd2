# SPDX-License-Identifier: Apache-2.0
"""Frames per second that the pipeline sustains: against resolution, number of faces and number of cameras.

    source scripts/env.sh
    python benchmarks/rates.py [--seconds 1.5] [--rounds 3]

Images of 16 bit come one after the other as fast as they are done, from the bytes of an image message to faces, without head poses.
The regular detections are part of it. A camera is a process with a pipeline of its own on one thread; those of a point run at the same
time. All points run in turns, and figures are medians over the rounds.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from pipeline import FPS, SIZE, back_and_forth, machine, to_size  # noqa: E402

from thermal_fld_ros.perception.decoding import UNITS, Decoding  # noqa: E402
from thermal_fld_ros.perception.pipeline import Pipeline, PipelineOptions  # noqa: E402
from thermal_fld_ros.recordings.source import RawImage  # noqa: E402

Clip = NDArray[np.uint16]

RESOLUTIONS = ((160, 120), (320, 256), (640, 512), (1280, 1024))
FACES = (1, 2, 4, 6, 8)
CAMERAS = (1, 2, 4)
HEAD = slice(12, 112)
"""Columns of the clip in which nobody but the person in front is seen."""
GRID = (4, 2)
"""Columns and rows of heads in an image with several faces."""
NOISE = 3.5
"""Standard deviation in 0.01 K, as in the clip."""
WARM_UP = 12
"""Images that do not count: the first detection and the first regular one."""
LONGEST_START = 120.0
"""Seconds until all cameras of a point must be ready."""


class Camera:
    """A pipeline, and the images that it is shown back and forth."""

    def __init__(self, images: list[RawImage], faces: int = 1) -> None:
        self._images = images
        self._pipeline = Pipeline(PipelineOptions(max_faces=faces))
        self._decoding = Decoding(UNITS["centikelvin"])
        self._index = 0
        self.models = {
            part.model.name: part.model.sha256 for part in (self._pipeline.detector, self._pipeline.landmarker)
        }
        for _ in range(WARM_UP):
            self._see()

    def sustained(self, seconds: float) -> tuple[float, float]:
        """Images a second in that time, and the mean number of faces in them."""
        found = []
        began = now = time.perf_counter()
        while now - began < seconds:
            found.append(self._see())
            now = time.perf_counter()
        return len(found) / (now - began), float(np.mean(found))

    def _see(self) -> int:
        image = self._images[back_and_forth(self._index, len(self._images))]
        faces = self._pipeline(image.decode(self._decoding), self._index / FPS)
        self._index += 1
        return len(faces)


def crowd(clip: Clip, faces: int) -> list[RawImage]:
    """Images with that many heads of one size on a grid, each at another time of the clip; the rest is a blank wall."""
    columns, rows = GRID
    rng = np.random.default_rng(0)
    heads = clip[:, :, HEAD]
    wall = np.rint(np.median(clip[:, :, :6]) + rng.normal(0.0, NOISE, heads[0].shape)).astype(np.uint16)
    images = []
    for k in range(len(clip)):
        tiles = [heads[back_and_forth(k + 7 * i, len(clip))] if i < faces else wall for i in range(columns * rows)]
        grid = [np.hstack(tiles[row * columns : (row + 1) * columns]) for row in range(rows)]
        images.append(to_size(np.vstack(grid)))
    return images


def at_once(count: int, seconds: float) -> list[tuple[float, float]]:
    """What each of some cameras sustains while the others run."""
    context = multiprocessing.get_context("spawn")
    ready, results = context.Barrier(count), context.SimpleQueue()
    processes = [context.Process(target=camera_process, args=(ready, results, seconds)) for _ in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise SystemExit("a camera's process failed")
    return [results.get() for _ in processes]


def camera_process(ready: Barrier, results: SimpleQueue[tuple[float, float]], seconds: float) -> None:
    """One camera of `at_once`: begins when all are ready."""
    cv2.setNumThreads(1)
    camera = Camera([to_size(frame) for frame in demo_clip()])
    ready.wait(LONGEST_START)
    results.put(camera.sustained(seconds))


def demo_clip() -> Clip:
    """(T, 120, 160) in 0.01 K."""
    clip: Clip = np.load(ROOT / "resource/demo_clip.npz")["frames"]
    return clip


def measure(seconds: float, rounds: int) -> dict[str, Any]:
    """All points in turns."""
    clip = demo_clip()
    alone = {
        "resolution": {
            f"{size[0]} x {size[1]}": Camera([to_size(frame, size) for frame in clip]) for size in RESOLUTIONS
        },
        "faces": {str(faces): Camera(crowd(clip, faces), faces) for faces in FACES},
    }
    one_by_one: dict[tuple[str, str], list[tuple[float, float]]] = {
        (group, name): [] for group, cameras in alone.items() for name in cameras
    }
    together: dict[int, list[list[tuple[float, float]]]] = {count: [] for count in CAMERAS}
    for _ in range(rounds):
        for (group, name), found in one_by_one.items():
            found.append(alone[group][name].sustained(seconds))
        for count, each in together.items():
            each.append(at_once(count, seconds))
    points: dict[str, Any] = {group: {} for group in alone}
    for (group, name), found in one_by_one.items():
        rate, faces = np.median(found, axis=0)
        points[group][name] = {"fps": round(float(rate), 2), "faces": round(float(faces), 2)}
    points["cameras"] = {}
    for count, each in together.items():
        rates = np.array(each)[:, :, 0]
        points["cameras"][str(count)] = {
            "fps": round(float(np.median(rates.sum(axis=1))), 2),
            "fps_each": round(float(np.median(rates)), 2),
            "fps_slowest": round(float(np.median(rates.min(axis=1))), 2),
        }
    return {"models": next(iter(alone["faces"].values())).models, **points}


def plot(result: dict[str, Any], file: Path) -> None:
    """A panel for what the rate depends on, as PNG."""
    import matplotlib as mpl  # here, as the cameras' processes import this module, too
    from matplotlib.figure import Figure

    from thermal_fld_ros.distillation.logs import STYLE

    titles = {
        "resolution": "one face, pixels",
        "faces": f"faces, {SIZE[0]} x {SIZE[1]}",
        "cameras": f"cameras on {result['machine']['cores']} cores, one face, {SIZE[0]} x {SIZE[1]}",
    }
    with mpl.rc_context(STYLE):
        figure = Figure((9, 2.6), dpi=120, layout="constrained")
        for k, (group, label) in enumerate(titles.items()):
            axes = figure.add_subplot(1, len(titles), k + 1)
            points = result[group]
            at = [int(name) if name.isdigit() else name for name in points]
            axes.plot(at, [point["fps"] for point in points.values()], marker=".", label="all together")
            if group == "cameras":
                axes.plot(at, [point["fps_each"] for point in points.values()], marker=".", label="each")
                axes.legend()
            axes.set_xticks(at)
            axes.set_ylim(bottom=0.0)
            axes.set_xlabel(label)
            axes.set_ylabel("frames per second" if k == 0 else "")
        figure.savefig(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each point in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--out", type=Path, default=ROOT / "benchmarks/results/rates.json", help="the plot lies beside it"
    )
    args = parser.parse_args()
    cv2.setNumThreads(1)
    result: dict[str, Any] = {"machine": machine(), "seconds": args.seconds, "rounds": args.rounds, "threads": 1}
    result |= measure(args.seconds, args.rounds)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    plot(result, args.out.with_suffix(".png"))
    for group in ("resolution", "faces", "cameras"):
        for name, figures in result[group].items():
            print(f"{group:10} {name:12} {figures}")


if __name__ == "__main__":
    main()
