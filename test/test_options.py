# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from dataclasses import dataclass

import pytest

from thermal_fld_ros.capture.gates import GateOptions
from thermal_fld_ros.nodes.parameters import Parameter
from thermal_fld_ros.options import check_ranges, limited
from thermal_fld_ros.perception.pipeline import PipelineOptions


@dataclass(frozen=True)
class Options:
    count: int = limited(3, 1, 5)
    name: str = "x"

    def __post_init__(self) -> None:
        check_ranges(self)


def test_a_parameter_has_default_and_range_of_its_option() -> None:
    assert Parameter.of(Options, "count", "How many.") == Parameter("count", 3, "How many.", 1, 5)
    assert Parameter.of(Options, "name", "Which.") == Parameter("name", "x", "Which.")


@pytest.mark.parametrize("count", [0, 6, math.nan])
def test_what_is_out_of_range_is_refused_with_the_range(count: float) -> None:
    with pytest.raises(ValueError, match=f"count is {count}, expected 1 to 5"):
        Options(count)


def test_ends_of_the_range_are_permitted() -> None:
    assert (Options(1).count, Options(5).count, Options().count) == (1, 5, 3)


def test_options_of_the_package_have_ranges() -> None:
    with pytest.raises(ValueError, match="threads is 0, expected 1 to 64"):
        PipelineOptions(threads=0)
    with pytest.raises(ValueError, match=r"max_rate is -1.0, expected 0.0 to 1000.0"):
        GateOptions(max_rate=-1.0)
