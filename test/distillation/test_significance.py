# SPDX-License-Identifier: Apache-2.0
"""Paired tests against tables of Student's distribution, and on data of which the truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from thermal_fld_ros.distillation.significance import crossed_p, holm, paired_p, t_tail


@pytest.mark.parametrize(
    ("t", "freedom", "p"),
    [(12.706, 1, 0.05), (4.303, 2, 0.05), (3.182, 3, 0.05), (4.604, 4, 0.01), (2.571, 5, 0.05), (4.032, 5, 0.01), (2.228, 10, 0.05)],
)  # fmt: skip
def test_student_s_distribution_is_that_of_the_tables(t: float, freedom: int, p: float) -> None:
    assert t_tail(t, freedom) == pytest.approx(p, rel=0.002)


def test_a_paired_test_knows_a_difference_from_none() -> None:
    rng = np.random.default_rng(0)
    none = [paired_p(rng.normal(0, 1, 6)) for _ in range(2000)]
    assert np.mean(np.array(none) < 0.05) == pytest.approx(0.05, abs=0.015)
    assert paired_p([-0.3, -0.35, -0.28, -0.31]) < 0.001
    assert paired_p([0.0, 0.0]) == paired_p([1.0]) == 1.0


def test_the_bootstrap_holds_for_other_people_too() -> None:
    rng = np.random.default_rng(1)
    people = rng.normal(0, 1, 8)
    same_people = -0.4 + people + rng.normal(0, 0.01, (6, 8))  # every seed agrees, the people do not
    assert paired_p(same_people.mean(axis=1)) < 0.001
    assert crossed_p(same_people) > 0.05
    assert crossed_p(-0.4 + rng.normal(0, 0.05, (6, 8))) < 0.001


def test_holm() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
