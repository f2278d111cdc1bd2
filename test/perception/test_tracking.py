# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from dummy_models import face_template

from thermal_fld_ros.perception.cropping import crop_from_box
from thermal_fld_ros.perception.landmarker import Landmarks
from thermal_fld_ros.perception.tracking import Track, Tracker, plausible


def face(x: float, y: float, width: float = 100.0) -> Landmarks:
    return Landmarks(face_template() * width + (x, y), np.ones(68, np.float32), 0.9)


def add(tracker: Tracker, landmarks: Landmarks, now: float = 0.0) -> Track:
    return tracker.add(landmarks, 0.9, 0.8, now)


def test_new_faces_get_new_ids() -> None:
    tracker = Tracker()
    assert [add(tracker, face(100, 100)).id, add(tracker, face(400, 100)).id] == ["f0001", "f0002"]
    tracker.clear()
    assert add(tracker, face(100, 100)).id == "f0003"


def test_a_lost_face_takes_up_its_id() -> None:
    tracker = Tracker()
    first, second = add(tracker, face(100, 100)), add(tracker, face(400, 100))
    tracker.lose(first, 1.0)
    tracker.lose(second, 1.0)
    assert add(tracker, face(440, 120)) is second
    assert add(tracker, face(130, 90, 120)) is first
    assert tracker.lost == []


@pytest.mark.parametrize("other", [face(250, 100), face(100, 100, 220), face(100, 100, 45)])
def test_a_face_elsewhere_or_of_another_size_is_someone_else(other: Landmarks) -> None:
    tracker = Tracker()
    tracker.lose(add(tracker, face(100, 100)), 1.0)
    assert add(tracker, other).id == "f0002"


def test_lost_faces_are_forgotten_after_a_while() -> None:
    tracker = Tracker()
    track = add(tracker, face(100, 100))
    tracker.lose(track, 1.0)
    tracker.forget(2.0, keep_lost=1.0)
    assert tracker.tracks == [track]
    tracker.forget(2.1, keep_lost=1.0)
    assert tracker.tracks == []


def test_of_two_tracks_on_one_face_the_older_stays() -> None:
    tracker = Tracker()
    older, younger, third = add(tracker, face(100, 100)), add(tracker, face(300, 100)), add(tracker, face(500, 100))
    tracker.follow(older, face(205, 100), 0.9, 0.1)
    tracker.follow(younger, face(200, 100), 0.9, 0.1)
    tracker.merge(0.4)
    assert tracker.tracks == [older, third]
    assert tracker.merges == 1


def test_detections_of_seen_faces_are_known() -> None:
    tracker = Tracker()
    track = add(tracker, face(100, 100))
    assert tracker.covers(np.array([60.0, 60, 90, 90]), 0.4)
    assert tracker.covers(np.array([90.0, 90, 20, 20]), 0.4)
    assert not tracker.covers(np.array([200.0, 60, 90, 90]), 0.4)
    tracker.lose(track, 0.0)
    assert not tracker.covers(np.array([60.0, 60, 90, 90]), 0.4)


def test_a_moving_face_is_expected_where_it_goes_and_a_resting_one_where_it_is() -> None:
    tracker = Tracker()
    track = add(tracker, face(100, 100))
    for x in (130, 160, 190, 220):
        tracker.follow(track, face(x, 100), 0.9, 0.1)
    assert track.expected(0.1)[:, 0].mean() - track.landmarks.points[:, 0].mean() == pytest.approx(30, abs=3)
    np.testing.assert_array_equal(track.expected(2.0), track.landmarks.points)  # who knows by then
    assert np.abs(track.expected(0.49) - track.landmarks.points).max() <= track.size
    for _ in range(20):
        tracker.follow(track, face(220.5, 100), 0.9, 0.1)
    np.testing.assert_array_equal(track.expected(0.1), track.landmarks.points)


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
