# SPDX-License-Identifier: Apache-2.0
"""Order, times and indices from the names of files."""

from __future__ import annotations

import re
from datetime import datetime, timezone

EPOCH = {10: 1.0, 13: 1e-3, 16: 1e-6, 19: 1e-9}
"""Digits of a whole number that counts since 1970, and its unit in seconds."""

EARLIEST, LATEST = 9.4e8, 4.1e9
"""Seconds since 1970 that a time in a name may be: from 1999 to 2099."""

_DATE = re.compile(
    r"(?<!\d)((?:19|20)\d\d)[-_.]?([01]\d)[-_.]?([0-3]\d)[-_. T]?([0-2]\d)[-_.:h]?([0-5]\d)[-_.:m]?([0-6]\d)(?:[-_.,s](\d{1,9})(?!\d))?"
)
_SECONDS = re.compile(r"(?<!\d)(\d{10})[._](\d{3,9})(?!\d)")
_NUMBER = re.compile(r"\d+")


def natural_key(name: str) -> list[tuple[bool, int, str]]:
    """Sort key that puts frame_2 before frame_10."""
    parts = re.split(r"(\d+)", name)
    return [(not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts if part]


def time_in(name: str) -> float | None:
    """The time in a file's name, in seconds since 1970; None if there is none.

    A whole number of seconds, milliseconds, microseconds or nanoseconds since 1970; seconds and their fraction
    (1700000000.250, 1700000000_250000000); or a date and a time of day (20260131_120000_250), taken as UTC.
    """
    found = _SECONDS.search(name)
    if found and EARLIEST <= int(found[1]) <= LATEST:
        return int(found[1]) + int(found[2]) / 10 ** len(found[2])
    for digits in reversed(_NUMBER.findall(name)):
        unit = EPOCH.get(len(digits))
        if unit is not None and EARLIEST <= int(digits) * unit <= LATEST:
            return float(int(digits) * unit)
    found = _DATE.search(name)
    if found is None:
        return None
    try:
        moment = datetime(*(int(part) for part in found.groups()[:6]), tzinfo=timezone.utc)  # type: ignore[arg-type,misc]
    except ValueError:  # the 31st of February
        return None
    return moment.timestamp() + (int(found[7]) / 10 ** len(found[7]) if found[7] else 0.0)


def numbers_in(name: str) -> tuple[int, ...]:
    """All numbers of a name, in their order."""
    return tuple(int(digits) for digits in _NUMBER.findall(name))
