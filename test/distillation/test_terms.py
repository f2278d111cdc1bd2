# SPDX-License-Identifier: Apache-2.0
"""The terms of a distillation against stored and derived values, their weights and decays."""

import math
from dataclasses import fields, replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from thermal_fld_ros.distillation.config import LossWeights, TermConfig
from thermal_fld_ros.distillation.losses import Target
from thermal_fld_ros.distillation.networks import Prediction, confidence
from thermal_fld_ros.distillation.terms import DECAYS, TERMS, LossInputs, Term, read_terms, target_of

BINS = 16


def wave(*shape: int, shift: float) -> Tensor:
    """Numbers between -1 and 1 that are the same everywhere."""
    return torch.sin(torch.arange(math.prod(shape)).reshape(shape) * 0.7 + shift)


def prediction(shift: float) -> Prediction:
    points, distribution = 0.3 * wave(4, 68, 2, shift=shift), 2 * wave(4, 68, 2, BINS, shift=shift)
    return Prediction(points, wave(4, 68, shift=shift) - 3, wave(4, shift=shift), distribution)


def loss_inputs() -> LossInputs:
    """Four samples: the second was not seen by the teacher, the third shows no face, half of the first's points are labelled.

    Only the first is within reach of its face.
    """
    face, has_teacher = torch.tensor([1.0, 1, 0, 1]), torch.tensor([1.0, 0, 1, 1])
    weight = face[:, None].repeat(1, 68)
    weight[0, ::2] = 0
    target = Target(0.3 * wave(4, 68, 2, shift=9.0), weight, torch.tensor([0.5, 0.6, 1.0, 0.7]), face)
    features, adapted = wave(4, 6, 3, 3, shift=1.0), wave(4, 6, 3, 3, shift=1.5)
    return LossInputs(
        prediction(0), target, has_teacher, prediction(2), features, adapted, prediction(4), prediction(6)
    )


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("task", 22.461248),
        ("feature", 0.244296),
        ("output", 1.963093),
        ("forward_injection", 17.161928),
        ("reverse_injection", 21.972490),
    ],
)
def test_a_term_has_the_value_that_was_stored(name: str, stored: float) -> None:
    # worked out from the formulas of docs/distillation.md in float64, without torch
    assert float(TERMS[name](loss_inputs())) == pytest.approx(stored, rel=1e-4)


def test_a_part_of_the_loss_counts_as_its_weight_says() -> None:
    def task_with(**weights: float) -> float:
        nothing = LossWeights(points=0, spread=0, distribution=0, openings=0, score=0)
        return float(TERMS["task"](loss_inputs()._replace(weights=replace(nothing, **weights))))

    usual = {field.name: field.default for field in fields(LossWeights)}
    parts = {name: task_with(**{name: weight}) for name, weight in usual.items()}
    assert all(parts.values())
    assert sum(parts.values()) == pytest.approx(float(TERMS["task"](loss_inputs())), rel=1e-5)
    assert task_with(points=2 * usual["points"]) == pytest.approx(2 * parts["points"], rel=1e-5)


def test_features_that_differ_by_a_tenth_cost_a_hundredth() -> None:
    features = wave(4, 6, 3, 3, shift=1.0)
    for scale in (0.01, 1.0, 100.0):
        there = loss_inputs()._replace(teacher_features=scale * features, adapted_features=1.1 * scale * features)
        assert float(TERMS["feature"](there)) == pytest.approx(0.01, rel=1e-4)


def test_the_divergence_is_that_of_the_textbook() -> None:
    def sure_of(share: float) -> Prediction:
        logits = torch.full((4, 68, 2, BINS), -1e4)
        logits[..., 0], logits[..., 1] = math.log(share), math.log(1 - share)
        return prediction(0)._replace(distribution=logits)

    there = loss_inputs()._replace(prediction=sure_of(0.5), teacher_prediction=sure_of(0.9))
    expected = 0.9 * math.log(0.9 / 0.5) + 0.1 * math.log(0.1 / 0.5)
    assert float(TERMS["output"](there)) == pytest.approx(expected, rel=1e-4)
    assert float(TERMS["output"](there._replace(prediction=sure_of(0.9)))) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("name", TERMS)
def test_what_is_masked_has_no_influence(name: str) -> None:
    there = loss_inputs()

    def spoilt(tensor: Tensor, rows: list[int]) -> Tensor:
        other = tensor.clone()
        other[rows] = 7.0
        return other

    def spoilt_prediction(of: Prediction, rows: list[int]) -> Prediction:
        changed = Prediction(*(spoilt(part, rows) for part in of))
        return changed._replace(logit=of.logit)  # face or not is known of every sample

    # sample 1 has no teacher, and sample 2 shows no face
    other = there._replace(
        teacher_features=spoilt(there.teacher_features, [1]),
        teacher_prediction=spoilt_prediction(there.teacher_prediction, [1, 2]),
        forward_prediction=spoilt_prediction(there.forward_prediction, [1, 2]),
        reverse_prediction=spoilt_prediction(there.reverse_prediction, [2]),
        prediction=spoilt_prediction(there.prediction, [2]),
    )
    assert float(TERMS[name](other)) == pytest.approx(float(TERMS[name](there)), rel=1e-6)


def test_where_no_label_is_the_teacher_is_believed_as_far_as_it_is_sure() -> None:
    teacher, weight = prediction(1), torch.zeros(4, 68)
    weight[0, :10] = 1
    batch = {"points": torch.full((4, 68, 2), 0.1), "label_weight": weight, "face": torch.tensor([1.0, 1, 1, 0]),
             "has_teacher": torch.tensor([1.0, 1, 0, 1])}  # fmt: skip
    target = target_of(batch, teacher)
    assert torch.equal(target.points[0, :10], batch["points"][0, :10])
    assert torch.equal(target.points[0, 10:], teacher.points[0, 10:])
    assert torch.equal(target.weight[0, :10], torch.ones(10))
    assert torch.allclose(target.weight[1], confidence(teacher.log_spread[1]))
    assert not target.weight[2:].any()  # the teacher saw nothing; no face
    assert torch.equal(target_of(batch).weight, weight)


def test_a_label_that_is_worth_less_than_one_is_not_mixed_with_the_teacher() -> None:
    worth = torch.tensor([0.0, 0.3, 1.0]).repeat(23)[:68].expand(4, 68)
    teacher, ones = prediction(2), torch.ones(4)
    batch = {"points": prediction(0).points, "label_weight": worth, "face": ones, "has_teacher": ones}
    target = target_of(batch, teacher)
    labelled = worth > 0
    assert torch.equal(target.weight[labelled], worth[labelled])
    assert torch.equal(target.points[labelled], batch["points"][labelled])
    assert torch.equal(target.points[~labelled], teacher.points[~labelled])
    assert torch.equal(target.weight[~labelled], confidence(teacher.log_spread)[~labelled])


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [("constant", 1, 1), ("linear", 1, 0), ("cosine", 1, 0), ("exponential", 1, math.exp(-5)), ("time_adaptive", 1, 0)],
)
def test_a_decay_begins_and_ends_where_the_formula_does(name: str, first: float, last: float) -> None:
    assert DECAYS[name](0.0) == pytest.approx(first)
    assert DECAYS[name](1.0) == pytest.approx(last, abs=1e-9)


@given(st.sampled_from(sorted(DECAYS)), st.floats(0, 1), st.floats(0, 1))
def test_a_decay_never_grows(name: str, one: float, other: float) -> None:
    early, late = sorted((one, other))
    assert 1 >= DECAYS[name](early) >= DECAYS[name](late) - 1e-12 >= -1e-12


def test_a_weight_scales_its_term_and_decays() -> None:
    plain = TERMS["feature"](loss_inputs())
    assert float(Term("feature", 3.0, "linear")(loss_inputs(), 0.25)) == pytest.approx(3 * 0.75 * float(plain))


def test_terms_are_read_with_their_usual_decays() -> None:
    assert read_terms({"task": TermConfig(1), "output": TermConfig(2), "feature": TermConfig(1, "cosine")}) == [
        Term("task", 1.0, "constant"), Term("output", 2.0, "time_adaptive"), Term("feature", 1.0, "cosine"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"task": TermConfig(1), "logits": TermConfig(1)}, 'term "logits".*expected one of task, feature'),
        ({"task": TermConfig(1, "slow")}, 'decay "slow".*expected one of constant, linear'),
        ({"task": TermConfig(0)}, "weight is 0, expected a number above 0"),
        ({"feature": TermConfig(1)}, 'expected "task" among them'),
    ],
)
def test_terms_that_cannot_be_are_named(terms: dict[str, TermConfig], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_terms(terms)
