# SPDX-License-Identifier: Apache-2.0
"""Options with their defaults and ranges in one place: the fields of frozen dataclasses.

Node parameters (`nodes/parameters.py`) and command-line options take both from there.
"""

from __future__ import annotations

from dataclasses import field, fields
from typing import Any, TypeVar

Number = TypeVar("Number", int, float)
_RANGE = "range"


def limited(default: Number, low: Number, high: Number) -> Number:
    """A dataclass field that is a number from `low` to `high`, both included."""
    limits: Number = field(default=default, metadata={_RANGE: (low, high)})
    return limits


def range_of(options: type, name: str) -> tuple[float, float] | None:
    """The range of a field of an options class; None where it has none."""
    (found,) = (entry for entry in fields(options) if entry.name == name)
    limits: tuple[float, float] | None = found.metadata.get(_RANGE)
    return limits


def check_ranges(options: Any) -> None:
    """Raise ValueError when a field of an options object is out of its range."""
    for entry in fields(options):
        limits, value = entry.metadata.get(_RANGE), getattr(options, entry.name)
        if limits is not None and not limits[0] <= value <= limits[1]:
            raise ValueError(f"{entry.name} is {value}, expected {limits[0]} to {limits[1]}")
