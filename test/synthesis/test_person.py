# SPDX-License-Identifier: Apache-2.0
"""People: what is sampled, and that what they wear and hold lies where it should."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thermal_fld_ros.synthesis.body import build
from thermal_fld_ros.synthesis.mesh import MATERIALS, Mesh
from thermal_fld_ros.synthesis.morphable import MorphableModel
from thermal_fld_ros.synthesis.person import Glasses, Hat, Held, Person, sample_expression, sample_person


@pytest.fixture(scope="module")
def people(face_model: MorphableModel) -> list[Person]:
    return [sample_person(face_model, np.random.default_rng(k)) for k in range(1500)]


def bare(model: MorphableModel, **changes: object) -> Person:
    person = Person(
        np.zeros(len(model.identity), np.float32), np.zeros(len(model.expression), np.float32), 0.0, 0.0, 0.0, hair=0.0
    )
    return replace(person, **changes)


def vertices(meshes: list[Mesh], material: str) -> np.ndarray:
    return np.concatenate([m.vertices[np.unique(m.triangles)] for m in meshes if m.material == material])


def test_the_same_seed_gives_the_same_person(face_model: MorphableModel) -> None:
    first, second = (build(face_model, sample_person(face_model, np.random.default_rng(3))) for _ in range(2))
    np.testing.assert_array_equal(first[1], second[1])
    for a, b in zip(first[0], second[0], strict=True):
        np.testing.assert_array_equal(a.vertices, b.vertices)


def test_heads_turn_to_every_side_as_far_as_stated(people: list[Person]) -> None:
    yaw, pitch = np.rad2deg([(p.yaw, p.pitch) for p in people]).T
    assert np.abs(yaw).max() > 85 and np.abs(yaw).max() < 100
    assert np.abs(pitch).max() > 55 and np.abs(pitch).max() <= 60
    for side in (-1, 1):
        assert (side * yaw > 60).mean() > 0.04
        assert (side * pitch > 30).mean() > 0.03
    assert (np.abs(yaw) < 20).mean() > 0.3


def test_backs_of_heads_show_no_face(face_model: MorphableModel) -> None:
    people = [sample_person(face_model, np.random.default_rng(k), backwards=True) for k in range(50)]
    bowed = np.array([person.pitch > np.deg2rad(75) for person in people])
    turned = np.array([abs(person.yaw) > np.deg2rad(120) for person in people])
    assert np.all(bowed | turned)
    assert bowed.any() and turned.any()


def test_brows_are_as_often_low_as_high_and_mouths_open_wide(face_model: MorphableModel) -> None:
    names = ("browDown_L", "browInnerUp_L", "browOuterUp_L", "jawOpen", "mouthClose")
    model = replace(face_model, expression_names=names, expression=np.zeros((5, *face_model.neutral.shape), np.float32))
    weights = np.array([sample_expression(model, np.random.default_rng(k)) for k in range(2000)])
    low, high, jaw = weights[:, 0], weights[:, 2], weights[:, 3]
    assert abs((high > low).mean() - 0.5) < 0.1
    assert (jaw > 0.55).mean() > 0.1
    assert np.all(weights[:, 4] <= jaw + 1e-6)  # lips close only what the jaw has opened
    assert weights.min() >= -0.3 and weights.max() <= 1


def test_lips_do_not_pass_through_each_other(face_model: MorphableModel) -> None:
    upper, lower = face_model.landmarks[61:64], face_model.landmarks[[67, 66, 65]]
    modes = np.zeros((2, *face_model.neutral.shape), np.float32)
    modes[0, lower, 1] = -3.0  # the jaw opens
    modes[1, lower, 1] = 0.7  # the lower lip is pushed up
    model = replace(face_model, expression_names=("jawOpen", "mouthShrugLower"), expression=modes)
    for k in range(200):
        weights = sample_expression(model, np.random.default_rng(k))
        opening = (np.tensordot(weights, modes, 1)[upper] - np.tensordot(weights, modes, 1)[lower])[:, 1]
        assert opening.mean() > -0.06


def test_everything_is_worn_by_some_and_most_by_few(people: list[Person]) -> None:
    share = {
        "glasses": np.mean([p.glasses is not None for p in people]),
        "hat": np.mean([p.hat is not None for p in people]),
        "objects": np.mean([bool(p.objects) for p in people]),
        "mask": np.mean([p.mask for p in people]),
        "beard": np.mean([p.beard > 0 for p in people]),
        "child": np.mean([p.child > 0 for p in people]),
    }
    assert all(0.02 < s < 0.45 for s in share.values()), share
    assert not any(p.child > 0 and (p.beard > 0 or p.moustache > 0) for p in people)
    assert {h.what for p in people for h in p.objects} == {"hand", "phone", "cup"}


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_every_person_has_sound_meshes(face_model: MorphableModel, seed: int) -> None:
    meshes, shape = build(face_model, sample_person(face_model, np.random.default_rng(seed)))
    assert shape.shape == face_model.neutral.shape and shape.dtype == np.float32
    assert np.isfinite(shape).all()
    for mesh in meshes:
        assert mesh.material in MATERIALS
        assert np.isfinite(mesh.vertices).all() and np.abs(mesh.vertices).max() < 400
        assert mesh.canonical.shape == mesh.vertices.shape
        assert mesh.triangles.min(initial=0) >= 0 and mesh.triangles.max(initial=0) < len(mesh.vertices)


def test_glasses_lie_before_the_eyes(face_model: MorphableModel) -> None:
    meshes, shape = build(face_model, bare(face_model, glasses=Glasses()))
    eyes = shape[face_model.landmarks[36:48]]
    pane = vertices(meshes, "glasses")
    assert pane[:, 0].min() < eyes[:, 0].min() and pane[:, 0].max() > eyes[:, 0].max()
    lens = pane[pane[:, 2] > eyes[:, 2].max()]
    assert lens[:, 1].min() < eyes[:, 1].min() < eyes[:, 1].max() < lens[:, 1].max()


def test_glasses_pushed_up_leave_the_eyes_free(face_model: MorphableModel) -> None:
    meshes, shape = build(face_model, bare(face_model, glasses=Glasses(drop=-5.0)))
    eyes = shape[face_model.landmarks[36:48]]
    pane = vertices(meshes, "glasses")
    assert pane[pane[:, 2] > eyes[:, 2].max(), 1].min() > eyes[:, 1].max()


@pytest.mark.parametrize("hat", [Hat(), Hat(brim=5.0), Hat(thick=3.5), Hat(hood=True), Hat(scarf=True)])
def test_hats_cover_the_crown_and_leave_the_mouth_free(face_model: MorphableModel, hat: Hat) -> None:
    meshes, shape = build(face_model, bare(face_model, hat=hat))
    cover = vertices(meshes, "hat")
    mouth = shape[face_model.landmarks[48:68]].mean(0)
    assert cover[:, 1].max() > shape[:, 1].max() - 0.5
    before_mouth = (np.abs(cover[:, :2] - mouth[:2]).max(1) < 2) & (cover[:, 2] > mouth[2])
    assert not before_mouth.any()


def test_a_mask_covers_nose_and_mouth_even_when_it_opens(face_model: MorphableModel) -> None:
    opened = np.zeros((1, *face_model.neutral.shape), np.float32)
    opened[0, face_model.landmarks[[55, 56, 57, 58, 59, 65, 66, 67]], 1:] = (-2.5, 0.8)
    model = replace(face_model, expression_names=("jawOpen",), expression=opened)
    meshes, shape = build(model, replace(bare(model), mask=True, expression=np.ones(1, np.float32)))
    mask = vertices(meshes, "mask")
    for i in (33, 51, 57, 62, 66):
        point = shape[model.landmarks[i]]
        near = np.abs(mask[:, :2] - point[:2]).max(1) < 1.5
        assert mask[near, 2].max() > point[2] + 0.2


@pytest.mark.parametrize("yaw", [-0.7, 0.0, 0.7])
def test_a_hand_lies_in_front_of_what_it_touches(face_model: MorphableModel, yaw: float) -> None:
    held = Held("hand", at=(0.0, -3.0), direction=np.pi / 2, lift=0.5, spread=0.1)
    meshes, shape = build(face_model, bare(face_model, yaw=yaw, objects=[held]))
    hand = vertices(meshes, "body")
    middle = shape[face_model.landmarks].mean(0)[:2] + np.array([0, -3])
    fingers = hand[np.abs(hand[:, :2] - middle).max(1) < 2]
    assert len(fingers)
    under = shape[np.abs(shape[:, :2] - middle).max(1) < 1]
    assert fingers[:, 2].max() > under[:, 2].max()


def test_the_trunk_follows_the_neck_of_a_child(face_model: MorphableModel) -> None:
    grown, child = (
        build(face_model, bare(face_model, child=c, proportions=(1.0, p, 1.0))) for c, p in ((0.0, 1.0), (1.0, 0.95))
    )
    top = [vertices(meshes, "cloth")[:, 1].max() for meshes, _ in (grown, child)]
    assert top[1] > top[0] + 0.5
    width = [np.ptp(shape[face_model.landmarks, 0]) for _, shape in (grown, child)]
    assert width[1] < width[0]


@settings(max_examples=20, deadline=None)
@given(st.floats(-1.0, 1.0), st.floats(-0.6, 0.6), st.floats(-0.4, 0.4))
def test_turns_are_rigid_for_the_face(face_model: MorphableModel, yaw: float, pitch: float, roll: float) -> None:
    straight, turned = (
        build(face_model, bare(face_model, yaw=a, pitch=b, roll=c))[1][face_model.landmarks[17:]]
        for a, b, c in ((0, 0, 0), (yaw, pitch, roll))
    )
    before, after = (np.linalg.norm(p[:, None] - p[None], axis=-1) for p in (straight, turned))
    np.testing.assert_allclose(after, before, atol=1e-3)
