# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest
from dummy_models import DETECTION_SIDE, face_scene

from thermal_fld_ros.perception.decoding import Decoding, decode_array
from thermal_fld_ros.perception.detector import Detector, suppress
from thermal_fld_ros.perception.models import DETECTOR_FILE, load_model

USUAL = {"threshold": 0.15, "nms_iou": 0.4, "min_size": 8.0}


@pytest.fixture(scope="module")
def detector(dummy_models: Path) -> Detector:
    return Detector(load_model(dummy_models / DETECTOR_FILE))


@pytest.mark.parametrize("size", [(640, 512), (160, 120), (120, 160), (333, 517)])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_faces_are_found_where_they_are(detector: Detector, size: tuple[int, int], rotation: int) -> None:
    width, height = size
    unit = max(size) / 320  # of the detector's input, in image pixels
    places = [(0.3 * width, 0.3 * height, 50 * unit), (0.7 * width, 0.75 * height, 50 * unit)]
    frame = decode_array(face_scene(size, places), Decoding(rotation=rotation))
    boxes, scores = detector(frame, **USUAL)
    assert len(boxes) == 2
    assert (np.diff(scores) <= 0).all()
    centres = frame.upright_to_image(boxes[:, :2] + boxes[:, 2:] / 2)
    expected = np.array(places)[:, :2]
    for place in expected:
        assert np.linalg.norm(centres - place, axis=1).min() < 6 * unit
    np.testing.assert_allclose(boxes[:, 2:], DETECTION_SIDE * unit, rtol=0.02)


def test_an_empty_scene_has_no_faces(detector: Detector) -> None:
    boxes, scores = detector(decode_array(face_scene((320, 240), [])), **USUAL)
    assert boxes.shape == (0, 4)
    assert scores.shape == (0,)


def test_cold_faces_need_the_inversion(detector: Detector) -> None:
    image = 65535 - face_scene((320, 240), [(100, 100, 50)])
    assert len(detector(decode_array(image), **USUAL)[0]) != 1
    assert len(detector(decode_array(image, Decoding(inverted=True)), **USUAL)[0]) == 1


@pytest.mark.parametrize("setting", [{"threshold": 1.1}, {"min_size": DETECTION_SIDE + 1.0}])
def test_what_is_too_weak_or_too_small_is_left_out(detector: Detector, setting: dict[str, float]) -> None:
    frame = decode_array(face_scene((320, 240), [(100, 100, 50)]))
    assert len(detector(frame, **USUAL)[0]) == 1
    assert len(detector(frame, **{**USUAL, **setting})[0]) == 0


def test_the_padding_of_another_size_leaves_no_trace(detector: Detector) -> None:
    small = decode_array(face_scene((320, 200), [(100, 100, 50)]))
    before = detector(small, **USUAL)[0]
    detector(decode_array(face_scene((200, 320), [(100, 250, 50)])), **USUAL)
    detector(decode_array(face_scene((320, 222), [(100, 200, 50)])), **USUAL)  # the same padded size
    np.testing.assert_array_equal(detector(small, **USUAL)[0], before)


def test_the_best_of_overlapping_boxes_stays() -> None:
    boxes = np.array([(0, 0, 10, 10), (1, 1, 10, 10), (30, 0, 10, 10), (2, 0, 10, 10)], float)
    assert suppress(boxes, np.array([0.5, 0.9, 0.3, 0.7]), 0.4) == [1, 2]
    assert suppress(boxes, np.array([0.5, 0.9, 0.3, 0.7]), 1.0) == [1, 3, 0, 2]
    assert suppress(np.zeros((0, 4)), np.zeros(0), 0.4) == []
