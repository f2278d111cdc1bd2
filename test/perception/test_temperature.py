# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest
from dummy_models import face_aspect, face_template

from thermal_fld_ros.perception.decoding import UNITS, Decoding, decode_array
from thermal_fld_ros.perception.geometry import Affine
from thermal_fld_ros.perception.temperature import REGIONS, region_temperatures

POINTS = Affine.similarity(100.0, 0.0, (0, 0), (160, 120))(face_template() * (1.0, face_aspect()))
CENTIKELVIN = Decoding(UNITS["centikelvin"])


def raw(celsius: np.ndarray) -> np.ndarray:
    return np.rint((celsius + 273.15) * 100).astype(np.uint16)


def test_regions_lie_where_their_names_say() -> None:
    """A cool spot at a landmark changes that region, and no other."""
    for region, landmarks in {
        "nose": [30],
        "left_periorbital": [42],
        "right_periorbital": [39],
        "mouth": [62, 66],
        "left_cheek": [46, 54, 14, 35],
        "right_cheek": [41, 48, 2, 31],
        "chin": [8, 57],
    }.items():
        x, y = np.rint(POINTS[landmarks].mean(axis=0)).astype(int)
        image = np.full((240, 320), 34.0)
        image[y - 5 : y + 6, x - 5 : x + 6] = 25.0
        found = region_temperatures(decode_array(raw(image), CENTIKELVIN), POINTS)
        assert found[region] == pytest.approx(25.0, abs=0.01), region
        assert sum(value < 33.0 for value in found.values()) == 1, region


def test_forehead_is_above_the_brows() -> None:
    image = np.full((240, 320), 34.0)
    image[: int(POINTS[19, 1]) - 2] = 30.0
    assert region_temperatures(decode_array(raw(image), CENTIKELVIN), POINTS)["forehead"] == pytest.approx(
        30.0, abs=0.01
    )


def test_left_is_the_persons_own() -> None:
    celsius = np.tile(np.linspace(20, 40, 320), (240, 1))
    found = region_temperatures(decode_array(raw(celsius), CENTIKELVIN), POINTS)
    assert found["left_cheek"] > found["nose"] > found["right_cheek"]


def test_points_are_those_of_the_incoming_image_whatever_rows_are_dropped() -> None:
    celsius = np.tile(np.linspace(20, 40, 240)[:, None], (1, 320))
    whole = region_temperatures(decode_array(raw(celsius), CENTIKELVIN), POINTS)
    cropped = region_temperatures(decode_array(raw(celsius), Decoding(UNITS["centikelvin"], rows=(20, 3))), POINTS)
    assert cropped == whole


def test_nothing_is_known_without_a_radiometric_unit_or_outside_the_image() -> None:
    image = raw(np.full((240, 320), 34.0))
    for found in (
        region_temperatures(decode_array(image), POINTS),
        region_temperatures(decode_array(image, CENTIKELVIN), POINTS + 400),
    ):
        assert set(found) == set(REGIONS)
        assert all(map(math.isnan, found.values()))
