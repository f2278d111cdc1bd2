# SPDX-License-Identifier: Apache-2.0
"""message_filters if it is installed, otherwise a replacement for the needed part with the same interface and behaviour."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from typing import Any

from rclpy.time import Time


class StandInFilter:
    """Passes messages on to callbacks."""

    def __init__(self) -> None:
        self.callbacks: dict[int, tuple[Callable[..., None], tuple[Any, ...]]] = {}

    def registerCallback(self, callback: Callable[..., None], *arguments: Any) -> int:  # noqa: N802
        """Call `callback` with every output and these arguments behind it."""
        self.callbacks[len(self.callbacks)] = (callback, arguments)
        return len(self.callbacks) - 1

    def signalMessage(self, *messages: Any) -> None:  # noqa: N802
        """Give an output."""
        for callback, arguments in self.callbacks.values():
            callback(*messages, *arguments)


class StandInSynchronizer(StandInFilter):
    """Calls back with one message of each filter, whose stamps differ by less than `slop` seconds.

    Each filter has a queue of `queue_size` messages, by stamp in ns; the earliest goes when another one comes. A message is matched when
    it arrives, with the nearest ones that have arrived before.
    """

    def __init__(self, fs: Sequence[Any], queue_size: int, slop: float) -> None:
        super().__init__()
        self.queue_size, self.slop = queue_size, round(slop * 1e9)
        self.lock = threading.Lock()
        self.queues: list[dict[int, Any]] = [{} for _ in fs]
        for index, (source, queue) in enumerate(zip(fs, self.queues, strict=True)):
            source.registerCallback(self.add, queue, index)

    def add(self, message: Any, queue: dict[int, Any], index: int) -> None:
        stamp = message.header.stamp
        if not hasattr(stamp, "nanoseconds"):
            stamp = Time.from_msg(stamp)
        own: int = stamp.nanoseconds
        with self.lock:
            queue[own] = message
            while len(queue) > self.queue_size:
                del queue[min(queue)]
            choices = [
                [own]
                if other is queue
                else sorted((s for s in other if abs(s - own) <= self.slop), key=lambda s: abs(s - own))
                for other in self.queues
            ]
            for chosen in itertools.product(*choices):
                if max(chosen) - min(chosen) < self.slop and own in queue:
                    self.signalMessage(*(other[s] for other, s in zip(self.queues, chosen, strict=True)))
                    for other, s in zip(self.queues, chosen, strict=True):
                        del other[s]
                    break


__all__ = ["ApproximateTimeSynchronizer", "SimpleFilter"]

try:
    from message_filters import ApproximateTimeSynchronizer, SimpleFilter
except ImportError:  # not among the wheels of ROS 2 on PyPI
    ApproximateTimeSynchronizer, SimpleFilter = StandInSynchronizer, StandInFilter
