# SPDX-License-Identifier: Apache-2.0
"""What a scene is made of, ingredient by ingredient, so that one can be left out and its worth be measured.

An ingredient is left out of a scene that has been sampled: all else stays as it was, chance included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from typing import Any

import numpy as np

from thermal_fld_ros.synthesis.person import Person
from thermal_fld_ros.synthesis.scene import Placement, Scene
from thermal_fld_ros.synthesis.sensor import Sensor
from thermal_fld_ros.synthesis.thermal import Warmth, sample_warmth

HAIR_ON_SKIN = ("brow", "lashes", "beard")
TEXTURE = ("folds", "hollows", "spots")
OFFICE = (19.0, 27.0)  # degC, the commonest rooms


def check_names(names: Iterable[str]) -> None:
    """Raise a ValueError if one of the names is not an ingredient."""
    unknown = [name for name in names if name not in SCENE_INGREDIENTS]
    if unknown:
        raise ValueError(f'ingredient "{unknown[0]}" is unknown, expected one of {", ".join(SCENE_INGREDIENTS)}')


def leave_out(scene: Scene, names: Iterable[str]) -> Scene:
    """The scene without some ingredients."""
    for name in names:
        scene = SCENE_INGREDIENTS[name](scene)
    return scene


def _persons(**changes: Any) -> Callable[[Scene], Scene]:
    """Change fields of every person; a function is given the old value."""

    def changed(person: Person) -> Person:
        return replace(person, **{k: v(getattr(person, k)) if callable(v) else v for k, v in changes.items()})

    return lambda scene: replace(scene, people=[replace(place, person=changed(place.person)) for place in scene.people])


def _warmths(change: Callable[[Warmth], Warmth]) -> Callable[[Scene], Scene]:
    """Change the temperatures of every person."""
    return lambda scene: replace(scene, people=[replace(place, warmth=change(place.warmth)) for place in scene.people])


def _even_regions(warmth: Warmth) -> Warmth:
    kept = {*HAIR_ON_SKIN, *TEXTURE}
    return replace(warmth, regions={name: value if name in kept else 0.0 for name, value in warmth.regions.items()})


def _smooth_skin(warmth: Warmth) -> Warmth:
    regions = {name: 0.0 if name in TEXTURE else value for name, value in warmth.regions.items()}
    return replace(warmth, regions=regions, roughness=(0.0, 0.0, 0.0), grazing=0.0)


def _no_facial_hair(scene: Scene) -> Scene:
    def bare(warmth: Warmth) -> Warmth:
        return replace(warmth, regions={k: 0.0 if k in HAIR_ON_SKIN else v for k, v in warmth.regions.items()})

    return _persons(beard=0.0, moustache=0.0)(_warmths(bare)(scene))


def _plain_materials(warmth: Warmth) -> Warmth:
    """Mouth, eyes and hands like skin, what is put on halfway to the room, glasses and things like the room."""
    halfway = (warmth.skin + warmth.ambient) / 2
    like_skin = dict.fromkeys(("mouth", "teeth", "eye", "body"), warmth.skin)
    like_room = dict.fromkeys(("glasses", "object"), warmth.ambient)
    return replace(warmth, materials={**dict.fromkeys(warmth.materials, halfway), **like_skin, **like_room})


def _one_room(scene: Scene) -> Scene:
    """Move cold and hot rooms to 23 degC; the people's temperatures are drawn again for that."""
    if OFFICE[0] <= scene.ambient <= OFFICE[1]:
        return scene
    ambient = float(np.mean(OFFICE))

    def moved(place: Placement) -> Placement:
        return replace(place, warmth=sample_warmth(np.random.default_rng(place.warmth.seed), ambient))

    return replace(scene, ambient=ambient, people=[moved(place) for place in scene.people])


def _third(angle: float) -> float:
    """A third of an angle; of one that shows the back of the head, the angle."""
    return angle / 3 if abs(angle) < np.deg2rad(100) else angle


def _ideal_sensor(scene: Scene) -> Scene:
    ideal = Sensor(**{field.name: 0.0 for field in fields(Sensor)} | {"blur": 0.5, "motion": (0.0, 0.0)})  # type: ignore[arg-type]
    return replace(scene, sensor=ideal)


def _no_thermal_realism(scene: Scene) -> Scene:
    """Skin of one temperature, things of one temperature each that depends on the room alone, rooms about 23 degC."""
    return leave_out(scene, ("rooms", "facial-hair", "regions", "texture", "materials"))


SCENE_INGREDIENTS: dict[str, Callable[[Scene], Scene]] = {
    "regions": _warmths(_even_regions),
    "texture": _warmths(_smooth_skin),
    "materials": _warmths(_plain_materials),
    "rooms": _one_room,
    "facial-hair": _no_facial_hair,
    "hair": _persons(hair=0.0, fringe=0.0, long_hair=0.0, bun=0.0, strands=0),
    "glasses": _persons(glasses=None),
    "occluders": _persons(hat=None, mask=False, headphones=False, scarf=0.0, upright_collar=0.0, objects=list[Any]()),
    "identities": _persons(identity=np.zeros_like, proportions=(1.0, 1.0, 1.0), jaw=1.0, nose=1.0, child=0.0),
    "expressions": _persons(expression=np.zeros_like),
    "poses": _persons(yaw=_third, pitch=lambda angle: angle / 3, trunk_yaw=_third, trunk_pitch=lambda angle: angle / 3),
    "clutter": lambda scene: replace(scene, clutter=0),
    "sensor": _ideal_sensor,
    "thermal": _no_thermal_realism,
}
"""What leaving out does: ``regions`` cool noses, warm eye corners and the like; ``texture`` vessels, folds, mottles and cooler edges;
``materials`` the spread of temperatures of hair, glasses, clothes, mouths; ``rooms`` those outside 19 to 27 degC; ``facial-hair``
beards, brows and lashes as heat; ``hair`` on the head; ``glasses``; ``occluders`` hats, masks, hands, collars; ``identities`` shapes of
heads; ``expressions``; ``poses`` angles are a third; ``clutter`` things in the background; ``sensor`` noise, blur, stripes, sharpening;
``thermal`` the first five together."""
