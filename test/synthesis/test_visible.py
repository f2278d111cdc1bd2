# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest
from bare_scene import CLEAN, bare

from thermal_fld_ros.perception.geometry import Affine
from thermal_fld_ros.synthesis.mesh import MATERIALS
from thermal_fld_ros.synthesis.person import Person
from thermal_fld_ros.synthesis.scene import Placement, Renderer, Scene
from thermal_fld_ros.synthesis.thermal import sample_warmth
from thermal_fld_ros.synthesis.visible import ColourCamera, Lighting, Visible, sample_look, sample_visible

ONES = np.ones(3, np.float32)
EVEN = Lighting(ONES, 0 * ONES, np.array([0, 0, 1], np.float32))
PLAIN = ColourCamera(exposure=0.3, balance=ONES, saturation=1.0, blur=0.3, noise=0.0)


def pair_of(person: Person, lighting: Lighting = EVEN, camera: ColourCamera = PLAIN, seed: int = 7) -> Scene:
    warmth, look = sample_warmth(np.random.default_rng(3), 15.0), sample_look(np.random.default_rng(3))
    place = Placement(person, warmth, (63.5, 63.5), 4.0, 100.0, look)
    return Scene((128, 128), 15.0, [place], CLEAN, seed=seed, clutter=0, visible=Visible(lighting, camera))


def lightness(rgb: np.ndarray) -> np.ndarray:
    return rgb.astype(float).mean(2)


def test_the_same_seed_gives_the_same_pair(renderer: Renderer) -> None:
    first, second, other = (renderer.render(renderer.sample_pair(np.random.default_rng(s), 64, 1.0)) for s in (5, 5, 6))
    assert first.rgb is not None
    assert first.rgb.shape == (64, 64, 3)
    assert first.rgb.dtype == np.uint8
    np.testing.assert_array_equal(first.rgb, second.rgb)
    np.testing.assert_array_equal(first.celsius, second.celsius)
    np.testing.assert_array_equal(first.to_rgb.matrix, second.to_rgb.matrix)
    assert not np.array_equal(first.rgb, other.rgb)


def test_a_pair_s_thermal_half_is_the_face_of_the_same_seed(renderer: Renderer) -> None:
    pair = renderer.render(renderer.sample_pair(np.random.default_rng(5), 96))
    face = renderer.render(renderer.sample_face(np.random.default_rng(5), 96))
    np.testing.assert_array_equal(pair.celsius, face.celsius)
    assert face.rgb is None


def test_pairs_are_registered_unless_asked_otherwise() -> None:
    for seed in range(5):
        camera = sample_visible(np.random.default_rng(seed), (128, 128)).camera
        np.testing.assert_allclose(camera.to_rgb.matrix, Affine.identity().matrix, atol=1e-9)
        assert not np.allclose(
            sample_visible(np.random.default_rng(seed), (128, 128), 1.0).camera.to_rgb.matrix, np.eye(2, 3), atol=1e-3
        )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_stated_map_leads_from_the_thermal_image_to_the_colour_image(renderer: Renderer, seed: int) -> None:
    """What the two cameras see of one person differs from an empty room at the same places, up to the map."""
    to_rgb = sample_visible(np.random.default_rng(seed), (128, 128), 4.0).camera.to_rgb
    scene = pair_of(bare(renderer), camera=replace(PLAIN, to_rgb=to_rgb))
    rendering = renderer.render(scene)
    empty = renderer.render(replace(scene, people=[]))
    assert rendering.rgb is not None
    assert empty.rgb is not None
    y, x = np.mgrid[:128, :128]
    at = np.round(to_rgb(np.stack([x, y], -1))).astype(int)
    inside = ((at >= 0) & (at < 128)).all(-1)
    there = rendering.material[inside] > 0
    # the exposure follows the whole image: compare with the empty room after the same gain
    changed = np.abs(_chroma(rendering.rgb) - _chroma(empty.rgb)).max(2)[at[inside][:, 1], at[inside][:, 0]] > 0.02
    assert (there == changed).mean() > 0.97
    moved = replace(scene, visible=Visible(EVEN, PLAIN))
    assert not np.array_equal(renderer.render(moved).rgb, rendering.rgb)


def _chroma(rgb: np.ndarray) -> np.ndarray:
    linear = (rgb.astype(float) / 255 + 0.01) ** 2.2
    return linear / linear.sum(2, keepdims=True)


def test_glasses_hide_the_eyes_from_the_thermal_camera_only(renderer: Renderer) -> None:
    from thermal_fld_ros.synthesis.person import sample_person

    people = (sample_person(renderer.model, np.random.default_rng(s)) for s in range(200))
    glasses = next(
        p.glasses for p in people if p.glasses and p.glasses.opaque and not p.glasses.goggles and p.glasses.drop < 0.5
    )
    person = bare(renderer, glasses=glasses)
    scene = pair_of(person)
    place = scene.people[0]
    assert place.look is not None
    clear, dark = (
        renderer.render(replace(scene, people=[replace(place, look=replace(place.look, lens=lens))]))
        for lens in (0.0, 0.95)
    )
    face = clear.faces[0]
    assert face.glasses
    middle = np.round(face.points[36:48].reshape(2, 6, 2).mean(1)).astype(int)
    x, y = middle.T
    assert (clear.material[y, x] == 1 + MATERIALS.index("glasses")).all()
    assert not face.visible[[37, 43]].any()
    assert clear.rgb is not None
    assert dark.rgb is not None
    assert (lightness(clear.rgb)[y, x] > lightness(dark.rgb)[y, x] + 20).all()  # the skin behind clear glass is seen
    np.testing.assert_array_equal(clear.celsius, dark.celsius)


def test_a_lamp_from_the_side_lights_that_side(renderer: Renderer) -> None:
    images = []
    for side in (-1, 1):
        direction = np.array([side, 0, 0.3], np.float32)
        lamp = Lighting(0.1 * ONES, 3 * ONES, direction / np.linalg.norm(direction))
        rgb = renderer.render(pair_of(bare(renderer), lamp)).rgb
        assert rgb is not None
        images.append(lightness(rgb)[40:90])
    left, right = images
    assert left[:, 40:60].mean() > right[:, 40:60].mean() + 15
    assert right[:, 68:88].mean() > left[:, 68:88].mean() + 15


def test_skin_goes_from_light_to_dark() -> None:
    tones = np.array([sample_look(np.random.default_rng(k)).skin.mean() for k in range(200)])
    assert tones.min() < 0.06
    assert tones.max() > 0.5


def test_a_scene_with_a_colour_camera_needs_colours(renderer: Renderer) -> None:
    scene = pair_of(bare(renderer))
    with pytest.raises(ValueError, match="look"):
        renderer.render(replace(scene, people=[replace(scene.people[0], look=None)]))
