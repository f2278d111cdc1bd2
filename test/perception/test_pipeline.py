# SPDX-License-Identifier: Apache-2.0
import math
import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dummy_models import face_aspect, face_scene
from hypothesis import given, settings
from hypothesis import strategies as st

from thermal_fld_ros.perception.decoding import UNITS, Decoding, ThermalFrame, decode_array
from thermal_fld_ros.perception.models import DETECTOR_FILE, LANDMARKS_FILE, ModelError
from thermal_fld_ros.perception.pipeline import SEARCH_PERIOD, Camera, Face, Pipeline, PipelineOptions, with_models
from thermal_fld_ros.perception.shutter import ShutterState

SIZE = (320, 240)
STEP = 1 / 30
Make = Callable[..., Pipeline]


@pytest.fixture
def make(dummy_models: Path) -> Make:
    return lambda **options: Pipeline(with_models(PipelineOptions(**options), dummy_models))


_seed = iter(range(10**9))


def frame(*faces: tuple[float, float, float], **decoding: Any) -> ThermalFrame:
    """A frame of `SIZE` with faces (x, y, width), its noise never the same."""
    return decode_array(face_scene(SIZE, list(faces), seed=next(_seed)), Decoding(UNITS["centikelvin"], **decoding))


def run(pipeline: Pipeline, frames: Iterable[ThermalFrame], start: float = 0.0) -> list[list[Face]]:
    return [pipeline(image, start + index * STEP) for index, image in enumerate(frames)]


def ids(faces: list[Face]) -> list[str]:
    return [face.id for face in faces]


def test_a_face_in_three_lines(make: Make) -> None:
    pipeline = make()
    (face,) = pipeline(frame((120, 90, 60)), 0.0)
    assert face.id == "f0001"
    assert face.points.shape == (68, 2)
    assert (face.points.dtype, face.roi.dtype, face.confidence.dtype) == (np.float32,) * 3
    height = 60 * face_aspect()
    np.testing.assert_allclose(face.roi, (90, 90 - height / 2, 60, height), atol=2)
    np.testing.assert_allclose(face.roi[:2], face.points.min(axis=0), atol=1e-4)
    assert face.temperatures["nose"] == pytest.approx(34.85, abs=0.3)
    assert face.pose is None


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@settings(max_examples=10)
@given(st.tuples(st.floats(50, 270), st.floats(60, 180)), st.tuples(st.integers(0, 8), st.integers(0, 8)))
def test_faces_come_back_in_the_incoming_image(dummy_models: Path, rotation: int, place: Any, rows: Any) -> None:
    pipeline = Pipeline(with_models(PipelineOptions(), dummy_models))
    (face,) = pipeline(frame((*place, 50), rotation=rotation, rows=rows), 0.0)
    np.testing.assert_allclose(face.roi[:2] + face.roi[2:] / 2, place, atol=2)
    # The brows are on the side that the rotation brings to the top.
    up = face.points[17:27].mean(axis=0) - face.points[6:11].mean(axis=0)
    expected = {0: (0, -1), 90: (-1, 0), 180: (0, 1), 270: (1, 0)}[rotation]
    np.testing.assert_allclose(up / np.linalg.norm(up), expected, atol=0.05)
    assert face.temperatures["nose"] == pytest.approx(34.85, abs=0.3)


def test_a_still_scene_without_faces_is_searched_now_and_then(make: Make) -> None:
    pipeline = make(detect_every=1000)
    assert run(pipeline, (frame() for _ in range(60))) == [[]] * 60
    assert pipeline.statistics.detections == pytest.approx(60 * STEP / SEARCH_PERIOD, abs=2)


def test_a_scene_without_faces_is_searched_every_frame_where_that_is_asked_for(make: Make) -> None:
    pipeline = make(detect_every=1)
    assert run(pipeline, (frame() for _ in range(5))) == [[]] * 5
    assert pipeline.statistics.detections == 5


@pytest.mark.parametrize("empty", range(1, 12))
def test_who_enters_a_scene_without_faces_is_found_in_the_same_frame(make: Make, empty: int) -> None:
    pipeline = make(detect_every=1000)
    run(pipeline, (frame() for _ in range(empty)))
    assert ids(pipeline(frame((80, 80, 50)), empty * STEP)) == ["f0001"]


def test_who_shows_no_motion_is_found_within_the_search_period(make: Make) -> None:
    """The whole image changes with the newcomer, so that nothing stands out: as when the camera turns."""
    pipeline = make(detect_every=1000)
    run(pipeline, (frame() for _ in range(5)))
    rng = np.random.default_rng(0)
    texture = np.kron(rng.choice([-60, 60], (30, 40)), np.ones((8, 8), np.int64))
    turned = face_scene(SIZE, [(150.0, 120.0, 60.0)], seed=1).astype(np.int64) + texture
    decoding = Decoding(UNITS["centikelvin"])
    found = [
        pipeline(decode_array((turned + rng.integers(-2, 3, turned.shape)).astype(np.uint16), decoding), (5 + i) * STEP)
        for i in range(math.ceil(SEARCH_PERIOD / STEP) + 1)
    ]
    assert any(found)


def test_a_face_is_followed_without_detection(make: Make) -> None:
    pipeline = make(detect_every=10)
    results = run(pipeline, (frame((80 + 2 * i, 100, 60)) for i in range(50)))
    assert all(ids(faces) == ["f0001"] for faces in results)
    assert pipeline.statistics.detections == 5
    middle = results[-1][0].roi[:2] + results[-1][0].roi[2:] / 2
    np.testing.assert_allclose(middle, (178, 100), atol=3)


def test_a_newcomer_is_found_by_the_regular_detection(make: Make) -> None:
    pipeline = make(detect_every=5)
    first = frame((80, 80, 50))
    run(pipeline, [first])
    results = run(pipeline, (frame((80, 80, 50), (230, 150, 60)) for _ in range(6)), start=1.0)
    assert ids(results[-1]) == ["f0001", "f0002"]


def test_one_face_at_most(make: Make) -> None:
    pipeline = make(max_faces=1, detect_every=2)
    results = run(pipeline, (frame((80, 80, 50), (230, 150, 60)) for _ in range(6)))
    assert all(len(set(ids(faces))) == 1 for faces in results)
    assert pipeline.statistics.detections == 3  # they also tell whether the face is still one


def test_an_id_survives_a_short_occlusion(make: Make) -> None:
    pipeline = make(keep_lost=0.5)
    run(pipeline, [frame((100, 100, 60))] * 1)
    hidden = run(pipeline, (frame() for _ in range(10)), start=STEP)
    assert hidden == [[]] * 10
    assert pipeline.statistics.tracks_lost == 1
    (back,) = run(pipeline, [frame((120, 105, 60))], start=11 * STEP)
    assert ids(back) == ["f0001"]


def test_who_is_hidden_beside_others_is_searched_at_once_and_then_ten_times_a_second(make: Make) -> None:
    pipeline = make(detect_every=1000, keep_lost=5.0)
    stays, leaves = (80, 80, 50), (230, 150, 60)
    (first,) = run(pipeline, [frame(stays, leaves)])
    hidden = run(pipeline, (frame(stays) for _ in range(30)), start=STEP)
    assert all(len(faces) == 1 for faces in hidden)
    assert pipeline.statistics.detections == pytest.approx(1 + 10, abs=1)
    back = run(pipeline, (frame(stays, leaves) for _ in range(4)), start=31 * STEP)
    assert ids(back[-1]) == ids(first)


def test_an_id_is_not_used_again_after_a_long_one(make: Make) -> None:
    pipeline = make(keep_lost=0.2)
    run(pipeline, [frame((100, 100, 60))])
    run(pipeline, (frame() for _ in range(10)), start=STEP)
    assert ids(pipeline(frame((100, 100, 60)), 11 * STEP)) == ["f0002"]
    pipeline.reset()
    assert ids(pipeline(frame((100, 100, 60)), 12 * STEP)) == ["f0003"]


def test_a_face_that_leaves_the_image_is_followed_to_the_border_and_then_lost(make: Make) -> None:
    pipeline = make()
    results = run(pipeline, (frame((120 - 3 * i, 120, 70)) for i in range(70)))
    assert all(ids(faces) == ["f0001"] for faces in results[:31])  # by then a seventh is outside
    assert all(np.isfinite(face.points).all() for faces in results for face in faces)
    assert results[-1] == []


def test_smoothing_is_switchable(make: Make) -> None:
    def jitter(smoothing: bool) -> float:
        pipeline = make(smoothing=smoothing)
        results = run(pipeline, (frame((150 + 2 * (i % 2), 100, 60)) for i in range(40)))
        return float(np.diff([faces[0].points for faces in results[10:]], axis=0).std())

    assert jitter(True) < 0.6 * jitter(False)


def test_smoothing_starts_anew_where_a_face_is_found_again(make: Make) -> None:
    smooth, raw = make(), make(smoothing=False)
    frames = [*(frame((100, 100, 60)) for _ in range(5)), *(frame() for _ in range(5))]
    for pipeline in (smooth, raw):
        assert run(pipeline, frames)[-1] == []
    again = frame((130, 100, 60))
    np.testing.assert_array_equal(smooth(again, 10 * STEP)[0].points, raw(again, 10 * STEP)[0].points)


@pytest.mark.parametrize("stamps", [[0.0] * 20, [5.0 - 0.1 * i for i in range(20)], [math.nan] * 20, [1e9, 0.0] * 10])
def test_stamps_may_repeat_or_go_back(make: Make, stamps: list[float]) -> None:
    pipeline = make()
    results = [pipeline(frame((80 + 2 * i, 100, 60)), stamp) for i, stamp in enumerate(stamps)]
    assert all(ids(faces) == ["f0001"] for faces in results)
    middle = results[-1][0].roi[:2] + results[-1][0].roi[2:] / 2
    np.testing.assert_allclose(middle, (118, 100), atol=3)


def test_another_camera_starts_anew(make: Make) -> None:
    pipeline = make()
    pipeline(frame((100, 100, 60)), 0.0)
    small = decode_array(face_scene((160, 120), [(50, 50, 30)]))
    assert ids(pipeline(small, STEP)) == ["f0002"]


def test_a_closed_shutter_shows_no_face_and_costs_no_identity(make: Make) -> None:
    pipeline = make(keep_lost=0.1)
    last = frame((100, 100, 60))
    results = run(pipeline, [frame((100, 100, 60)), *[last] * 30, frame((101, 100, 60))])
    assert ids(results[3]) == ["f0001"], "what may be a repeat of a slow camera shows the same faces"
    assert results[10] == []
    assert pipeline.statistics.shutter_frames == 24
    assert ids(results[-1]) == ["f0001"]
    assert pipeline.shutter_state is ShutterState.LIVE
    unwatched = make(shutter=False)
    assert all(run(unwatched, [last] * 5))


def test_an_image_that_the_camera_repeats_has_the_same_faces_at_no_cost(make: Make) -> None:
    pipeline = make()
    images = [frame((100 + 2 * k, 100, 60)) for k in range(6)]
    results, states = [], []
    for k in range(18):  # 9 images a second at 27 Hz
        results.append(pipeline(images[k // 3], k / 27))
        states.append(pipeline.shutter_state)
        assert ("infer" in pipeline.last_timing) == (k % 3 == 0)
    assert states == [ShutterState.LIVE, ShutterState.REPEATED, ShutterState.REPEATED] * 6
    assert all(ids(faces) == ["f0001"] for faces in results)
    for k in range(18):
        np.testing.assert_array_equal(results[k][0].points, results[k - k % 3][0].points)
    assert pipeline.statistics.shutter_frames == 0


@pytest.mark.parametrize("stamp", [0.0, math.nan])
def test_a_still_picture_without_stamps_is_not_a_closed_shutter_for_ever(make: Make, stamp: float) -> None:
    pipeline, still = make(), frame((100, 100, 60))
    results = [pipeline(still, stamp) for _ in range(120)]
    assert results[10] == []
    assert ids(results[-1]) == ["f0001"]


def test_a_camera_gives_poses(make: Make) -> None:
    camera = Camera(np.array([[300.0, 0, 160], [0, 300, 120], [0, 0, 1]]), np.zeros(5))
    (face,) = make()(frame((160, 120, 60)), 0.0, camera)
    assert face.pose is not None
    assert face.pose.position[2] == pytest.approx(300 * 0.147 / 60, rel=0.1)  # the generic head is 0.147 m wide


def test_time_is_told_by_stage(make: Make) -> None:
    pipeline = make()
    pipeline(frame((100, 100, 60)), 0.0)
    assert {"detect_infer", "sample", "normalise", "infer", "track", "smooth", "measure"} <= set(pipeline.last_timing)
    pipeline(frame((100, 100, 60)), STEP)
    assert "detect_infer" not in pipeline.last_timing


# Options


def test_options_change_without_losing_tracks(make: Make) -> None:
    pipeline = make()
    pipeline(frame((100, 100, 60)), 0.0)
    detector = pipeline.detector
    pipeline.update(replace(pipeline.options, smoothing=False, detect_every=3))
    assert pipeline.detector is detector
    assert ids(pipeline(frame((101, 100, 60)), STEP)) == ["f0001"]
    pipeline.update(replace(pipeline.options, score_threshold=1.0, keep_threshold=1.0))
    assert pipeline(frame((102, 100, 60)), 2 * STEP) == []


def test_fewer_faces_are_followed_from_the_next_frame_on(make: Make) -> None:
    pipeline = make()
    assert len(pipeline(frame((80, 80, 50), (230, 150, 60)), 0.0)) == 2
    pipeline.update(replace(pipeline.options, max_faces=1))
    assert ids(pipeline(frame((80, 80, 50), (230, 150, 60)), STEP)) == ["f0001"]


def test_models_change_without_losing_tracks(make: Make, dummy_models: Path, tmp_path: Path) -> None:
    pipeline = make()
    pipeline(frame((100, 100, 60)), 0.0)
    for name in (DETECTOR_FILE, LANDMARKS_FILE):
        shutil.copy(dummy_models / name, tmp_path)
    pipeline.update(with_models(pipeline.options, tmp_path))
    assert pipeline.landmarker.model.path.parent == tmp_path
    assert ids(pipeline(frame((101, 100, 60)), STEP)) == ["f0001"]


def test_a_wrong_model_leaves_everything_as_it_was(make: Make, tmp_path: Path) -> None:
    pipeline = make()
    before = pipeline.options
    with pytest.raises(ModelError, match="cannot be read"):
        pipeline.update(with_models(pipeline.options, tmp_path))
    assert pipeline.options is before
    assert len(pipeline(frame((100, 100, 60)), 0.0)) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("threads", 0),
        ("score_threshold", 1.5),
        ("detection_threshold", math.nan),
        ("max_faces", 0),
        ("detect_every", 0),
        ("nms_iou", -0.1),
        ("keep_lost", -1.0),
        ("min_face_size", 0.0),
        ("min_cutoff", 0.0),
        ("beta", -1.0),
    ],
)
def test_options_out_of_range_are_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} is"):
        PipelineOptions(**{name: value})


def test_a_missing_provider_can_be_an_error(make: Make) -> None:
    with pytest.raises(ModelError, match="is required"):
        make(provider="tensorrt", require_provider=True)
