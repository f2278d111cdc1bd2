# SPDX-License-Identifier: Apache-2.0
"""A rendered clip of two people before a small radiometric camera: the demonstration's input."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from thermal_fld_ros.synthesis.morphable import Array, MorphableModel, load_morphable_model
from thermal_fld_ros.synthesis.person import Glasses, Person, sample_person
from thermal_fld_ros.synthesis.scene import Placement, Renderer, Scene
from thermal_fld_ros.synthesis.sensor import Sensor, centikelvin
from thermal_fld_ros.synthesis.thermal import sample_warmth

CLIP_SIZE, CLIP_RATE = (160, 120), 9.0  # a FLIR Lepton 3.5


def render_clip(face_model: Path, out: Path, frames: Iterable[int], seed: int) -> None:
    """Write ``frames`` uint16 (T, 120, 160) centikelvin, ``fps``, ``unit`` and ``points`` to an .npz.

    ``points`` (T, 68, 2) float32 pixels are those of the person in front.

    One person looks around, speaks and blinks; a second one with glasses walks by behind.
    """
    model = load_morphable_model(face_model)
    renderer = Renderer(model)
    rng = np.random.default_rng(seed)
    ambient = 22.5
    first, second = sitter(model, rng), replace(sitter(model, rng), hair=1.2, long_hair=0.0)
    second.glasses = Glasses()
    warmth = [sample_warmth(rng, ambient), sample_warmth(rng, ambient)]
    sensor = Sensor(blur=0.6, motion=(0.0, 0.0), netd=0.035, stripes=0.02, drift=0.15, sharpen=0.0)
    images, points = [], []
    for k in frames:
        t = k / CLIP_RATE
        people = [
            Placement(
                moved(model, first, t), warmth[0], (70 + 6 * np.sin(0.5 * t), 62 + 1.5 * np.sin(0.9 * t)), 3.6, 90
            ),
            Placement(moved(model, second, t + 20), warmth[1], (175 - 9 * t, 44.0), 1.9, 200),
        ]
        scene = Scene(CLIP_SIZE, ambient, people, sensor, seed, clutter=3, frame=k)
        rendering = renderer.render(scene)
        images.append(centikelvin(rendering.celsius))
        points.append(rendering.faces[-1].points)  # the nearest person comes last
    np.savez_compressed(
        out, frames=np.stack(images), points=np.stack(points), fps=np.float64(CLIP_RATE), unit="centikelvin"
    )


def sitter(model: MorphableModel, rng: np.random.Generator) -> Person:
    """A person without anything over the face."""
    person = sample_person(model, rng)
    return replace(person, fringe=0.0, strands=0, hat=None, mask=False, objects=[], glasses=None, beard=0.0, hairline=0.3,
                   expression=np.zeros_like(person.expression), hair=1.0)  # fmt: skip


def moved(model: MorphableModel, person: Person, t: float) -> Person:
    """The person at time t, seconds: slow turns of the head, speech, a blink every three seconds."""
    names = model.expression_names
    expression: Array = person.expression.copy()
    expression[names.index("jawOpen")] = 0.3 * max(0.0, np.sin(5.0 * t)) * (np.sin(0.6 * t) > -0.2) + 0.6 * (
        5.5 < t < 7.0
    )
    blink = max(0.0, 1 - abs((t % 3.0) - 1.5) / 0.15)
    for side in "LR":
        expression[names.index(f"eyeBlink_{side}")] = blink
        expression[names.index(f"mouthSmile_{side}")] = 0.4 * max(0.0, np.sin(0.8 * t))
    return replace(person, yaw=0.55 * np.sin(0.7 * t), pitch=0.15 * np.sin(0.43 * t), roll=0.10 * np.sin(0.31 * t),
                   trunk_yaw=0.1 * np.sin(0.3 * t), expression=expression)  # fmt: skip
