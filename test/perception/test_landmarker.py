# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest
from dummy_models import face_aspect, face_scene, face_template

from thermal_fld_ros.perception.cropping import crop_from_box
from thermal_fld_ros.perception.decoding import Decoding, decode_array
from thermal_fld_ros.perception.landmarker import Landmarker
from thermal_fld_ros.perception.models import LANDMARKS_FILE, load_model


@pytest.fixture(scope="module")
def landmarker(dummy_models: Path) -> Landmarker:
    return Landmarker(load_model(dummy_models / LANDMARKS_FILE))


def crop(landmarker: Landmarker, x: float, y: float, side: float):
    return crop_from_box((x - side / 2, y - side / 2, side, side), landmarker.size, landmarker.crop_scale)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_points_lie_on_the_face(landmarker: Landmarker, dtype: type) -> None:
    frame = decode_array(face_scene((640, 512), [(300, 200, 120)]).astype(dtype))
    (found,) = landmarker(frame, [crop(landmarker, 310, 190, 130)])
    expected = np.array((300, 200)) + 120 * face_template() * (1.0, face_aspect())
    np.testing.assert_allclose(found.points, expected, atol=2.0)
    assert found.confidence.shape == (68,)
    assert found.score > 0.8


def test_a_batch_is_as_good_as_one_by_one(landmarker: Landmarker) -> None:
    frame = decode_array(face_scene((640, 512), [(300, 200, 120), (500, 400, 80)]), Decoding(rotation=180))
    crops = [crop(landmarker, 340, 310, 130), crop(landmarker, 140, 110, 90), crop(landmarker, 560, 450, 90)]
    together = landmarker(frame, crops)
    for single, found in zip(crops, together, strict=True):
        (alone,) = landmarker(frame, [single])
        np.testing.assert_allclose(found.points, alone.points, atol=1e-3)
        assert found.score == pytest.approx(alone.score, abs=1e-5)
    assert together[2].score < landmarker.threshold


def test_no_crops_no_landmarks(landmarker: Landmarker) -> None:
    assert landmarker(decode_array(face_scene((64, 64), [])), []) == []
