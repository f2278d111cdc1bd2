# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from builtin_interfaces.msg import Time
from std_msgs.msg import Header

from thermal_fld_ros.msg import FaceLandmarks, FaceLandmarksArray
from thermal_fld_ros.nodes.film import SHEET_COLUMNS, TILE_GAP, TILE_WIDTH, TILES, Film, RunStatistics


def result(second: float, *ids: str) -> FaceLandmarksArray:
    stamp = Time(sec=int(second), nanosec=round(second % 1 * 1e9))
    faces = [FaceLandmarks(id=name) for name in ids]
    return FaceLandmarksArray(header=Header(stamp=stamp), faces=faces, processing_time=0.002, model_name="m")


def test_statistics_of_a_run() -> None:
    seen = RunStatistics()
    for index, ids in enumerate([(), ("a",), ("a", "b"), ("b",), ("b",)]):
        seen.add(result(10.0 + index / 8, *ids), age=0.01 * (index + 1))
    summary = seen.summary()
    assert (summary["results"], summary["results_with_a_face"], summary["most_faces"]) == (5, 4, 2)
    assert summary["ids"] == ["a", "b"]
    assert summary["rate_hz"] == 8.0
    assert summary["latency_ms"]["median"] == pytest.approx(30.0)
    assert summary["processing_ms"]["median"] == pytest.approx(2.0)


def test_no_result_is_a_summary_too() -> None:
    assert RunStatistics().summary() == {"images": 0, "results": 0}


def test_one_result_has_no_rate() -> None:
    seen = RunStatistics()
    seen.add(result(1.0), age=0.01)
    assert seen.rate() == 0.0


@pytest.mark.parametrize(("count", "rows"), [(1, 1), (7, 2), (12, 3), (100, 3)])
def test_film_has_every_picture_and_a_sheet_of_some(tmp_path: Path, count: int, rows: int) -> None:
    film = Film(tmp_path, rate=10.0)
    for index in range(count):
        film.add(np.full((120, 160, 3), index, np.uint8))
    film.close()
    video = cv2.VideoCapture(str(film.video))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == count
    assert video.get(cv2.CAP_PROP_FPS) == 10.0
    sheet = cv2.imread(str(film.sheet))
    assert sheet is not None
    width = TILE_WIDTH + 2 * TILE_GAP
    assert sheet.shape == (rows * (TILE_WIDTH * 120 // 160 + 2 * TILE_GAP), SHEET_COLUMNS * width, 3)
    middles = sheet[sheet.shape[0] // rows // 2 :: sheet.shape[0] // rows, width // 2 :: width, 0].ravel()[
        : min(count, TILES)
    ]
    assert (np.diff(middles.astype(int)) > 0).all()
    assert middles[-1] >= 0.8 * (count - 1)


def test_pictures_that_come_faster_than_they_are_encoded_are_dropped_and_counted(tmp_path: Path) -> None:
    film = Film(tmp_path, rate=10.0, most_waiting=1)
    picture = np.random.default_rng(0).integers(0, 255, (1080, 1920, 3), np.uint8)
    for _ in range(20):
        film.add(picture)
    film.close()
    video = cv2.VideoCapture(str(film.video))
    assert film.dropped > 0 and film.frames + film.dropped == 20
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == film.frames


def test_no_picture_leaves_no_file(tmp_path: Path) -> None:
    Film(tmp_path, rate=10.0).close()
    assert list(tmp_path.iterdir()) == []
