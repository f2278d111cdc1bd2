# SPDX-License-Identifier: Apache-2.0
"""Run the demo's three nodes and end them together; started by demo.sh."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

from ament_index_python.packages import get_package_prefix

from thermal_fld_ros.perception.decoding import UNITS
from thermal_fld_ros.perception.models import DETECTOR_FILE, LANDMARKS_FILE, default_model_folder, load_model
from thermal_fld_ros.perception.overlay import legible_scale
from thermal_fld_ros.recordings.opening import open_source
from thermal_fld_ros.recordings.source import Reading, Source, SourceError

PREFIX = Path(get_package_prefix("thermal_fld_ros"))
CLIP = PREFIX / "share/thermal_fld_ros/resource/demo_clip.npz"
GRACE = 10.0
"""Seconds that a node has to end after SIGINT."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LARGEST_SCALE = 8
"""The detector's overlay cannot be enlarged further."""


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/demo.sh", description="Landmarks on a thermal clip: replayed camera, detector node, film."
    )
    parser.add_argument(
        "--input",
        type=Path,
        help="folder of images, video, array, table or bag: docs/input.md (default: a rendered clip)",
    )
    parser.add_argument("--topic", help="image topic of a bag that has several")
    parser.add_argument(
        "--axes", default="", help="order of an array's axes, such as THW or HWT (default: by its shape)"
    )
    parser.add_argument(
        "--preview",
        action="store_true",
        help="read the preview picture of radiometric JPEG files instead of the temperatures",
    )
    parser.add_argument(
        "--unit", choices=sorted(UNITS), help="what a pixel's value means (default: what the input says, or counts)"
    )
    parser.add_argument(
        "--rotate", type=int, default=0, choices=(0, 90, 180, 270), help="clockwise turn that brings faces upright"
    )
    parser.add_argument(
        "--rate", type=float, default=0.0, help="images per second (default: the recording's own, or 30)"
    )
    parser.add_argument("--models", type=Path, help="folder with another face_detector.onnx and face_landmarks.onnx")
    parser.add_argument("--output", type=Path, default=Path("demo_output"), help="folder for the results")
    return parser.parse_args()


class Nodes:
    """The demo's processes, each in a session of its own so that ctrl-C reaches them only through here."""

    def __init__(self) -> None:
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(
        self, executable: str, remappings: dict[str, str] | None = None, **parameters: Any
    ) -> subprocess.Popen[bytes]:
        """Start a node of the package."""
        command = [sys.executable, str(PREFIX / "lib/thermal_fld_ros" / executable), "--ros-args"]
        for name, value in parameters.items():
            command += ["-p", f"{name}:={json.dumps(value)}"]
        for inner, outer in (remappings or {}).items():
            command += ["-r", f"{inner}:={outer}"]
        process = subprocess.Popen(command, start_new_session=True)
        self._running[executable] = process
        return process

    def wait_for(self, executable: str) -> int:
        """Wait for the end of one node. Another one's end before that is a failure."""
        while (status := self._running[executable].poll()) is None:
            for name, process in self._running.items():
                if name != executable and process.poll() is not None:
                    raise RuntimeError(f"the node {name} has ended with status {process.returncode}")
            time.sleep(0.05)
        return status

    def stop(self) -> None:
        """End what still runs: SIGINT, and SIGKILL for what does not listen. In reverse order: consumers before producers."""
        ignore_signals()
        for process in reversed(self._running.values()):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
                try:
                    process.wait(GRACE)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()


def usable_models(folder: Path) -> dict[str, str]:
    """The model parameters; raises ModelError here, because the detector node would live on and wait for better ones."""
    models = {"detector_model": str(folder / DETECTOR_FILE), "landmark_model": str(folder / LANDMARKS_FILE)}
    for path in models.values():
        load_model(path)
    return models


def run(options: argparse.Namespace, source: Source, clip: Path, unit: str) -> int:
    """Play the clip through the nodes."""
    first = next((image for image in source.entries() if not isinstance(image, SourceError)), None)
    if first is None:
        raise SourceError(f"{clip}: there is no image in it")
    rate = min(max(options.rate or source.fps or 30.0, 0.1), 1000.0)  # what the nodes take
    models = usable_models(options.models or default_model_folder())
    nodes = Nodes()
    try:
        nodes.start(
            "detector",
            unit=unit,
            rotate=options.rotate,
            overlay_scale=min(LARGEST_SCALE, legible_scale((first.width, first.height))),
            **models,
        )
        nodes.start(
            "film",
            {"overlay": "thermal_fld_detector/overlay"},
            output=str(options.output),
            rate=rate,
            rotate=options.rotate,
            total=source.length or 0,
        )
        nodes.start(
            "replay",
            input=str(clip),
            topic=options.topic or "",
            axes=options.axes,
            preview=options.preview,
            rate=rate,
            wait_for_subscribers=2,
        )
        status = nodes.wait_for("replay")
    finally:
        nodes.stop()
    return status or check(options.output)


def check(output: Path) -> int:
    """The exit status by what the node film has seen: a run without any result has shown nothing."""
    summary = json.loads((output / "summary.json").read_text(encoding="utf-8"))
    if summary["results"]:
        return 0
    raise RuntimeError(
        f"the detector gave no result for any of {summary['images']} images: the reason stands above, in its messages"
    )


def ignore_signals() -> None:
    """A second ctrl-C must not leave behind what is being ended."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def interrupt(number: int, frame: FrameType | None) -> None:
    """Let every ending signal run the `finally` clauses."""
    ignore_signals()
    raise KeyboardInterrupt


def main() -> None:
    """Run the demo."""
    options = parse()
    for number in SIGNALS:
        signal.signal(number, interrupt)
    clip = options.input or CLIP
    try:
        source = open_source(clip, Reading(options.topic or "", options.axes, options.preview))
        unit = options.unit or source.unit or "counts"
        print(f"{clip}: {source.length or '?'} images, unit {unit}, results in {options.output}", flush=True)
        for note in source.notes:
            print(f"{clip}: {note}", flush=True)
        sys.exit(run(options, source, clip, unit))
    except (SourceError, RuntimeError) as error:
        sys.exit(f"demo: {error}")
    except KeyboardInterrupt:
        sys.exit("demo: interrupted, nothing is left running")


if __name__ == "__main__":
    main()
