# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest

from thermal_fld_ros.synthesis.ingredients import SCENE_INGREDIENTS
from thermal_fld_ros.synthesis.mesh import MATERIALS
from thermal_fld_ros.synthesis.scene import Renderer, Rendering
from thermal_fld_ros.synthesis.sensor import Sensor
from thermal_fld_ros.synthesis.shards import Recipe

SEEDS = range(12)
STILL = Sensor(blur=0.3, motion=(0.0, 0.0), netd=0.0, stripes=0.0, drift=0.0, sharpen=0.0)


def rendered(renderer: Renderer, *without: str) -> list[Rendering]:
    """Some faces, seen by an ideal camera so that only the scene differs, but for the ingredient of that name."""
    scenes = [Recipe("face", 1, seed, (96, 96), without=without).scene(renderer, 0) for seed in SEEDS]
    return [renderer.render(scene if "sensor" in without else replace(scene, sensor=STILL)) for scene in scenes]


@pytest.fixture(scope="module")
def whole(renderer: Renderer) -> list[Rendering]:
    return rendered(renderer)


@pytest.mark.parametrize("name", SCENE_INGREDIENTS)
def test_leaving_out_an_ingredient_changes_renders_and_keeps_what_it_does_not_concern(
    renderer: Renderer, whole: list[Rendering], name: str
) -> None:
    less = rendered(renderer, name)
    changed = [not np.array_equal(a.celsius, b.celsius) for a, b in zip(whole, less, strict=True)]
    assert any(changed)
    if name in ("identities", "expressions", "poses"):
        return
    for a, b in zip(whole, less, strict=True):
        np.testing.assert_array_equal(a.faces[-1].points, b.faces[-1].points)


def test_without_thermal_realism_skin_has_one_temperature(renderer: Renderer, whole: list[Rendering]) -> None:
    def spread_over_the_nose(rendering: Rendering) -> float:
        face = rendering.faces[-1]
        x, y = np.round(face.points[27:36][face.visible[27:36]]).astype(int).T
        return float(np.ptp(rendering.celsius[y, x])) if len(x) > 2 else np.nan

    assert np.nanmedian([spread_over_the_nose(r) for r in whole]) > 0.5
    assert np.nanmedian([spread_over_the_nose(r) for r in rendered(renderer, "thermal", "glasses", "occluders")]) < 0.1


def test_poses_are_small_and_heads_are_bare_without_them(renderer: Renderer) -> None:
    for rendering in rendered(renderer, "poses", "glasses", "occluders"):
        assert abs(rendering.faces[-1].yaw) < np.deg2rad(33)
        assert abs(rendering.faces[-1].pitch) < np.deg2rad(21)
        assert not {1 + MATERIALS.index(name) for name in ("glasses", "hat", "mask")} & set(
            rendering.material.ravel().tolist()
        )


def test_an_unknown_ingredient_is_named() -> None:
    with pytest.raises(ValueError, match='"spoons" is unknown, expected one of regions'):
        Recipe("face", 1, 0, (96, 96), without=("spoons",))
