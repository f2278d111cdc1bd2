# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest
from dummy_models import face_aspect, face_template

from thermal_fld_ros.perception.decoding import UNITS, Decoding, decode_array
from thermal_fld_ros.perception.geometry import Affine
from thermal_fld_ros.perception.temperature import REGIONS, Surface, region_temperatures

POINTS = Affine.similarity(100.0, 0.0, (0, 0), (160, 120))(face_template() * (1.0, face_aspect()))
CENTIKELVIN = Decoding(UNITS["centikelvin"])


def raw(celsius: np.ndarray) -> np.ndarray:
    return np.rint((celsius + 273.15) * 100).astype(np.uint16)


def celsius(image: np.ndarray, **more) -> dict[str, float]:
    found = region_temperatures(decode_array(raw(image), CENTIKELVIN), POINTS, **more)
    return {name: region.celsius for name, region in found.items()}


def test_regions_lie_where_their_names_say() -> None:
    """A cool spot at a landmark changes that region, and no region elsewhere."""
    for region, landmarks, beside in (
        ("nose", [30], ()),
        ("nostrils", [32, 33, 34], ("upper_lip", "nose")),
        ("upper_lip", [33, 51], ("nostrils", "mouth")),
        ("mouth", [62, 66], ("upper_lip",)),
        ("left_cheek", [46, 54, 14, 35], ()),
        ("right_cheek", [41, 48, 2, 31], ()),
        ("chin", [8, 57], ()),
    ):
        x, y = np.rint(POINTS[landmarks].mean(axis=0)).astype(int)
        image = np.full((240, 320), 34.0)
        image[y - 6 : y + 7, x - 9 : x + 10] = 30.0
        found = celsius(image)
        assert found[region] == pytest.approx(30.0, abs=0.01), region
        others = [name for name in REGIONS if name != region and name not in beside]
        assert all(found[name] == pytest.approx(34.0, abs=0.01) for name in others), region


@pytest.mark.parametrize(("region", "landmark"), [("left_inner_canthus", 42), ("right_inner_canthus", 39)])
def test_the_corners_of_the_eyes_are_where_the_warmth_is(region: str, landmark: int) -> None:
    x, y = np.rint(POINTS[landmark]).astype(int)
    image = np.full((240, 320), 34.0)
    image[y - 4 : y + 5, x - 5 : x + 6] = 35.5
    found = celsius(image)
    assert found[region] == pytest.approx(35.5, abs=0.01)
    assert sum(value > 35.0 for value in found.values()) == 1


def test_the_smaller_part_of_a_region_is_left_out_and_the_rest_is_counted() -> None:
    rng = np.random.default_rng(0)
    image = 34.0 + 0.1 * rng.standard_normal((240, 320))
    clean = region_temperatures(decode_array(raw(image), CENTIKELVIN), POINTS)["right_cheek"]
    assert clean.celsius == pytest.approx(34.0, abs=0.1)
    assert clean.noise == pytest.approx(0.1, rel=0.4) and 25 < clean.pixels <= 49
    x = int(POINTS[[41, 48, 2, 31]].mean(axis=0)[0])
    image[:, : x - 1] = 24.0  # hair over the outer part of the cheek
    covered = region_temperatures(decode_array(raw(image), CENTIKELVIN), POINTS)["right_cheek"]
    assert covered.celsius == pytest.approx(34.0, abs=0.1) and covered.noise < 0.2
    assert covered.pixels < clean.pixels


def test_a_forehead_or_eyes_that_are_covered_are_unknown_and_a_cold_nose_is_not() -> None:
    image = np.full((240, 320), 34.0)
    image[: int(POINTS[27, 1]) + 12] = 25.0  # a hat and glasses
    x, y = np.rint(POINTS[30]).astype(int)
    image[y - 6 : y + 7, x - 9 : x + 10] = 26.0
    found = celsius(image)
    assert all(math.isnan(found[name]) for name in ("forehead", "left_inner_canthus", "right_inner_canthus"))
    assert found["nose"] == pytest.approx(26.0, abs=0.01) and found["chin"] == pytest.approx(34.0, abs=0.01)


def test_small_faces_rest_on_few_pixels() -> None:
    image = np.full((240, 320), 34.0)
    centre = POINTS.mean(axis=0)
    far = region_temperatures(decode_array(raw(image), CENTIKELVIN), (POINTS - centre) * 0.15 + centre)
    near = region_temperatures(decode_array(raw(image), CENTIKELVIN), POINTS)
    assert 1 <= far["nose"].pixels < 10 < near["nose"].pixels


def test_emissivity_and_reflection_are_corrected() -> None:
    skin, room = 34.0 + 273.15, 20.0 + 273.15
    seen = (0.95 * skin**4 + 0.05 * room**4) ** 0.25 - 273.15
    found = celsius(np.full((240, 320), seen), surface=Surface(0.95, 20.0))
    assert found["chin"] == pytest.approx(34.0, abs=0.01) and seen < 33.5


def test_forehead_is_above_the_brows() -> None:
    image = np.full((240, 320), 34.0)
    image[: int(POINTS[19, 1]) - 2] = 30.0
    image[int(POINTS[19, 1]) - 2 :] = 32.0
    assert celsius(image)["forehead"] == pytest.approx(30.0, abs=0.01)


def test_left_is_the_persons_own() -> None:
    found = celsius(np.tile(np.linspace(20, 40, 320), (240, 1)))
    assert found["left_cheek"] > found["nose"] > found["right_cheek"]


def test_points_are_those_of_the_incoming_image_whatever_rows_are_dropped() -> None:
    image = np.tile(np.linspace(33, 35, 240)[:, None], (1, 320))
    whole = region_temperatures(decode_array(raw(image), CENTIKELVIN), POINTS)
    cropped = region_temperatures(decode_array(raw(image), Decoding(UNITS["centikelvin"], rows=(20, 3))), POINTS)
    assert cropped == whole


def test_nothing_is_known_without_a_radiometric_unit_or_outside_the_image() -> None:
    image = raw(np.full((240, 320), 34.0))
    for found in (
        region_temperatures(decode_array(image), POINTS),
        region_temperatures(decode_array(image, CENTIKELVIN), POINTS + 400),
    ):
        assert set(found) == set(REGIONS)
        assert all(math.isnan(region.celsius) and region.pixels == 0 for region in found.values())
