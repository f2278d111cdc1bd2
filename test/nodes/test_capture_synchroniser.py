# SPDX-License-Identifier: Apache-2.0
"""The contract of the synchroniser: for message_filters, where it is installed, and for what stands in for it."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace
from typing import Any

import pytest
from rclpy.time import Time

from thermal_fld_ros.nodes import synchroniser

MILLISECOND = 1_000_000
STAND_IN = (synchroniser.StandInFilter, synchroniser.StandInSynchronizer)


def implementations() -> list[Any]:
    found = [pytest.param(STAND_IN, id="stand-in")]
    if importlib.util.find_spec("message_filters") is not None:
        import message_filters

        real = (message_filters.SimpleFilter, message_filters.ApproximateTimeSynchronizer)
        found.append(pytest.param(real, id="message_filters"))
    return found


class Sync:
    """A synchroniser of some inputs; `matches` are the stamps in ms that came out."""

    def __init__(self, implementation: Any, inputs: int, queue_size: int = 5, slop: float = 0.02) -> None:
        kind, synchronizer = implementation
        self.filters = [kind() for _ in range(inputs)]
        self.synchroniser = synchronizer(self.filters, queue_size, slop)
        self.matches: list[tuple[int, ...]] = []
        self.synchroniser.registerCallback(self._on_match)

    def _on_match(self, *messages: Any) -> None:
        self.matches.append(tuple(message.header.stamp.nanoseconds // MILLISECOND for message in messages))

    def send(self, index: int, milliseconds: int) -> None:
        header = SimpleNamespace(stamp=Time(nanoseconds=(10_000 + milliseconds) * MILLISECOND))
        self.filters[index].signalMessage(SimpleNamespace(header=header))

    def found(self) -> list[tuple[int, ...]]:
        return [tuple(stamp - 10_000 for stamp in match) for match in self.matches]


@pytest.fixture(params=implementations())
def implementation(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_the_nearest_that_have_arrived_are_matched(implementation: Any) -> None:
    sync = Sync(implementation, 2)
    for stamp in (0, 33, 66):
        sync.send(0, stamp)
    sync.send(1, 40)
    assert sync.found() == [(33, 40)]
    assert [len(queue) for queue in sync.synchroniser.queues] == [2, 0]


def test_the_slop_is_not_reached(implementation: Any) -> None:
    sync = Sync(implementation, 2, slop=0.02)
    sync.send(0, 0)
    sync.send(1, 20)
    assert sync.found() == []
    sync.send(1, 19)
    assert sync.found() == [(0, 19)]


def test_a_message_is_matched_once(implementation: Any) -> None:
    sync = Sync(implementation, 2)
    sync.send(0, 0)
    sync.send(1, 1)
    sync.send(1, 2)
    assert sync.found() == [(0, 1)]


def test_the_earliest_goes_when_the_queue_is_full(implementation: Any) -> None:
    sync = Sync(implementation, 2, queue_size=2)
    for stamp in (0, 100, 200):
        sync.send(0, stamp)
    for stamp in (0, 100):
        sync.send(1, stamp)
    assert sync.found() == [(100, 100)]


def test_time_that_goes_back_finds_no_match_until_the_queues_are_new(implementation: Any) -> None:
    """Which is why the pairing begins anew then."""
    sync = Sync(implementation, 2, queue_size=2)
    for stamp in (5000, 5100, 5200):
        sync.send(0, stamp)
        sync.send(1, stamp + 50)
    for stamp in (0, 100):
        sync.send(0, stamp)
        sync.send(1, stamp)
    assert sync.found() == []


def test_one_of_each_input_makes_a_match(implementation: Any) -> None:
    sync = Sync(implementation, 3)
    sync.send(0, 0)
    sync.send(2, 10)
    assert sync.found() == []
    sync.send(1, 5)
    assert sync.found() == [(0, 5, 10)]


def test_all_of_a_match_lie_within_the_slop(implementation: Any) -> None:
    sync = Sync(implementation, 3, slop=0.02)
    sync.send(0, 0)
    sync.send(1, 30)
    sync.send(2, 15)
    assert sync.found() == []
