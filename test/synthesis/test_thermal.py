# SPDX-License-Identifier: Apache-2.0
"""Temperatures: physical bounds, breadth, and where the warm and cool regions lie."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thermal_fld_ros.synthesis.mesh import MATERIALS
from thermal_fld_ros.synthesis.morphable import MorphableModel
from thermal_fld_ros.synthesis.person import Person, sample_person
from thermal_fld_ros.synthesis.thermal import SkinRegions, Warmth, material_temperature, sample_warmth, waves


@pytest.fixture(scope="module")
def regions(face_model: MorphableModel) -> SkinRegions:
    return SkinRegions(face_model)


def bare(model: MorphableModel, **changes: object) -> Person:
    person = Person(
        np.zeros(len(model.identity), np.float32), np.zeros(len(model.expression), np.float32), 0.0, 0.0, 0.0, hair=0.0
    )
    return replace(person, **changes)


def even(regions: SkinRegions, **offsets: float) -> Warmth:
    """Skin of 34 degC in a room of 22 degC without patterns, but for the offsets."""
    sampled = sample_warmth(np.random.default_rng(0), 22.0)
    quiet = dict.fromkeys(sampled.regions, 0.0)
    return replace(sampled, skin=34.0, regions={**quiet, **offsets}, roughness=(0.0, 0.0, 0.0), seed=5)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(-10, 40))
def test_temperatures_are_physical(face_model: MorphableModel, regions: SkinRegions, seed: int, ambient: float) -> None:
    rng = np.random.default_rng(seed)
    warmth = sample_warmth(rng, ambient)
    assert 20 < warmth.skin < 38
    skin = regions.temperature(sample_person(face_model, rng), warmth)
    assert skin.shape == (len(face_model.neutral),) and skin.dtype == np.float32
    assert skin.min() >= min(ambient, warmth.skin) - 3
    assert skin.max() <= max(ambient, warmth.skin + 16) + 3  # hair in the sun
    where = rng.uniform(-12, 12, (200, 3)).astype(np.float32)
    for material in MATERIALS[1:]:
        t = material_temperature(material, where, warmth, np.random.default_rng(seed))
        assert t.shape == (200,) and np.isfinite(t).all()
        assert t.min() >= min(ambient, warmth.skin) - 15 and t.max() < max(ambient, 38) + 40


def test_skin_is_warmer_than_a_room_and_colder_than_a_hot_day() -> None:
    room = [sample_warmth(np.random.default_rng(k), 22.0).skin for k in range(300)]
    hot = [sample_warmth(np.random.default_rng(k), 39.0).skin for k in range(300)]
    cold = [sample_warmth(np.random.default_rng(k), -5.0).skin for k in range(300)]
    assert 33 < np.mean(room) < 35 and min(room) > 29
    assert max(hot) < 38
    assert np.mean(cold) < np.mean(room) - 2


def test_offsets_are_broad_with_heavy_tails() -> None:
    nose, cheeks, brows = np.array(
        [
            (w.regions["nose"], w.regions["cheek_l"] - w.regions["cheek_r"], w.regions["brow"])
            for w in (sample_warmth(np.random.default_rng(k), 22.0) for k in range(2000))
        ]
    ).T
    assert (nose < -4).mean() > 0.1 and (np.abs(nose) < 0.7).mean() > 0.1
    assert np.abs(cheeks).max() > 5 * np.median(np.abs(cheeks))
    assert (brows > -0.5).mean() > 0.3 and (brows < -1.5).mean() > 0.2  # often invisible, often clear


def test_glasses_are_mostly_as_cold_as_the_room() -> None:
    lens = np.array([sample_warmth(np.random.default_rng(k), 22.0).materials["glasses"] for k in range(500)])
    assert (lens < 25).mean() > 0.4
    assert (lens > 29).mean() > 0.05


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("nose", 30, [8, 36, 45, 48, 54, 19]),
        ("socket", 41, [8, 30, 48, 57]),
        ("canthus", 39, [8, 36, 45, 57]),
        ("lips", 51, [8, 27, 36, 19]),
        ("chin", 8, [27, 36, 45, 19]),
        ("brow", 19, [8, 30, 57, 36]),
        ("cheek_l", None, [8, 27, 30, 57, 45, 54]),
    ],
)
def test_regions_lie_where_their_names_say(
    face_model: MorphableModel, regions: SkinRegions, name: str, inside: int | None, outside: list[int]
) -> None:
    cooler = regions.temperature(bare(face_model), even(regions, **{name: -4.0}))
    same = regions.temperature(bare(face_model), even(regions))
    effect = (cooler - same)[face_model.landmarks]
    if inside is not None:
        assert effect[inside] < -1.0
    else:
        assert (cooler - same).min() < -1.0
    assert np.all(np.abs(effect[outside]) < 0.6)


def test_the_bridge_is_cool_with_the_nose_on_some(face_model: MorphableModel, regions: SkinRegions) -> None:
    bridge = []
    for k in range(60):
        warmth = replace(even(regions, nose=-4.0), seed=k)
        bridge.append(regions.temperature(bare(face_model), warmth)[face_model.landmarks[28]] - 34)
    assert (np.array(bridge) < -2).mean() > 0.15 and (np.array(bridge) > -1).mean() > 0.15


def test_a_beard_cools_the_chin_and_not_the_brow(face_model: MorphableModel, regions: SkinRegions) -> None:
    warmth = even(regions, beard=-3.0)
    shaved, bearded = (regions.temperature(bare(face_model, beard=b), warmth)[face_model.landmarks] for b in (0.0, 1.0))
    assert bearded[8] < shaved[8] - 1.5
    np.testing.assert_allclose(bearded[17:48], shaved[17:48], atol=0.3)


def test_painted_hair_stays_above_the_hairline(face_model: MorphableModel, regions: SkinRegions) -> None:
    for seed in range(30):
        cover = regions.scalp_hair(bare(face_model, hair=1.0, seed=seed))
        assert cover.min() >= 0 and cover.max() <= 1
        lower = cover[face_model.landmarks[27:]]
        assert lower.max() < 0.05
        crown = regions.points[:, 1] > 12
        assert cover[crown].mean() > 0.3


def test_patterns_have_unit_variance_and_their_scale(regions: SkinRegions) -> None:
    rng = np.random.default_rng(0)
    for name in ("slow", "middle", "fine", "strand"):
        spread = np.mean([regions.pattern(name, rng).std() for _ in range(30)])
        assert 0.5 < spread < 1.2, name
    points = np.random.default_rng(1).uniform(-40, 40, (4000, 3)).astype(np.float32)
    assert np.mean([waves(points, rng, 2.0).std() for _ in range(10)]) == pytest.approx(1.0, abs=0.1)
    step = np.float32([0.2, 0, 0])
    near = [
        np.abs(
            waves(points, np.random.default_rng(k), 2.0) - waves(points + step, np.random.default_rng(k), 2.0)
        ).mean()
        for k in range(5)
    ]
    far = [
        np.abs(
            waves(points, np.random.default_rng(k), 2.0) - waves(points + 50 * step, np.random.default_rng(k), 2.0)
        ).mean()
        for k in range(5)
    ]
    assert np.mean(near) < 0.2 * np.mean(far)


def test_the_same_warmth_gives_the_same_temperatures(face_model: MorphableModel, regions: SkinRegions) -> None:
    person, warmth = sample_person(face_model, np.random.default_rng(1)), sample_warmth(np.random.default_rng(2), 20.0)
    np.testing.assert_array_equal(regions.temperature(person, warmth), regions.temperature(person, warmth))
