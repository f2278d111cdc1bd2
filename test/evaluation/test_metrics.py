# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermal_fld_ros.evaluation import metrics
from thermal_fld_ros.evaluation.calibration import reliability

RNG = np.random.default_rng(0)
FACE = RNG.uniform(0, 100, (68, 2))

errors_of_faces = st.lists(st.floats(0, 30), min_size=1, max_size=30)


def test_errors_are_percent_of_the_root_of_the_boxs_area() -> None:
    predicted = FACE.copy()
    predicted[3] += (3.0, 4.0)  # 5 pixels
    errors = metrics.point_errors(predicted, FACE, metrics.box_size([10, 20, 50, 32]))  # sqrt(1600) = 40
    assert errors[3] == pytest.approx(12.5)
    assert np.delete(errors, 3) == pytest.approx(0.0)


def test_points_without_a_label_have_no_error() -> None:
    labelled = FACE.copy()
    labelled[5] = np.nan
    assert np.flatnonzero(np.isnan(metrics.point_errors(FACE, labelled, 1.0))).tolist() == [5]


@given(scale=st.floats(0.1, 10), x=st.floats(-100, 100), y=st.floats(-100, 100), angle=st.floats(-3, 3))
def test_errors_do_not_depend_on_scale_place_and_rotation(scale: float, x: float, y: float, angle: float) -> None:
    predicted = FACE + RNG.normal(0, 2, FACE.shape)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved, moved_labels = predicted @ turn.T + (x, y), FACE @ turn.T + (x, y)
    one = metrics.point_errors(predicted, FACE, metrics.interocular(FACE))
    other = metrics.point_errors(moved, moved_labels, metrics.interocular(moved_labels))
    np.testing.assert_allclose(one, other, rtol=1e-6)


def test_interocular_is_between_the_outer_corners() -> None:
    points = np.zeros((68, 2))
    points[36], points[45] = (10, 10), (13, 14)
    assert metrics.interocular(points) == 5.0


def test_figures_of_four_faces_by_hand() -> None:
    summary = metrics.error_summary([2.0, 4.0, 9.0, np.inf])
    assert (summary["faces"], summary["missed"]) == (4, 1)
    assert summary["nme"] == 5.0
    assert summary["median"] == 4.0
    assert summary["worst"] == 9.0
    assert summary["failure_8"] == 0.5  # 9 and the one that was not found
    assert summary["failure_10"] == 0.25
    assert summary["auc_8"] == pytest.approx((6 / 8 + 4 / 8) / 4)
    assert summary["auc_10"] == pytest.approx((8 / 10 + 6 / 10 + 1 / 10) / 4)
    curve = dict(zip(metrics.CURVE.tolist(), summary["curve"], strict=True))
    assert [curve[limit] for limit in (1.75, 2.0, 4.0, 9.0, 20.0)] == [0.0, 0.25, 0.5, 0.75, 0.75]


def test_a_perfect_prediction_has_no_error_and_the_whole_area() -> None:
    summary = metrics.error_summary(np.zeros(7))
    assert summary["nme"] == 0.0
    assert summary["auc_8"] == summary["auc_10"] == 1.0
    assert summary["failure_8"] == 0.0
    assert set(summary["curve"]) == {1.0}


def test_no_face_and_no_found_face() -> None:
    assert metrics.error_summary([]) == {"faces": 0, "missed": 0}
    assert metrics.error_summary([np.nan])["faces"] == 0
    lost = metrics.error_summary([np.inf, np.inf])
    assert (lost["nme"], lost["failure_10"], lost["auc_8"]) == (None, 1.0, 0.0)


@given(errors_of_faces, st.floats(0.5, 20))
def test_the_area_is_that_under_the_cumulated_curve(errors: list[float], limit: float) -> None:
    fine = np.linspace(0, limit, 20001)
    sampled = metrics.cumulated(errors, fine).mean()
    assert metrics.area_under_curve(errors, limit) == pytest.approx(sampled, abs=1e-3)


@given(errors_of_faces)
def test_curves_rise_and_worse_errors_never_help(errors: list[float]) -> None:
    curve = metrics.cumulated(errors, metrics.CURVE)
    assert (np.diff(curve) >= 0).all()
    worse = [error + 1.0 for error in errors]
    assert metrics.area_under_curve(worse, 8) <= metrics.area_under_curve(errors, 8)
    assert metrics.failure_rate(worse, 8) >= metrics.failure_rate(errors, 8)


def test_regions_are_the_whole_face_once() -> None:
    assert sorted(index for region in metrics.FACE_PARTS.values() for index in region) == list(range(68))
    assert [len(metrics.POINT_SETS[name]) for name in ("68", "51", "54")] == [68, 51, 54]


@pytest.mark.parametrize(
    ("yaw", "name"), [(0, "0-15"), (-14.9, "0-15"), (15, "15-30"), (-74, "60-75"), (90, "75-90"), (120, "75-90")]
)
def test_yaw_bins_ignore_the_side(yaw: float, name: str) -> None:
    assert metrics.yaw_bin(yaw) == name


def test_reliability_by_hand() -> None:
    found = reliability([0.95, 0.95, 0.95, 0.95, 0.15, 0.15], [True, True, True, False, False, True])
    assert [(row["stated"], row["observed"], row["points"]) for row in found["bins"]] == [
        (0.15, 0.5, 2),
        (0.95, 0.75, 4),
    ]
    assert found["ece"] == pytest.approx((4 * 0.2 + 2 * 0.35) / 6, abs=1e-4)
    assert found["stated"] == pytest.approx(4.1 / 6, abs=1e-4)
    assert found["observed"] == pytest.approx(4 / 6, abs=1e-4)
    assert reliability([], []) == {"points": 0}


def test_probabilities_that_come_true_are_calibrated() -> None:
    rng = np.random.default_rng(1)
    stated = rng.uniform(0, 1, 50_000)
    assert reliability(stated, rng.uniform(0, 1, 50_000) < stated)["ece"] < 0.01
    assert reliability(np.ones(10), np.ones(10))["ece"] == 0.0


@given(st.floats(-50, 50), st.floats(-50, 50), st.floats(0, 1))
def test_distance_from_a_line_is_that_from_its_nearest_part(x: float, y: float, part: float) -> None:
    line = np.array([[0.0, 0], [10, 0], [10, 10]])
    (distance,) = metrics.line_distances([[x, y]], line)
    there = np.array([10 * min(2 * part, 1), 10 * max(2 * part - 1, 0)])
    assert distance <= np.hypot(*(there - (x, y))) + 1e-9
    assert metrics.line_distances([there], line)[0] == pytest.approx(0.0, abs=1e-9)
