# SPDX-License-Identifier: Apache-2.0
"""Scenes with one plain person, so that a test sees the one thing that it is about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from thermal_fld_ros.synthesis.person import Person
from thermal_fld_ros.synthesis.scene import Placement, Renderer, Scene
from thermal_fld_ros.synthesis.sensor import Sensor
from thermal_fld_ros.synthesis.thermal import sample_warmth

CLEAN = Sensor(blur=0.3, motion=(0.0, 0.0), netd=0.0, stripes=0.0, drift=0.0, sharpen=0.0)


def bare(renderer: Renderer, **changes: Any) -> Person:
    """A bald, upright person without anything in front of the face."""
    model = renderer.model
    person = Person(
        np.zeros(len(model.identity), np.float32), np.zeros(len(model.expression), np.float32), 0.0, 0.0, 0.0, hair=0.0
    )
    return replace(person, **changes)


def scene_of(person: Person, centre: tuple[float, float] = (80.0, 80.0), ambient: float = 20.0) -> Scene:
    """The person in 160 x 160 pixels, 5 to a cm, before an even wall."""
    warmth = sample_warmth(np.random.default_rng(3), ambient)
    return Scene((160, 160), ambient, [Placement(person, warmth, centre, 5.0, 100.0)], CLEAN, seed=7, clutter=0)
