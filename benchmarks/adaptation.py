# SPDX-License-Identifier: Apache-2.0
"""The whole loop with a camera unlike those of the training: recorded over DDS, labelled, adapted to, measured on held-out people.

    python benchmarks/adaptation.py --face-model DIR [--distil] [--out FILE]
    python benchmarks/adaptation.py --face-model DIR --thermal-only [--out FILE]

A robot's low, cheap thermal camera, and an RGB camera beside it, are simulated (test/loop_people.py). Each person is one episode.
`--people FILE` only renders a few people and writes what test/system needs; `--rendered FILE` takes people from such a file.
`--thermal-only` adapts without the RGB camera and without ROS, and shows by the renderer's labels what the network cannot know.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rclpy
from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "test")]

os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"

from loop_people import RATE, RGB_SCALE, SIZE, TO_RGB, Person, read_people, write_people  # noqa: E402
from loop_rig import LoopRig  # noqa: E402
from pipeline import machine  # noqa: E402

from thermal_fld_ros.__main__ import main as main_of_package  # noqa: E402
from thermal_fld_ros.distillation.adapt import STEPS, Adaptation, adapt  # noqa: E402
from thermal_fld_ros.distillation.self_training import self_train  # noqa: E402
from thermal_fld_ros.perception.decoding import UNITS, Decoding, decode_array  # noqa: E402
from thermal_fld_ros.perception.pipeline import Pipeline, PipelineOptions  # noqa: E402
from thermal_fld_ros.provenance import git_state  # noqa: E402
from thermal_fld_ros.recordings.messages import RGB, THERMAL  # noqa: E402
from thermal_fld_ros.registration.registration import Homography, write_registration  # noqa: E402
from thermal_fld_ros.synthesis.clip import moved, sitter  # noqa: E402
from thermal_fld_ros.synthesis.morphable import MorphableModel, load_morphable_model  # noqa: E402
from thermal_fld_ros.synthesis.scene import Placement, Renderer, Scene  # noqa: E402
from thermal_fld_ros.synthesis.sensor import Sensor, centikelvin  # noqa: E402
from thermal_fld_ros.synthesis.thermal import sample_warmth  # noqa: E402
from thermal_fld_ros.synthesis.visible import sample_look, sample_visible  # noqa: E402

LENS = Sensor(blur=0.3, motion=(0.0, 0.0), netd=0.0, stripes=0.0, drift=0.0, sharpen=0.0)
"""Of the renders; what the camera does to the image comes after."""

HELD_OUT, VALIDATION = 6, 3
"""People, the first and the next ones; the others are for training."""

STEP = 0.9
"""Seconds of a person's movements between two frames: in a hurry, so that few of them show much."""

PITCH = np.deg2rad(-35)
"""The robot is low and looks up at people."""


def render_person(renderer: Renderer, number: int, frames: int) -> Person:
    """A person who looks around and speaks, RATE times a second, before both cameras."""
    rng = np.random.default_rng([7, number])
    ambient, person = rng.uniform(19, 26), sitter(renderer.model, rng)
    size = (SIZE[0] * RGB_SCALE, SIZE[1] * RGB_SCALE)
    warmth, look = sample_warmth(rng, ambient), sample_look(rng)
    visible = sample_visible(rng, size)
    start, seed = rng.uniform(0, 60), int(rng.integers(2**31))
    thermal, rgb, points = [], [], []
    for k in range(frames):
        t = start + STEP * k
        posed = moved(renderer.model, person, t)
        posed = replace(posed, pitch=posed.pitch + PITCH, trunk_pitch=PITCH)
        centre = ((0.5 + 0.05 * np.sin(0.5 * t)) * size[0], (0.5 + 0.03 * np.sin(0.9 * t)) * size[1])
        place = Placement(posed, warmth, centre, 3.4 * RGB_SCALE, 90, look)
        rendering = renderer.render(Scene(size, ambient, [place], LENS, seed, clutter=3, frame=k, visible=visible))
        celsius = cv2.resize(rendering.celsius, SIZE, interpolation=cv2.INTER_AREA)
        thermal.append(centikelvin(celsius))
        rgb.append(rendering.rgb)
        points.append((rendering.faces[-1].points + 0.5) / RGB_SCALE - 0.5)
    return Person(f"p{number:02d}", np.stack(thermal), rgb, np.stack(points))


def render_people(model: MorphableModel, numbers: range, frames: int) -> list[Person]:
    """Different people by their numbers."""
    renderer = Renderer(model)
    return [render_person(renderer, number, frames) for number in tqdm(numbers, desc="people")]


def record(people: Sequence[Person], folder: Path) -> list[Path]:
    """A bag of each person, recorded by the capture node in real time and compared with what was published."""
    rclpy.init()
    cameras = LoopRig(folder / "bags")
    try:
        cameras.start()
        cameras.connect(THERMAL, RGB)
        return [cameras.film(person) for person in tqdm(people, desc="recordings")]
    finally:
        cameras.close()
        rclpy.shutdown()


def label(bags: Sequence[Path], people: Sequence[Person], folder: Path, teacher: Path) -> dict[str, Any]:
    """Make the data set; what its dataset.json tells."""
    out, names = folder / "robot", [person.name for person in people]
    write_registration(Homography(np.vstack([TO_RGB.matrix, [0, 0, 1]])), folder / "registration.json")
    command = ["dataset", *map(str, bags), "--out", str(out), "--registration", str(folder / "registration.json")]
    command += ["--unit", "centikelvin", "--max-turn", "90", "--teacher", str(teacher)]
    command += ["--test", *names[:HELD_OUT], "--validation", *names[HELD_OUT : HELD_OUT + VALIDATION]]
    if main_of_package(command) != 0:
        sys.exit("no data set")
    about: dict[str, Any] = json.loads((out / "dataset.json").read_text())
    return about


def adapt_to_thermal(people: Sequence[Person], folder: Path, steps: int) -> tuple[dict[str, Any], Adaptation]:
    """Adapt by the thermal images alone; what the data set tells, and what came of it."""
    files = [folder / f"{person.name}.npy" for person in people]
    for person, file in zip(people, files, strict=True):
        np.save(file, np.stack([person.seen(number) for number in range(len(person.points))]))
    out, names = folder / "robot", [person.name for person in people]
    command = ["pseudo_label", *map(str, files), "--out", str(out), "--unit", "centikelvin"]
    command += ["--test", *names[:HELD_OUT], "--validation", *names[HELD_OUT : HELD_OUT + VALIDATION]]
    if main_of_package(command) != 0:
        sys.exit("no data set")
    about: dict[str, Any] = json.loads((out / "dataset.json").read_text())
    return about, self_train(out, folder / "adapted", "adapt", steps=steps)


def errors(model: Path, people: Sequence[Person]) -> dict[str, float]:
    """Of every frame of people against the renderer's own labels, as the pipeline finds their faces without smoothing."""
    options = PipelineOptions(landmark_model=str(model), smoothing=False, shutter=False, detect_every=1)
    found, frames = [], 0
    for person in people:
        pipeline = Pipeline(options)
        for number, points in enumerate(person.points):
            frames += 1
            frame = decode_array(person.seen(number), Decoding(unit=UNITS["centikelvin"]))
            size = np.sqrt(np.prod(np.ptp(points, axis=0)))
            each = [
                np.linalg.norm(face.points - points, axis=1).mean() / size for face in pipeline(frame, number / RATE)
            ]
            found += [100 * min(each)] if each and min(each) < 0.5 else []
    return {"frames": frames, "found": len(found), "nme": round(float(np.mean(found)), 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--face-model", type=Path)
    parser.add_argument("--rendered", type=Path, help="people that --people has written, in place of --face-model")
    parser.add_argument("--thermal-only", action="store_true", help="adapt without an RGB camera")
    parser.add_argument("--people", type=Path, help="write a few people for test/system here, and nothing else")
    parser.add_argument("--teacher", type=Path, default=ROOT / "models/rgb_teacher.pt", help="RGB network")
    parser.add_argument("--distil", action="store_true", help="adapt in two levels from the teacher")
    parser.add_argument("--count", type=int, default=24, help=f"people, of whom {HELD_OUT} are held out")
    parser.add_argument("--frames", type=int, default=21, help="thermal ones of each person")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument(
        "--folder", type=Path, default=Path("runs/loop"), help="for bags, data set and network; removed before"
    )
    parser.add_argument(
        "--out", type=Path, help="default: benchmarks/results/adaptation.json, or adaptation_thermal_only.json"
    )
    args = parser.parse_args()
    if (args.face_model is None) == (args.rendered is None):
        parser.error("expected --face-model or --rendered")
    name = "adaptation_thermal_only" if args.thermal_only else "adaptation"
    args.out = args.out or ROOT / f"benchmarks/results/{name}.json"
    people = (
        read_people(args.rendered)
        if args.rendered
        else render_people(load_morphable_model(args.face_model), range(args.count), args.frames)
    )
    if args.people:
        write_people(people, args.people)
        return
    shutil.rmtree(args.folder, ignore_errors=True)
    args.folder.mkdir(parents=True)
    result: dict[str, Any] = {
        "git": git_state(),
        "machine": machine(),
    }
    seconds = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        started = time.monotonic()
        done = work()
        seconds[name] = round(time.monotonic() - started, 1)
        return done

    if args.thermal_only:
        about, adapted = timed("data set and adaptation", lambda: adapt_to_thermal(people, args.folder, args.steps))
        result |= {"people": len(people), "data": about["counts"], "left_out": about["left_out"]}
        finish(args, people, adapted, seconds, result)
        return
    bags = timed("recording", lambda: record(people, args.folder))
    manifests = [json.loads((bag / "manifest.json").read_text()) for bag in bags]
    result["recorded"] = {
        "people": len(people), "thermal": sum(m["messages"][THERMAL]["received"] for m in manifests),
        "rgb": sum(m["messages"][RGB]["received"] for m in manifests), "pairs": sum(m["pairs"]["written"] for m in manifests),
    }  # fmt: skip
    about = timed("data set", lambda: label(bags, people, args.folder, args.teacher))
    result |= {"data": about["counts"], "teacher": about["settings"]["teacher"]}
    teacher = args.teacher if args.distil else None
    adapted = timed(
        "adaptation",
        lambda: adapt(args.folder / "robot", args.folder / "adapted", "adapt", teacher=teacher, steps=args.steps),
    )
    result["distilled"] = args.distil
    finish(args, people, adapted, seconds, result)


def finish(
    args: argparse.Namespace,
    people: Sequence[Person],
    adapted: Adaptation,
    seconds: dict[str, float],
    result: dict[str, Any],
) -> None:
    """Measure both networks on every frame of the people who were held out, and write all that is known."""
    result |= {
        "steps": args.steps,
        "seconds": seconds,
        "before": adapted.before,
        "after": adapted.after,
    }
    held_out = people[:HELD_OUT]
    models = {
        "before": args.folder / "adapted/training/before.onnx",
        "after": args.folder / "adapted/training/after.onnx",
    }
    result["every_frame"] = {when: errors(model, held_out) for when, model in models.items()}
    result |= {"written": adapted.model is not None, "reason": adapted.reason}
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
