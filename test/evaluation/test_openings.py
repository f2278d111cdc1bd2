# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from thermal_fld_ros.evaluation.openings import LIDS, agreement, opening


def test_openings_are_in_percent_of_the_face() -> None:
    points = np.zeros((68, 2))
    points[66] = (0, 8)
    points[[40, 41]] = (3, 0)
    assert opening(points, 40.0) == pytest.approx(20.0)
    assert opening(points, 40.0, LIDS) == pytest.approx(100 * 3 / 40 / 2)  # one eye of two is open


def test_a_mouth_that_is_followed_to_the_half() -> None:
    labelled = np.r_[np.full(20, 0.5), np.linspace(2, 30, 20)]
    figures = agreement(0.5 * labelled + 1.0, labelled)
    assert (figures["slope"], figures["correlation"]) == (pytest.approx(0.5), pytest.approx(1.0))
    assert figures["bias"] == pytest.approx(1.0 - 0.5 * labelled.mean(), abs=1e-3)
    assert (figures["closed"], figures["closed_reads"]) == (20, pytest.approx(1.25))


def test_what_does_not_vary_has_no_slope() -> None:
    figures = agreement([1.0, 2.0, 3.0], [4.0, 4.0, 4.0])
    assert figures["slope"] is None and figures["correlation"] is None and figures["closed_reads"] is None
    assert agreement([1.0], [1.0]) == {"faces": 1}
    assert agreement([1.0, np.nan, 2.0, 3.0], [1.0, 1.0, 2.0, 3.0])["faces"] == 3
