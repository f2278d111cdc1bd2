# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from thermal_fld_ros.evaluation.detection import average_precision, centre_inside, match, outcomes_of, overlaps

ANY = (0.0, float("inf"))


def test_best_overlaps_are_paired_first_and_once() -> None:
    labelled = [[0, 0, 10, 10], [8, 0, 10, 10]]
    found = [[1, 0, 10, 10], [7, 0, 10, 10], [100, 100, 5, 5]]
    assert match(found, labelled, 0.4) == [0, 1, -1]
    assert match([[0, 0, 10, 10], [0, 0, 10, 9]], [[0, 0, 10, 10]], 0.4) == [0, -1]
    assert match([], labelled, 0.4) == []
    assert match(found, [], 0.4) == [-1, -1, -1]
    assert overlaps([], labelled).shape == (0, 2)


def test_centres() -> None:
    assert centre_inside([10, 10, 4, 4], [[11, 11, 2, 2]])
    assert not centre_inside([10, 10, 4, 4], [[13, 13, 9, 9]])
    assert not centre_inside([10, 10, 4, 4], [])


def test_average_precision_of_a_known_case() -> None:
    # hit, miss, hit, miss, hit of 4 faces: precisions at the hits 1, 2/3, 3/5
    outcomes = [(0.9, True), (0.8, False), (0.7, True), (0.6, False), (0.5, True)]
    assert average_precision(outcomes, 4) == pytest.approx((1 + 2 / 3 + 3 / 5) / 4)
    assert average_precision(outcomes[::-1], 4) == pytest.approx((1 + 2 / 3 + 3 / 5) / 4)  # the order is the scores'
    assert average_precision([(0.9, True), (0.1, True)], 2) == 1.0
    assert average_precision([], 3) == 0.0
    assert np.isnan(average_precision([], 0))


def test_precision_is_made_monotonic() -> None:
    assert average_precision([(0.9, False), (0.8, True), (0.7, True)], 2) == pytest.approx(2 / 3)


def test_what_detections_are_worth() -> None:
    labelled = [[0, 0, 20, 20], [50, 0, 20, 20], [100, 0, 20, 20]]
    counted = [True, True, False]  # the third need not be found
    found = [[0, 0, 20, 20], [1, 1, 20, 20], [100, 0, 20, 20], [108, 8, 6, 6], [200, 0, 20, 20]]
    scores = [0.9, 0.8, 0.7, 0.6, 0.5]
    outcomes = outcomes_of(found, scores, labelled, counted, 0.4, ANY)
    assert outcomes == [
        (0.9, True),
        (0.8, False),
        (0.5, False),
    ]  # a second box on a face is wrong; on the third nothing counts
    small_only = outcomes_of(found, scores, labelled, [False] * 3, 0.4, (0.0, 10.0))
    assert small_only == []
