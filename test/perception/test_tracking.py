# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from dummy_models import face_template

from thermal_fld_ros.perception.cropping import crop_from_box
from thermal_fld_ros.perception.landmarker import Landmarks
from thermal_fld_ros.perception.tracking import Tracker, plausible


def face(x: float, y: float, width: float = 100.0) -> Landmarks:
    return Landmarks(face_template() * width + (x, y), np.ones(68, np.float32), 0.9)


def test_new_faces_get_new_ids() -> None:
    tracker = Tracker()
    assert [tracker.add(face(100, 100)).id, tracker.add(face(400, 100)).id] == ["f0001", "f0002"]
    tracker.tracks.clear()
    assert tracker.add(face(100, 100)).id == "f0003"


def test_a_lost_face_takes_up_its_id() -> None:
    tracker = Tracker()
    first, second = tracker.add(face(100, 100)), tracker.add(face(400, 100))
    tracker.lose(first, 1.0)
    tracker.lose(second, 1.0)
    assert tracker.add(face(440, 120)) is second
    assert tracker.add(face(130, 90, 120)) is first
    assert tracker.lost == []


@pytest.mark.parametrize("other", [face(250, 100), face(100, 100, 220), face(100, 100, 45)])
def test_a_face_elsewhere_or_of_another_size_is_someone_else(other: Landmarks) -> None:
    tracker = Tracker()
    tracker.lose(tracker.add(face(100, 100)), 1.0)
    assert tracker.add(other).id == "f0002"


def test_lost_faces_are_forgotten_after_a_while() -> None:
    tracker = Tracker()
    track = tracker.add(face(100, 100))
    tracker.lose(track, 1.0)
    tracker.forget(2.0, keep_lost=1.0)
    assert tracker.tracks == [track]
    tracker.forget(2.1, keep_lost=1.0)
    assert tracker.tracks == []


def test_of_two_tracks_on_one_face_the_older_stays() -> None:
    tracker = Tracker()
    older, younger, third = tracker.add(face(100, 100)), tracker.add(face(300, 100)), tracker.add(face(500, 100))
    tracker.follow(older, face(205, 100))
    tracker.follow(younger, face(200, 100))
    tracker.merge(0.4)
    assert tracker.tracks == [older, third]
    assert tracker.merges == 1


def test_detections_of_seen_faces_are_known() -> None:
    tracker = Tracker()
    track = tracker.add(face(100, 100))
    assert tracker.covers(np.array([60.0, 60, 90, 90]), 0.4)
    assert tracker.covers(np.array([90.0, 90, 20, 20]), 0.4)
    assert not tracker.covers(np.array([200.0, 60, 90, 90]), 0.4)
    tracker.lose(track, 0.0)
    assert not tracker.covers(np.array([60.0, 60, 90, 90]), 0.4)


CROP = crop_from_box((50, 50, 100, 100), 64, 1.5)


@pytest.mark.parametrize(
    ("landmarks", "expected"),
    [
        (face(100, 100), True),
        (face(10, 100), True),  # cut by the border
        (face(-40, 100), False),  # only its edge is in the image
        (face(100, 100, 20), False),  # collapsed
        (face(100, 100, 400), False),  # exploded
        (face(np.nan, 100), False),
        (face(np.inf, 100), False),
        (Landmarks(np.full((68, 2), 100.0), np.ones(68, np.float32), 0.9), False),
    ],
)
def test_plausible(landmarks: Landmarks, expected: bool) -> None:
    assert plausible(landmarks, CROP, 64, (640, 512), min_size=12.0) is expected


def test_small_faces_are_not_plausible() -> None:
    assert not plausible(face(100, 100), CROP, 64, (640, 512), min_size=101.0)
