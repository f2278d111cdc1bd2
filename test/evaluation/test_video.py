# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest

from thermal_fld_ros.datasets.forms import open_dataset
from thermal_fld_ros.evaluation.video import STILL, lag, opening_agreement, picture_motion, step_motion

CLIP = Path(__file__).parents[2] / "resource/demo_clip.npz"


def test_steps_are_percent_of_the_face() -> None:
    points = np.random.default_rng(0).uniform(0, 50, (68, 2))
    assert step_motion(points, points, [0, 0, 50, 50]) == 0.0
    assert step_motion(points, points + np.array([3, 4]), [0, 0, 25, 100]) == pytest.approx(10.0)


def test_a_pictures_motion_is_that_of_the_labelled_points() -> None:
    pytest.importorskip("numba", reason="renders are read with the extra train")
    samples = open_dataset(f"renders:{CLIP}").samples
    labels = [sample.faces[0] for sample in samples]
    measured, true = [], []
    for k in range(0, len(samples) - 1, 3):
        measured.append(picture_motion(samples[k].frame(), samples[k + 1].frame(), labels[k].box))
        true.append(step_motion(labels[k].points, labels[k + 1].points, labels[k].box))
    assert np.corrcoef(measured, true)[0, 1] > 0.95
    still = samples[0].frame()
    assert picture_motion(still, still, labels[0].box) < STILL / 10


@pytest.mark.parametrize("frames", [0.0, 0.5, 2.0])
def test_lag_is_the_delay(frames: float) -> None:
    times = np.arange(60)
    shape = np.random.default_rng(0).uniform(0, 40, (68, 2))

    def track(at: np.ndarray) -> np.ndarray:
        return shape + np.stack([8 * np.sin(at / 6), 4 * np.cos(at / 9)], axis=1)[:, None]

    assert lag(track(times - frames), track(times), 40.0) == pytest.approx(frames, abs=0.1)


def test_a_still_or_short_sequence_shows_no_lag() -> None:
    still = np.tile(np.random.default_rng(0).uniform(0, 40, (68, 2)), (60, 1, 1))
    assert lag(still, still, 40.0) is None
    assert lag(still[:4], still[:4], 40.0) is None


def test_a_yawn_that_is_followed_to_the_half() -> None:
    labelled = np.r_[np.full(20, 0.02), np.linspace(0.02, 0.3, 10), np.full(20, 0.3)]
    agreement = opening_agreement(0.5 * labelled + 0.01, labelled)
    assert agreement["correlation"] == pytest.approx(1.0)
    assert agreement["predicted_rise"] == pytest.approx(0.5 * agreement["labelled_rise"], abs=1e-3)
    assert agreement["predicted_range"] == pytest.approx(0.5 * agreement["labelled_range"], abs=1e-3)


def test_where_no_mouth_opens_there_is_no_rise() -> None:
    agreement = opening_agreement([0.1, 0.2, 0.3], [0.02, 0.03, 0.04])
    assert agreement["labelled_rise"] is agreement["predicted_rise"] is None
    assert opening_agreement([0.1], [0.1]) == {"frames": 1}
    assert opening_agreement([0.1, 0.1, 0.1], [0.2, 0.3, 0.2])["correlation"] is None
