# SPDX-License-Identifier: Apache-2.0
"""Time of a frame beside other face finders: one process, one processor core, in turns.

    python -m venv others && others/bin/pip install mediapipe==0.10.21 "numpy<2" onnxruntime rosbags dlib-bin
    others/bin/python benchmarks/others.py [--yunet FILE.onnx] [--rounds 5] [--seconds 2] [--rates 0 9 30 60]

It compares this package's pipeline, from the bytes of a 16-bit image to landmarks (with and without head pose), with MediaPipe Face Mesh,
MediaPipe's face detector, OpenCV's YuNet and dlib's detector. These want 8-bit images of three channels or one: the conversion is
part of their time and told apart. What is not installed is skipped, and why is stored. MediaPipe wants a numpy below 2, therefore
the environment of its own. The detectors give boxes and no landmarks.

A contestant runs a case at a pace for some seconds, then the next one does; this is repeated. Rates are images a second, 0 is a tight
loop. A ratio is the median of the rounds' ratios. The process is bound to one core, and so are the threads of its libraries. Means matter
as well as medians: this package's detector does not search each frame.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

if hasattr(os, "sched_setaffinity"):  # before any library starts its threads
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import cv2
import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from pipeline import back_and_forth, machine  # noqa: E402

from thermal_fld_ros.perception.camera import Camera  # noqa: E402
from thermal_fld_ros.perception.decoding import UNITS, Decoding  # noqa: E402
from thermal_fld_ros.perception.normalisation import Normalisation, value_range  # noqa: E402
from thermal_fld_ros.perception.pipeline import Pipeline, PipelineOptions  # noqa: E402
from thermal_fld_ros.recordings.source import RawImage  # noqa: E402

Frames = list[NDArray[np.uint16]]

REFERENCE = "face_mesh"
TARGETS = {"one, 640 x 512": 0.5, "one, 160 x 120": 0.5, "empty, 640 x 512": 0.8}
"""Most of Face Mesh's mean time that the pipeline may take."""
MOST_TIMES_ONE = 4.0
"""Of the time for one face, with six."""
TIGHT_RATE = 30.0
"""Images a second of which a tight loop's stamps tell."""
WARM_UP = 8
NOISE = 3.5
"""Standard deviation in 0.01 K, as in the clip."""


class Contestant(ABC):
    """Something that finds faces in 16-bit images."""

    package = ""

    def __init__(self, max_faces: int) -> None:
        self.max_faces = max_faces

    def see(self, pixels: NDArray[np.uint16], stamp: float) -> tuple[int, float]:
        """Faces found in the next image, and seconds of converting it."""
        began = time.perf_counter()
        image = self.convert(pixels)
        converted = time.perf_counter() - began
        return self.find(image, stamp), converted

    def convert(self, pixels: NDArray[np.uint16]) -> Any:
        """What `find` takes: three equal channels of 8 bit, stretched between the percentiles 1 and 99."""
        return cv2.cvtColor(grey(pixels), cv2.COLOR_GRAY2RGB)

    @abstractmethod
    def find(self, image: Any, stamp: float) -> int:
        """Faces in what `convert` made."""


class Ours(Contestant):
    """The pipeline of this package without head poses."""

    with_pose = False

    def __init__(self, max_faces: int) -> None:
        super().__init__(max_faces)
        self._pipeline = Pipeline(PipelineOptions(max_faces=max_faces))
        self._decoding = Decoding(UNITS["centikelvin"])

    def convert(self, pixels: NDArray[np.uint16]) -> Any:
        """The frame, from an image message's bytes."""
        return RawImage.from_array(pixels).decode(self._decoding)

    def find(self, image: Any, stamp: float) -> int:
        """See the class."""
        camera = Camera.from_field_of_view(image.image_size, 50.0) if self.with_pose else None
        return len(self._pipeline(image, stamp, camera))


class OursWithPose(Ours):
    """The pipeline of this package with head poses."""

    with_pose = True


class FaceMesh(Contestant):
    """MediaPipe Face Mesh, following faces as in a video."""

    package = "mediapipe"

    def __init__(self, max_faces: int) -> None:
        super().__init__(max_faces)
        import mediapipe

        self._mesh = mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=False, max_num_faces=max_faces)

    def find(self, image: Any, stamp: float) -> int:
        """See the class."""
        return len(self._mesh.process(image).multi_face_landmarks or [])


class MediaPipeDetector(Contestant):
    """MediaPipe's face detector for short range."""

    package = "mediapipe"

    def __init__(self, max_faces: int) -> None:
        super().__init__(max_faces)
        import mediapipe

        self._detector = mediapipe.solutions.face_detection.FaceDetection(model_selection=0)

    def find(self, image: Any, stamp: float) -> int:
        """See the class."""
        return len(self._detector.process(image).detections or [])


class YuNet(Contestant):
    """OpenCV's YuNet at the image's size."""

    package = "opencv-contrib-python"
    file: Path | None = None

    def __init__(self, max_faces: int) -> None:
        super().__init__(max_faces)
        if self.file is None:
            raise RuntimeError("no model file was given with --yunet")
        self._detector = cv2.FaceDetectorYN.create(str(self.file), "", (320, 320))

    def find(self, image: Any, stamp: float) -> int:
        """See the class."""
        self._detector.setInputSize(image.shape[1::-1])
        boxes = self._detector.detect(image)[1]
        return 0 if boxes is None else len(boxes)


class Dlib(Contestant):
    """dlib's detector of frontal faces (histograms of gradients)."""

    package = "dlib-bin"

    def __init__(self, max_faces: int) -> None:
        super().__init__(max_faces)
        import dlib

        self._detector = dlib.get_frontal_face_detector()

    def convert(self, pixels: NDArray[np.uint16]) -> Any:
        """One channel of 8 bit."""
        return grey(pixels)

    def find(self, image: Any, stamp: float) -> int:
        """See the class."""
        return len(self._detector(image, 0))


CONTESTANTS: dict[str, Callable[[int], Contestant]] = {
    "ours": Ours,
    "ours with pose": OursWithPose,
    REFERENCE: FaceMesh,
    "mediapipe detector": MediaPipeDetector,
    "yunet": YuNet,
    "dlib": Dlib,
}


def grey(pixels: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """8 bit between the percentiles 1 and 99 of a subsample, in one pass."""
    low, high = value_range(pixels, Normalisation())
    scale = 255.0 / max(high - low, 1.0)
    found: NDArray[np.uint8] = np.empty(pixels.shape, np.uint8)
    cv2.convertScaleAbs(np.maximum(pixels, np.uint16(low)), found, scale, -low * scale)
    return found


def cases(clip: Frames) -> dict[str, tuple[Frames, int]]:
    """Images and the most faces of each case."""
    rng = np.random.default_rng(0)
    large = [resized(frame, (640, 480), 512) for frame in clip]
    heads = [frame[:, 12:112] for frame in clip]
    six = []
    for k in range(len(clip)):
        row = [[heads[(k + 7 * (3 * j + i)) % len(heads)] for i in range(3)] for j in range(2)]
        six.append(resized(np.vstack([np.hstack(tiles) for tiles in row]), (640, 512), 512))
    return {
        "one, 640 x 512": (large, 1),
        "one, 160 x 120": (clip, 1),
        "empty, 640 x 512": (room(640, 512, len(clip), rng), 1),
        "empty, 160 x 120": (room(160, 120, len(clip), rng), 1),
        "six, 640 x 512": (six, 6),
    }


def resized(frame: NDArray[np.uint16], size: tuple[int, int], rows: int) -> NDArray[np.uint16]:
    """The frame at a size, its last row repeated down to a number of rows."""
    image = cv2.resize(frame, size, interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(cv2.copyMakeBorder(image, 0, rows - image.shape[0], 0, 0, cv2.BORDER_REPLICATE))


def room(width: int, height: int, count: int, rng: np.random.Generator) -> Frames:
    """A still room without people: walls of two temperatures, a window, a radiator, a lamp, and the camera's noise."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    scene = 29450.0 + 120.0 * y + 60.0 * (x > 0.62)
    scene[(x > 0.1) & (x < 0.3) & (y > 0.15) & (y < 0.5)] -= 350.0
    scene[(x > 0.1) & (x < 0.32) & (y > 0.65) & (y < 0.9)] += 1400.0
    scene[(x - 0.8) ** 2 + (y - 0.2) ** 2 < 0.002] += 2500.0
    return [np.rint(scene + rng.normal(0.0, NOISE, scene.shape)).astype(np.uint16) for _ in range(count)]


def run(contestant: Contestant, frames: Frames, rate: float, seconds: float, start: int) -> dict[str, Any]:
    """Figures of some seconds at a rate; `start` is how many images it has seen before."""
    walls, processor, conversions, faces = [], [], [], []
    count = max(round(seconds * rate), 10) if rate else 10**6
    step = 1.0 / (rate or TIGHT_RATE)
    due = began = time.perf_counter()
    for index in range(start, start + count):
        if rate:
            due += step
            time.sleep(max(due - time.perf_counter(), 0.0))
        pixels = frames[back_and_forth(index, len(frames))]
        used, started = time.process_time(), time.perf_counter()
        found, conversion = contestant.see(pixels, index * step)
        walls.append(time.perf_counter() - started)
        processor.append(time.process_time() - used)
        conversions.append(conversion)
        faces.append(found)
        if not rate and time.perf_counter() - began > seconds and len(walls) >= 10:
            break
    milliseconds = 1e3 * np.array(walls)
    return {
        "frames": len(walls),
        "faces": float(np.mean(faces)),
        "median": float(np.median(milliseconds)),
        "mean": float(milliseconds.mean()),
        "p95": float(np.percentile(milliseconds, 95)),
        "processor": 1e3 * float(np.mean(processor)),
        "conversion": 1e3 * float(np.median(conversions)),
    }


def compare(
    names: list[str], frames: Frames, max_faces: int, rate: float, rounds: int, seconds: float
) -> dict[str, dict[str, Any]]:
    """The contestants in turn, and all again: medians over the rounds, and ratios to Face Mesh."""
    contestants = {name: CONTESTANTS[name](max_faces) for name in names}
    seen = dict.fromkeys(names, 0)
    for name, contestant in contestants.items():
        for index in range(WARM_UP):
            contestant.see(frames[back_and_forth(index, len(frames))], index / (rate or TIGHT_RATE))
        seen[name] = WARM_UP
    table: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for _ in range(rounds):
        for name, contestant in contestants.items():
            table[name].append(run(contestant, frames, rate, seconds, seen[name]))
            seen[name] += table[name][-1]["frames"]
    result = {}
    for name, done in table.items():
        result[name] = {key: round(float(np.median([one[key] for one in done])), 3) for key in done[0]}
        if REFERENCE in table:
            for key in ("median", "mean", "processor"):
                ratios = [one[key] / other[key] for one, other in zip(done, table[REFERENCE], strict=True)]
                result[name][f"{key}_ratio"] = round(float(np.median(ratios)), 3)
    return result


def available() -> tuple[dict[str, str], dict[str, str]]:
    """Versions of the contestants that can run, and why others cannot."""
    versions, skipped = {}, {}
    for name, make in CONTESTANTS.items():
        try:
            make(1)
        except (ImportError, RuntimeError, AttributeError, cv2.error) as error:
            skipped[name] = str(error)
            continue
        package = getattr(make, "package", "")
        versions[name] = importlib.metadata.version(package) if package else "this version"
    return versions, skipped


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--yunet", type=Path, help="YuNet's ONNX file, from OpenCV's model zoo")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each turn")
    parser.add_argument(
        "--rates", type=float, nargs="+", default=[0.0, 9.0, 30.0, 60.0], help="images a second, 0: tight"
    )
    parser.add_argument("--only", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS))
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/others.json")
    args = parser.parse_args()

    cv2.setNumThreads(1)
    YuNet.file = args.yunet
    started_on = machine()
    versions, skipped = available()
    names = [name for name in versions if name in args.only]
    clip = list(np.load(ROOT / "resource/demo_clip.npz")["frames"])
    result: dict[str, Any] = {
        "machine": started_on, "versions": {name: versions[name] for name in names}, "skipped": skipped,
        "rounds": args.rounds, "seconds": args.seconds, "targets": TARGETS, "most_times_one": MOST_TIMES_ONE, "cases": {},
    }  # fmt: skip
    for case, (frames, max_faces) in cases(clip).items():
        result["cases"][case] = {}
        for rate in args.rates:
            figures = compare(names, frames, max_faces, rate, args.rounds, args.seconds)
            result["cases"][case][f"{rate:g}"] = figures
            print_figures(case, rate, figures)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for name, why in skipped.items():
        print(f"skipped {name}: {why}")


def print_figures(case: str, rate: float, figures: dict[str, dict[str, Any]]) -> None:
    """A line a contestant."""
    print(f"{case}, {f'{rate:g} Hz' if rate else 'tight'}")
    for name, values in figures.items():
        ratios = (
            f"{values['median_ratio']:.2f} / {values['mean_ratio']:.2f} of Face Mesh" if "mean_ratio" in values else ""
        )
        print(
            f"    {name:20} median {values['median']:6.2f} ms, mean {values['mean']:6.2f}, processor {values['processor']:6.2f}, "
            f"conversion {values['conversion']:5.2f}, faces {values['faces']:.2f}  {ratios}",
            flush=True,
        )


if __name__ == "__main__":
    main()
