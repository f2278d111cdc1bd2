# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest
from bare_scene import CLEAN, bare, scene_of

from thermal_fld_ros.synthesis.mesh import MATERIALS
from thermal_fld_ros.synthesis.person import Held, sample_person
from thermal_fld_ros.synthesis.scene import Renderer
from thermal_fld_ros.synthesis.sensor import centikelvin


@pytest.mark.parametrize("kind", ["face", "frame"])
def test_the_same_seed_gives_the_same_image_and_labels(renderer: Renderer, kind: str) -> None:
    sample = renderer.sample_face if kind == "face" else renderer.sample_frame
    first, second = (renderer.render(sample(np.random.default_rng(5))) for _ in range(2))
    np.testing.assert_array_equal(first.celsius, second.celsius)
    for a, b in zip(first.faces, second.faces, strict=True):
        np.testing.assert_array_equal(a.points, b.points)
    other = renderer.render(sample(np.random.default_rng(6)))
    assert not np.array_equal(first.celsius, other.celsius)


def test_a_clip_keeps_its_background_and_changes_its_noise(renderer: Renderer) -> None:
    still = replace(scene_of(bare(renderer)), sensor=replace(CLEAN, netd=0.05, stripes=0.5))
    first, second = renderer.render(still).celsius, renderer.render(replace(still, frame=1)).celsius
    difference = (second - first)[:40]
    assert 0.03 < difference.std() < 0.12  # twice the temporal noise's variance, none of the stripes


def test_the_face_stands_where_it_was_placed_and_moves_with_it(renderer: Renderer) -> None:
    here = renderer.render(scene_of(bare(renderer), (70.0, 75.0))).faces[0]
    there = renderer.render(scene_of(bare(renderer), (90.0, 80.0))).faces[0]
    np.testing.assert_allclose((here.box[:2] + here.box[2:]) / 2, (70, 75), atol=0.5)
    np.testing.assert_allclose(there.points - here.points, np.tile((20, 5), (68, 1)), atol=1e-3)


def test_points_lie_on_warm_skin(renderer: Renderer) -> None:
    rendering = renderer.render(scene_of(bare(renderer)))
    x, y = np.round(rendering.faces[0].points[17:]).astype(int).T
    assert (rendering.material[y, x] == 1 + MATERIALS.index("skin")).mean() > 0.9
    assert (
        rendering.celsius[y, x].min() > rendering.celsius[:5, :5].max() + 3
    )  # a corner of the room, which has 20 degC


def test_roll_turns_the_points(renderer: Renderer) -> None:
    straight = renderer.render(scene_of(bare(renderer))).faces[0].points
    rolled = renderer.render(scene_of(bare(renderer, roll=0.3))).faces[0].points
    a, b = straight[45] - straight[36], rolled[45] - rolled[36]
    turn = np.arctan2(b[1], b[0]) - np.arctan2(a[1], a[0])
    assert turn == pytest.approx(-0.3, abs=0.05)  # y points down: counter-clockwise on the screen


def test_a_turned_jaw_follows_the_visible_contour(renderer: Renderer) -> None:
    face = renderer.render(scene_of(bare(renderer, yaw=0.9))).faces[0]
    rows = np.arange(160)
    skin = renderer.render(scene_of(bare(renderer, yaw=0.9))).material == 1 + MATERIALS.index("skin")
    right_edge = np.where(skin, np.arange(160), 0).max(1)
    # the face turns to the image's right: the jaw points of that side lie on the outline, not behind it
    for x, y in face.points[11:15]:
        assert abs(x - np.interp(y, rows, right_edge)) < 3


def test_an_object_in_front_hides_points(renderer: Renderer) -> None:
    hand = Held("hand", at=(0.0, -1.0), direction=np.pi / 2, lift=1.0, spread=0.0)
    free, hidden = (renderer.render(scene_of(bare(renderer, objects=o))).faces[0].visible for o in ([], [hand]))
    assert free[48:].mean() > 0.9
    assert hidden[48:].mean() < 0.3
    assert hidden[17:27].all() == free[17:27].all()


def test_a_nearer_person_hides_a_farther_one(renderer: Renderer) -> None:
    alone = scene_of(bare(renderer))
    far = replace(alone.people[0], scale=2.0)
    faces = renderer.render(replace(alone, people=[alone.people[0], far])).faces
    assert faces[0].visible.mean() == 0  # the far one, drawn first
    assert faces[1].visible.mean() > 0.9


def test_every_sampled_person_renders_finite_temperatures(renderer: Renderer) -> None:
    for seed in range(12):
        rendering = renderer.render(renderer.sample_frame(np.random.default_rng(seed), (96, 80)))
        assert np.isfinite(rendering.celsius).all()
        assert rendering.celsius.min() > -60
        assert rendering.celsius.max() < 120


def test_people_with_their_backs_to_the_camera_are_not_facing(renderer: Renderer) -> None:
    for seed in range(5):
        person = sample_person(renderer.model, np.random.default_rng(seed), backwards=True)
        assert not renderer.render(scene_of(person)).faces[0].facing


def test_centikelvin_rounds_to_the_nearest_count() -> None:
    np.testing.assert_array_equal(centikelvin(np.array([0.0, 20.0, 36.604], np.float32)), [27315, 29315, 30975])
