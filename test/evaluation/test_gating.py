# SPDX-License-Identifier: Apache-2.0
"""The gate is fitted on what two networks say of rendered or made-up frames."""

from pathlib import Path

import numpy as np
import pytest
from dummy_models import face_scene, face_template
from hypothesis import given
from hypothesis import strategies as st

from thermal_fld_ros.datasets.sample import SCHEMES, DataSet, DataSetError, Sample, face_from
from thermal_fld_ros.evaluation.gating import Evidence, fit, gather, judged
from thermal_fld_ros.perception.detector import Detector
from thermal_fld_ros.perception.gate import Gate
from thermal_fld_ros.perception.landmarker import Landmarker
from thermal_fld_ros.perception.models import DETECTOR_FILE, LANDMARKS_FILE, load_model
from thermal_fld_ros.recordings.source import RawImage


def evidence_of(gate: Gate, count: int = 4000) -> Evidence:
    """Places that are right as often as a gate says."""
    rng = np.random.default_rng(0)
    detection, presence = rng.uniform(0.02, 0.98, (2, count))
    chance = np.array([gate(*pair) for pair in zip(detection, presence, strict=True)])
    return Evidence(detection, presence, rng.random(count) < chance)


@pytest.mark.parametrize("true", [Gate(0.5, 0.8, -0.4), Gate(0.0, 1.0, 0.0), Gate(1.2, 0.3, 1.0)])
def test_the_fit_finds_the_gate_that_made_the_evidence(true: Gate) -> None:
    evidence = evidence_of(true)
    found = fit(evidence)
    assert np.allclose(list(vars(found).values()), list(vars(true).values()), atol=0.15)
    assert judged(evidence, found, 0.5)["ece"] < 0.03


def test_evidence_of_one_kind_fits_nothing() -> None:
    with pytest.raises(DataSetError, match="requires right and wrong ones"):
        fit(Evidence(np.full(3, 0.5), np.full(3, 0.5), np.ones(3, bool)))


@given(st.floats(0, 1), st.floats(0, 1), st.floats(-2, 2), st.floats(-2, 2), st.floats(-5, 5))
def test_a_score_is_a_probability_whatever_the_networks_say(
    detection: float, presence: float, one: float, other: float, bias: float
) -> None:
    assert 0.0 <= Gate(one, other, bias)(detection, presence) <= 1.0


def test_what_is_found_on_turned_heads_is_wrong_however_well_it_fits(dummy_models: Path) -> None:
    points = face_template() * 60 + (160, 120)

    def frames(**told: bool) -> DataSet:
        face = face_from("test", points=points, scheme=SCHEMES["ibug68"], **told)
        images = [RawImage.from_array(face_scene((320, 240), [(160, 120, 60)], seed=k)) for k in range(4)]
        samples = [Sample(f"{k}", lambda image=image: image, (face,)) for k, image in enumerate(images)]
        return DataSet("frames", samples, SCHEMES["ibug68"])

    detector = Detector(load_model(dummy_models / DETECTOR_FILE))
    landmarker = Landmarker(load_model(dummy_models / LANDMARKS_FILE))
    steps: list[None] = []
    facing = gather(detector, landmarker, frames(), lambda: steps.append(None))
    away = gather(detector, landmarker, frames(turned_away=True, required=False), lambda: None)
    assert len(steps) == 4
    assert len(facing.right) == len(away.right) == 8  # one that is detected and one that is followed, in each frame
    assert facing.right.all() and not away.right.any()
    with pytest.raises(DataSetError, match="every face"):
        gather(detector, landmarker, DataSet("boxes", [], None), lambda: None)
