# SPDX-License-Identifier: Apache-2.0
"""From subscriptions to pairs: matching by time, and an account of every message."""

from __future__ import annotations

import math
import statistics
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.time import Time

from thermal_fld_ros.capture.pair import CapturedPair
from thermal_fld_ros.nodes.messages import TIME_JUMP
from thermal_fld_ros.nodes.synchroniser import ApproximateTimeSynchronizer, SimpleFilter
from thermal_fld_ros.recordings.messages import RGB, THERMAL, stamp_of

RECENT_PAIRS = 100
"""Images by which it is told how far the cameras' stamps are apart."""

FEW = 0.8
"""Share of the slower camera's images below which pairs are missing."""


@dataclass
class _Stamp:
    """What the synchroniser looks at: a stamp that has the clock offset in it."""

    stamp: Time


@dataclass
class _Arrival:
    header: _Stamp
    own_stamp: int
    data: bytes


@dataclass
class Counts:
    """What happened to the messages since `Pairing.reset`, by role.

    Attributes
    ----------
    gaps : Counter
        Pairs by their gap in whole ms.
    """

    received: Counter[str] = field(default_factory=Counter)
    unstamped: Counter[str] = field(default_factory=Counter)
    unreadable: Counter[str] = field(default_factory=Counter)
    pairs: int = 0
    time_jumps: int = 0
    gaps: Counter[int] = field(default_factory=Counter)


class Pairing:
    """Matches messages of several topics, among them the thermal and RGB images.

    Parameters
    ----------
    node
        For its clock and its log.
    roles
        Of the topics.
    take
        Called with each pair.
    slop
        Seconds by which the stamps of a pair may differ.
    clock_offset
        Seconds to be added to the stamps of the RGB camera.
    queue_size
        Messages of a topic that may wait for their counterparts.
    """

    def __init__(
        self,
        node: Node,
        roles: list[str],
        take: Callable[[CapturedPair], None],
        *,
        slop: float,
        clock_offset: float,
        queue_size: int,
    ) -> None:
        self._node, self._roles, self._take = node, roles, take
        self._slop, self._queue_size = slop, queue_size
        # Stamps cannot be negative, so a negative offset is added to the other side.
        sides = {True: max(clock_offset, 0.0), False: max(-clock_offset, 0.0)}
        self._shift = {role: round(1e9 * sides[role.startswith(RGB)]) for role in roles}
        self.reset()

    def reset(self) -> None:
        """Reset: drop waiting messages and set all counts to zero."""
        self.counts = Counts()
        self._restart()

    def _restart(self) -> None:
        self._filters = {role: SimpleFilter() for role in self._roles}
        self._synchroniser = ApproximateTimeSynchronizer(list(self._filters.values()), self._queue_size, self._slop)
        self._synchroniser.registerCallback(self._on_match)
        self._newest: dict[str, int] = {}
        self._ahead: deque[int] = deque(maxlen=RECENT_PAIRS)

    def add(self, role: str, data: bytes) -> None:
        """Take a serialised message."""
        counts = self.counts
        counts.received[role] += 1
        try:
            stamp = stamp_of(data)
        except ValueError as error:
            if not counts.unreadable[role]:
                self._node.get_logger().warning(f"{role} messages were left out: {error}")
            counts.unreadable[role] += 1
            return
        if stamp <= 0:
            if not counts.unstamped[role]:
                self._node.get_logger().warning(f"{role} messages have no stamp, so their time of arrival is used")
            counts.unstamped[role] += 1
            stamp = self._node.get_clock().now().nanoseconds
        time = stamp + self._shift[role]
        back = 1e-9 * (self._newest.get(role, 0) - time)
        if back > TIME_JUMP:
            # The queues would throw every new message away for being the earliest.
            text = f"time went back by {back:.3f} s on {role}, so pairing starts again"
            self._node.get_logger().warning(text, throttle_duration_sec=1.0)
            counts.time_jumps += 1
            self._restart()
        self._newest[role] = time
        if role in (THERMAL, RGB) and len(self._newest.keys() & {THERMAL, RGB}) == 2:
            self._ahead.append(self._newest[RGB] - self._newest[THERMAL])
        self._filters[role].signalMessage(_Arrival(_Stamp(Time(nanoseconds=time)), stamp, data))

    def _on_match(self, *arrivals: _Arrival) -> None:
        """Enqueue; nothing may escape, because the synchroniser would stay locked."""
        messages = dict(zip(self._roles, arrivals, strict=True))
        thermal, rgb = (messages[role] for role in (THERMAL, RGB))
        gap = rgb.header.stamp.nanoseconds - thermal.header.stamp.nanoseconds
        self.counts.pairs += 1
        self.counts.gaps[round(gap / 1e6)] += 1
        self._take(CapturedPair({role: arrival.data for role, arrival in messages.items()}, thermal.own_stamp, gap))

    # --- the account

    def waiting(self, role: str) -> int:
        """Messages that wait for their counterparts."""
        return len(self._synchroniser.queues[self._roles.index(role)])

    def unpaired(self, role: str) -> int:
        """Messages that have found no counterpart and do not wait for one any more."""
        return self.counts.received[role] - self.counts.pairs - self.waiting(role)

    def gap_statistics(self) -> dict[str, float]:
        """Distribution of the pairs' gaps in whole ms; empty without pairs."""
        gaps = sorted(self.counts.gaps.items())
        if not gaps:
            return {}
        values = np.array([gap for gap, _ in gaps])
        shares = np.cumsum([count for _, count in gaps]) / sum(count for _, count in gaps)
        at = {
            name: int(values[np.searchsorted(shares, share)])
            for name, share in (("p5", 0.05), ("median", 0.5), ("p95", 0.95))
        }
        return {"least": int(values[0]), **at, "most": int(values[-1])}

    def trouble(self, rates: Mapping[str, float], pair_rate: float) -> str:
        """Why there are fewer pairs than the slower camera has images; empty when all is well.

        Parameters
        ----------
        rates
            Messages a second by role.
        """
        slower = min(rates[THERMAL], rates[RGB])
        if slower <= 0.0 or pair_rate >= FEW * slower:
            return ""
        silent = [role for role in self._roles if rates[role] <= 0.0]
        if silent:
            return f"no pairs, because nothing arrives on {', '.join(silent)}"
        ahead = 1e-9 * statistics.median(self._ahead) if self._ahead else math.nan
        return (
            f"only {pair_rate:.1f} of {slower:.1f} possible pairs a second: the newest RGB stamp differs by {ahead:+.3f} s from the "
            f"newest thermal one (median), and slop is {self._slop:g} s. If the cameras' clocks differ, set clock_offset"
        )

    def report(self) -> dict[str, Any]:
        """The account as the manifest has it, in which those that still wait are unpaired."""
        return {
            "messages": {
                role: {
                    "received": self.counts.received[role],
                    "unpaired": max(self.counts.received[role] - self.counts.pairs, 0),
                    "unstamped": self.counts.unstamped[role],
                    "unreadable": self.counts.unreadable[role],
                }
                for role in self._roles
            },
            "time_jumps": self.counts.time_jumps,
            "gap_ms": {
                **self.gap_statistics(),
                "histogram": {str(gap): count for gap, count in sorted(self.counts.gaps.items())},
            },
        }
