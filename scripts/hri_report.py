# SPDX-License-Identifier: Apache-2.0
"""Errors of head poses, states, temperatures and breathing on rendered people of known truth: writes docs/hri_accuracy.md.

    python scripts/hri_report.py --face-model ICT_FACE [--models FOLDER] [--scale 1.0] [--only pose states temperatures breathing]
    python scripts/hri_report.py --face-model ICT_FACE --fit [--models FOLDER]

To be run again whenever the landmark network or the renderer changes. `--scale` makes more or fewer people; 1 takes about ten minutes on
one core. Sections that are not run are taken over from the page as it is. With `--fit` it prints what `eye_open`, `eye_closed` and
`yawn_opening` should be for the network, from other people than those of the page.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from thermal_fld_ros.ergonomics.breathing import GOOD  # noqa: E402
from thermal_fld_ros.ergonomics.person import Ergonomics, ErgonomicsOptions, Observation, PersonErgonomics  # noqa: E402
from thermal_fld_ros.ergonomics.posture import neck_angles, turn_between  # noqa: E402
from thermal_fld_ros.ergonomics.states import eye_ratio, mouth_ratio  # noqa: E402
from thermal_fld_ros.perception.camera import Camera  # noqa: E402
from thermal_fld_ros.perception.cropping import crop_from_points, look_twice  # noqa: E402
from thermal_fld_ros.perception.decoding import UNITS, Decoding, ThermalFrame, decode_array  # noqa: E402
from thermal_fld_ros.perception.face import LEFT_EYE, RIGHT_EYE  # noqa: E402
from thermal_fld_ros.perception.geometry import box_around  # noqa: E402
from thermal_fld_ros.perception.landmarker import Landmarker, Landmarks  # noqa: E402
from thermal_fld_ros.perception.models import LANDMARKS_FILE, default_model_folder, load_model  # noqa: E402
from thermal_fld_ros.perception.pose import estimate_pose  # noqa: E402
from thermal_fld_ros.perception.smoothing import OneEuro  # noqa: E402
from thermal_fld_ros.perception.temperature import REGIONS, region_temperatures  # noqa: E402
from thermal_fld_ros.synthesis import figure  # noqa: E402
from thermal_fld_ros.synthesis.body import build, euler  # noqa: E402
from thermal_fld_ros.synthesis.clip import sitter  # noqa: E402
from thermal_fld_ros.synthesis.morphable import load_morphable_model  # noqa: E402
from thermal_fld_ros.synthesis.person import Person as Body  # noqa: E402
from thermal_fld_ros.synthesis.person import sample_person  # noqa: E402
from thermal_fld_ros.synthesis.scene import FaceLabel, Placement, Renderer, Scene  # noqa: E402
from thermal_fld_ros.synthesis.sensor import Sensor, centikelvin  # noqa: E402
from thermal_fld_ros.synthesis.thermal import Warmth, sample_warmth  # noqa: E402

Array = NDArray[np.float64]
TO_FACE = np.array(
    [[0.0, 1, 0], [0, 0, 1], [1, 0, 0]]
)  # head (x forward, y left, z up) -> renderer (x, y up, z forward)
TO_OPTICAL = np.diag([1.0, -1, -1])
USUAL = Sensor(blur=0.7, motion=(0.0, 0.0), netd=0.05, stripes=0.02, drift=0.1, sharpen=0.0)
PERFECT = Sensor(blur=0.01, motion=(0.0, 0.0), netd=0.0, stripes=0.0, drift=0.0, sharpen=0.0)
CENTIKELVIN = Decoding(UNITS["centikelvin"])
FACE_CM = 14.5
BINS = ((0, 15), (15, 30), (30, 45), (45, 60))


@dataclass
class Shot:
    """A rendered face and what is known of it."""

    frame: ThermalFrame
    label: FaceLabel
    rotation: Array
    camera: Camera


class Studio:
    """Renders single faces and finds their landmarks in the box that is known."""

    def __init__(self, face_model: Path, models: Path) -> None:
        self.model = load_morphable_model(face_model)
        self.renderer = Renderer(self.model)
        self.landmarker = Landmarker(load_model(models / LANDMARKS_FILE))

    def shoot(
        self, body: Body, warmth: Warmth, size: float, *, distance: float = 100.0, sensor: Sensor = USUAL,
        seed: int = 0, frame: int = 0, shift: tuple[float, float] = (0.0, 0.0),
    ) -> Shot:  # fmt: skip
        """A face whose box is about `size` pixels large, in an image of twice that."""
        side, scale = round(2 * size), size / FACE_CM
        middle = ((side - 1) / 2 + shift[0], (side - 1) / 2 + shift[1])
        place = Placement(body, warmth, middle, scale, distance)
        rendering = self.renderer.render(
            Scene((side, side), warmth.ambient, [place], sensor, seed, clutter=2, frame=frame)
        )
        _, shape = build(self.model, body)
        seen = figure.Viewpoint.looking_at(shape[self.model.landmarks], middle, scale, distance)
        focal = scale * distance
        matrix = np.array([[focal, 0.0, seen.offset[0]], [0.0, focal, seen.offset[1]], [0.0, 0.0, 1.0]])
        turn = euler(body.yaw, body.pitch, body.roll).astype(np.float64)
        return Shot(
            decode_array(centikelvin(rendering.celsius), CENTIKELVIN),
            rendering.faces[-1],
            TO_OPTICAL @ turn @ TO_FACE,
            Camera(matrix, np.empty(0)),
        )

    def find(self, shot: Shot, before: Landmarks | None = None) -> Landmarks:
        """Landmarks from the box of the label, or from the frame before, and refined once as the pipeline does."""
        size, scale = self.landmarker.size, self.landmarker.crop_scale
        look = partial(self.landmarker, shot.frame)
        if before is None:
            (result,) = look_twice(look, [box_around(shot.label.points)], size, scale)
            assert result is not None
            return result[1]
        return look([crop_from_points(before.points, size, scale)])[0]

    def sampled(self, rng: np.random.Generator) -> tuple[Body, Warmth]:
        """A random person without a mask or hands at the face, in a room."""
        body = replace(sample_person(self.model, rng), mask=False, objects=[])
        return body, sample_warmth(rng, rng.uniform(19, 27))

    def with_expression(self, body: Body, **weights: float) -> Body:
        """The person with these expression weights, `_L` and `_R` alike."""
        expression = body.expression.copy()
        for k, name in enumerate(self.model.expression_names):
            base = name.removesuffix("_L").removesuffix("_R")
            if base in weights:
                expression[k] = weights[base]
        return replace(body, expression=expression)


# --- tables


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows]) + "\n"


def middle_and_tail(values: Sequence[float], digits: int = 1) -> str:
    """Median and 90th percentile."""
    if not len(values):
        return "-"
    return f"{np.median(values):.{digits}f} / {np.percentile(values, 90):.{digits}f}"


# --- sections


def pose_section(studio: Studio, scale: float) -> str:
    """Rotation errors by yaw."""
    rng = np.random.default_rng(11)
    errors: dict[str, list[tuple[float, float]]] = {"calibrated": [], "true points": [], "assumed": []}
    refused = 0
    count = round(600 * scale)
    for k in range(count):
        body, warmth = studio.sampled(rng)
        yaw, pitch, roll = np.deg2rad([rng.uniform(-60, 60), rng.normal(0, 12), rng.normal(0, 8)])
        body = replace(body, yaw=yaw, pitch=pitch, roll=roll)
        size = math.exp(rng.uniform(math.log(36), math.log(110)))
        shot = studio.shoot(body, warmth, size, distance=rng.uniform(50, 200), seed=k)
        found = studio.find(shot)
        half = shot.camera.matrix.copy()
        half[0, 0] = half[1, 1] = 343.0  # 320 pixels that span 50 degrees, whatever the camera really is
        guess = Camera(half, np.empty(0), approximate=True)
        for name, points, confidence, camera in (
            ("calibrated", found.points, found.confidence, shot.camera),
            ("true points", shot.label.points, np.ones(68), shot.camera),
            ("assumed", found.points, found.confidence, guess),
        ):
            pose = estimate_pose(points, confidence, camera)
            if pose is None:
                refused += name == "calibrated"
            else:
                errors[name].append((abs(math.degrees(yaw)), turn_between(pose.rotation, shot.rotation)))
    rows = []
    for low, high in (*BINS, (0, 45)):
        row: list[object] = [f"{low} to {high}"]
        row += [middle_and_tail([e for y, e in errors[name] if low <= y < high]) for name in errors]
        rows.append(row)
    head = ("yaw (degrees)", "calibrated camera", "with the true points", "assumed field of view")
    return (
        f"Rotation error in degrees, median / 90th percentile, of {count} random people (face 36 to 110 px, 0.5 to 2 m, pitch and roll\n"
        f"random, glasses and hair as they come), each seen once; {refused} without a pose. The second column is what remains with\n"
        "perfect landmarks: people's heads differ. The third assumes a focal length of 343 px, while the real ones lie between 125 and\n"
        "1500.\n\n"
    ) + table(head, rows)


def states_section(studio: Studio, scale: float) -> str:
    """Openings of single faces, then sequences."""
    rng = np.random.default_rng(12)
    blinks, jaws = (0.0, 0.5, 1.0), (0.0, 0.25, 0.5, 0.9)
    eyes: dict[float, list[tuple[float, float]]] = {level: [] for level in blinks}
    mouths: dict[float, list[tuple[float, float]]] = {level: [] for level in jaws}
    for k in range(round(60 * scale)):
        warmth = sample_warmth(rng, rng.uniform(19, 27))
        body = replace(
            sitter(studio.model, rng), yaw=rng.uniform(-0.4, 0.4), pitch=rng.normal(0, 0.12), roll=rng.normal(0, 0.1)
        )
        size = rng.uniform(45, 110)
        for levels, name, store in ((blinks, "eyeBlink", eyes), (jaws, "jawOpen", mouths)):
            for level in levels:
                shot = studio.shoot(studio.with_expression(body, **{name: level}), warmth, size, seed=k)
                found = studio.find(shot)
                if store is eyes:
                    pair = tuple(
                        np.mean([eye_ratio(points, eye) for eye in (RIGHT_EYE, LEFT_EYE)])
                        for points in (shot.label.points, found.points)
                    )
                else:
                    pair = (mouth_ratio(shot.label.points), mouth_ratio(found.points))
                store[level].append((float(pair[0]), float(pair[1])))

    def rows(store: dict[float, list[tuple[float, float]]]) -> list[list[object]]:
        lines: list[list[object]] = []
        for level, pairs in store.items():
            truth, found = np.array(pairs).T
            lines.append([f"{level:g}", f"{truth.mean():.3f}", f"{found.mean():.3f}", f"{found.std():.3f}",
                          f"{np.median(np.abs(found - truth)):.3f}"])  # fmt: skip
        return lines

    head = ("", "true ratio, mean", "found, mean", "spread", "median error")
    text = "Eye aspect ratio by how far the lids are closed (0 open, 1 shut), without a person's own reference:\n\n"
    text += table(("lids", *head[1:]), rows(eyes))
    text += "\nMouth opening (lengths of the nose) by how far the jaw is dropped:\n\n" + table(
        ("jaw", *head[1:]), rows(mouths)
    )
    return text + "\n" + sequences(studio, scale)


def fit_states(studio: Studio, scale: float) -> str:
    """Values of the parameters of eyes and mouth that suit the landmark network, from people of a seed of their own."""
    rng = np.random.default_rng(112)
    eyes: list[tuple[float, float]] = []  # open, closed
    mouths: list[tuple[float, float]] = []  # a little open, wide open
    for k in range(round(80 * scale)):
        warmth = sample_warmth(rng, rng.uniform(19, 27))
        body = replace(
            sitter(studio.model, rng), yaw=rng.uniform(-0.4, 0.4), pitch=rng.normal(0, 0.12), roll=rng.normal(0, 0.1)
        )
        size = rng.uniform(45, 110)

        def points(name: str, level: float) -> NDArray[np.float32]:
            acted = studio.with_expression(body, **{name: level})  # noqa: B023
            return studio.find(studio.shoot(acted, warmth, size, seed=5000 + k)).points  # noqa: B023

        ratios = [
            np.mean([eye_ratio(points("eyeBlink", lids), eye) for eye in (RIGHT_EYE, LEFT_EYE)]) for lids in (0, 1)
        ]
        eyes.append((float(ratios[0]), float(ratios[1])))
        mouths.append((mouth_ratio(points("jawOpen", 0.25)), mouth_ratio(points("jawOpen", 0.9))))
    opened, closed = np.array(eyes).T
    little, wide = np.array(mouths).T
    # as many yawns are missed as mouths that are a little open are taken for yawns
    openings = np.linspace(0.0, 1.0, 1001)
    misses = [abs(np.mean(wide < opening) - np.mean(little > opening)) for opening in openings]
    yawn = float(np.mean(openings[np.array(misses) <= min(misses)]))
    return (
        f"eye_open: {np.median(opened):.2f}\n"
        f"eye_closed: {np.median(closed / opened):.2f} (of single people {np.percentile(closed / opened, 10):.2f} to "
        f"{np.percentile(closed / opened, 90):.2f}; towards 1 the network does not show closed lids)\n"
        f"yawn_opening: {yawn:.2f} (missed {np.mean(wide < yawn):.0%} of {len(wide)} wide open mouths)"
    )


def acting(studio: Studio, body: Body, t: float) -> tuple[Body, dict[str, bool]]:
    """A person at time t: sits still, then turns and nods slowly, blinks every 3 s, yawns, speaks; and what is true of it."""
    moving = min(max((t - 4.0) / 2.0, 0.0), 1.0)
    blink = 1.0 if 1.4 <= t % 3.0 < 1.65 else 0.0
    yawn = max(0.0, math.sin(math.pi * (t - 9.0) / 4.0)) if 9.0 <= t < 13.0 else 0.0
    speaking = 16.0 <= t < 24.0
    jaw = 0.9 * yawn + (0.18 * (1 + math.sin(2 * math.pi * 3.3 * t)) if speaking else 0.0)
    acted = replace(
        studio.with_expression(body, eyeBlink=blink, jawOpen=jaw),
        yaw=body.yaw + moving * 0.45 * math.sin(0.5 * t),
        pitch=body.pitch + moving * 0.3 * math.sin(0.7 * t),
        roll=moving * 0.2 * math.sin(0.33 * t),
    )  # fmt: skip
    return acted, {"yawning": 11.5 <= t < 12.0, "speaking": 18.0 <= t < 24.0, "quiet": t < 9.0 or 14.5 <= t < 16.0}


def watch(
    studio: Studio, rate: float, seconds: float, script: Callable[[float], tuple[Body, Warmth]], size: float,
    options: ErgonomicsOptions, seed: int, shift: Callable[[float], tuple[float, float]] = lambda t: (0.0, 0.0),
) -> Iterator[tuple[float, Shot, Ergonomics]]:  # fmt: skip
    """Play a script before the camera: what the landmarker, the smoothing, the pose and the ergonomics make of it."""
    person, smoother = PersonErgonomics(options, 0.0), OneEuro()
    found, pose = None, None
    for k in range(round(seconds * rate)):
        t = k / rate
        body, warmth = script(t)
        shot = studio.shoot(body, warmth, size, seed=seed, frame=k, shift=shift(t))
        found = studio.find(shot, found)
        points = smoother(found.points, size, 1 / rate, min_cutoff=1.0, beta=20.0)
        pose = estimate_pose(points, found.confidence, shot.camera, pose)
        regions = region_temperatures(shot.frame, points) if options.vital_signs else {}
        celsius = {name: region.celsius for name, region in regions.items()}
        yield t, shot, person.update(Observation(t, points, found.confidence, pose, celsius))


def sequences(studio: Studio, scale: float) -> str:
    """Neck angles, blinks, yawns and speech over time."""
    rng = np.random.default_rng(13)
    rate, seconds, people = 15.0, 24.0, max(round(4 * scale), 1)
    neck: dict[str, list[float]] = {"flexion": [], "lateral_bend": [], "twist": []}
    blinks, yawns = [], []
    hits: dict[str, list[bool]] = {"yawning": [], "speaking": [], "no yawn": [], "no speech": []}
    for number in range(people):
        warmth = sample_warmth(rng, 23.0)
        body = replace(sitter(studio.model, rng), yaw=rng.normal(0, 0.1), pitch=rng.normal(0, 0.08), roll=0.0)
        reference: Array | None = None
        known = None
        for t, shot, known in watch(
            studio,
            rate,
            seconds,
            lambda t, body=body, warmth=warmth: (acting(studio, body, t)[0], warmth),
            70.0,
            ErgonomicsOptions(),
            number,
        ):
            reference = shot.rotation if reference is None else reference
            truth = acting(studio, body, t)[1]
            if known.neck_confidence > 0.0:
                true_neck = neck_angles(shot.rotation, reference)
                for name, errors in neck.items():
                    errors.append(abs(getattr(known.neck, name) - getattr(true_neck, name)))
            if truth["yawning"]:
                hits["yawning"].append(known.yawning)
            if truth["speaking"]:
                hits["speaking"].append(known.speaking)
            if truth["quiet"]:
                hits["no yawn"].append(not known.yawning)
                hits["no speech"].append(not known.speaking)
        assert known is not None
        blinks.append(known.blinks)
        yawns.append(known.yawns)
    rows: list[list[object]] = [
        [f"neck {name.replace('_', ' ')} (degrees)", middle_and_tail(errors)] for name, errors in neck.items()
    ]
    text = (
        f"Sequences of {people} people ({seconds:g} s at {rate:g} Hz, face of 70 px): they sit still for 4 s, then turn by 26, nod by\n"
        "17 and tilt by 11 degrees, with 8 blinks of 0.25 s, one yawn of 4 s and 8 s of speech. Errors of the angles against the first\n"
        "seconds, median / 90th percentile:\n\n"
    )
    text += table(("", "error"), rows) + "\n"
    counts = [
        ["blinks (8 each)", ", ".join(map(str, blinks))],
        ["yawns (1 each)", ", ".join(map(str, yawns))],
        *([name, f"{100 * np.mean(found):.0f} % of the time"] for name, found in hits.items()),
    ]
    return text + table(("", "found"), counts)


def temperatures_section(studio: Studio, scale: float) -> str:
    """Errors by face size."""
    rng = np.random.default_rng(14)
    sizes = (24, 40, 64, 100)
    shown = ("forehead", "nose", "nostrils", "upper_lip", "right_cheek", "right_inner_canthus")
    errors: dict[tuple[int, str], list[float]] = {(size, name): [] for size in sizes for name in REGIONS}
    pixels: dict[tuple[int, str], list[int]] = {key: [] for key in errors}
    count = round(60 * scale)
    for k in range(count):
        body, warmth = studio.sampled(rng)
        body = replace(
            body,
            yaw=rng.uniform(-0.5, 0.5),
            pitch=rng.normal(0, 0.15),
            roll=rng.normal(0, 0.1),
            glasses=None,
            hat=None,
            fringe=0.0,
            strands=0,
        )
        exact = studio.shoot(body, warmth, 160.0, sensor=PERFECT, seed=k)
        truth = region_temperatures(exact.frame, exact.label.points)
        for size in sizes:
            shot = studio.shoot(body, warmth, size, seed=k)
            for name, region in region_temperatures(shot.frame, studio.find(shot).points).items():
                if math.isfinite(region.celsius) and math.isfinite(truth[name].celsius):
                    errors[size, name].append(abs(region.celsius - truth[name].celsius))
                    pixels[size, name].append(region.pixels)
    rows = [[f"{size} px", *(middle_and_tail(errors[size, name], 2) for name in shown)] for size in sizes]
    counts = [[f"{size} px", *(f"{np.median(pixels[size, name]):.0f}" for name in shown)] for size in sizes]
    head = ("face", *(name.replace("_", " ").replace("right ", "") for name in shown))
    return (
        f"Error in K, median / 90th percentile, of {count} people against the same regions of a camera without noise and blur at 160 px;\n"
        "the camera has a noise of 0.05 K, a drift of 0.1 K and 0.7 px of blur:\n\n"
        + table(head, rows)
        + "\nPixels that they rest on, median:\n\n"
        + table(head, counts)
    )


def breathing_section(studio: Studio, scale: float) -> str:
    """Rates of known breathing."""
    rng = np.random.default_rng(15)
    rows: list[list[object]] = []
    seconds = 36.0
    for rate, breaths in ((9.0, (8, 12, 16, 22, 30)), (30.0, (10, 24))):
        for per_minute in breaths:
            warmth = sample_warmth(rng, 22.0)
            body = replace(sitter(studio.model, rng), pitch=-0.1, yaw=0.0, roll=0.0)

            def script(t: float) -> tuple[Body, Warmth]:
                swing = 0.5 * math.sin(2 * math.pi * per_minute / 60 * t)  # noqa: B023
                regions = {**warmth.regions, "nostrils": warmth.regions["nostrils"] + swing}  # noqa: B023
                turned = replace(body, yaw=0.12 * math.sin(0.9 * t), pitch=body.pitch + 0.05 * math.sin(1.3 * t))  # noqa: B023
                return turned, replace(warmth, regions=regions)  # noqa: B023

            found = [
                (known.breathing_rate, known.breathing_quality)
                for _, _, known in watch(
                    studio, rate, seconds, script, 64.0, ErgonomicsOptions(vital_signs=True), per_minute,
                    lambda t: (2.0 * math.sin(0.7 * t), 1.5 * math.sin(1.1 * t)),
                )
            ]  # fmt: skip
            known = np.array([pair for pair in found if math.isfinite(pair[0])])
            good = known[known[:, 1] > GOOD] if len(known) else known
            rows.append(
                [f"{rate:g}", per_minute, f"{known[-1, 0]:.1f}", f"{known[-1, 1]:.2f}", f"{100 * len(good) / max(len(known), 1):.0f} %",
                 f"{np.abs(good[:, 0] - per_minute).max():.1f}" if len(good) else "-"]
            )  # fmt: skip
    return (
        f"Nostrils whose temperature swings by 0.5 K to both sides, of a face of 64 px that moves by 2 px and turns by 7 degrees,\n"
        f"for {seconds:g} s:\n\n"
        + table(
            (
                "camera (Hz)",
                "breaths a minute",
                "found at the end",
                "quality",
                f"time with quality above {GOOD:g}",
                "largest error then",
            ),
            rows,
        )
    )


SECTIONS: dict[str, tuple[str, Callable[[Studio, float], str]]] = {
    "pose": ("Head pose", pose_section),
    "states": ("Eyes, mouth and neck", states_section),
    "temperatures": ("Temperatures", temperatures_section),
    "breathing": ("Breathing", breathing_section),
}


def main() -> None:
    """Run the sections and write the page."""
    parser = argparse.ArgumentParser(description="Errors of poses, states, temperatures and breathing on renders.")
    parser.add_argument("--face-model", type=Path, required=True, help="ICT-FaceKit's folder or ict_face.npz")
    parser.add_argument("--models", type=Path, default=default_model_folder(), help="folder with the landmark model")
    parser.add_argument("--scale", type=float, default=1.0, help="how many people, against the usual")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS), help="sections to run")
    parser.add_argument("--fit", action="store_true", help="print parameters that suit the network, and write no page")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/hri_accuracy.md")
    options = parser.parse_args()
    studio = Studio(options.face_model, options.models)
    if options.fit:
        print(fit_states(studio, options.scale))
        return
    model = studio.landmarker.model
    before = options.out.read_text(encoding="utf-8") if options.out.is_file() else ""
    page = [
        "# Errors of poses, states, temperatures and breathing\n",
        f"Written by `python scripts/hri_report.py --face-model ICT_FACE --scale {options.scale:g}`,\n"
        "on rendered people, whose truth is known. Real people and cameras are worse; [accuracy](accuracy.md) tells how the landmarks\n"
        "fare on real images.\n",
    ]
    for name, (title, section) in SECTIONS.items():
        if name in options.only:
            text = f"Landmark network: {model.name}, sha256 {model.sha256[:12]}.\n\n" + section(studio, options.scale)
        else:
            kept = re.search(rf"## {title}\n\n(.*?)(?=\n## |\Z)", before, flags=re.S)
            text = kept[1] if kept else "Not measured yet.\n"
        page.append(f"## {title}\n\n{text}")
        print(page[-1], flush=True)
    options.out.write_text("\n".join(page), encoding="utf-8")


if __name__ == "__main__":
    main()
