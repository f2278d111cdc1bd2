# SPDX-License-Identifier: Apache-2.0
"""Images are taken in a thread of their own: always the newest, and what is missing is counted as what it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from node_rig import NodeRig
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from std_msgs.msg import Int64

from thermal_fld_ros.nodes.reception import Numbers, WatchedSubscription

RELIABLE = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)


class Slow:
    """A subscription of numbers whose callback waits for leave."""

    def __init__(self, rig: NodeRig, depth: int = 1) -> None:
        self.rig = rig
        self.seen: list[int] = []
        self.ages: list[float] = []
        self.leave = threading.Semaphore(0)
        self.started = threading.Semaphore(0)
        profile = QoSProfile(depth=depth, reliability=ReliabilityPolicy.RELIABLE)
        self.subscription = WatchedSubscription(rig.node, Int64, "number", self._take, profile, thread="slow")
        self.publisher = rig.node.create_publisher(Int64, "number", QoSProfile(depth=100))
        rig.wait_for(lambda: self.publisher.get_subscription_count() == 1, "the subscription")

    def _take(self, message: bytes, arrived: float) -> None:
        self.ages.append(time.monotonic() - arrived)
        self.seen.append(deserialize_message(message, Int64).data)
        self.started.release()
        assert self.leave.acquire(timeout=30)

    def send(self, *numbers: int) -> None:
        for number in numbers:
            self.publisher.publish(Int64(data=number))
        assert self.publisher.wait_for_all_acked()

    def close(self) -> None:
        self.leave.release(1000)
        self.subscription.close()


@pytest.fixture
def talk(ros: None) -> Iterator[NodeRig]:
    rig = NodeRig("nobody", {})
    yield rig
    rig.close()


@pytest.mark.parametrize("depth", [1, 2, 4, 10])
def test_the_newest_is_taken_and_those_before_it_are_counted_as_replaced(talk: NodeRig, depth: int) -> None:
    slow = Slow(talk, depth)
    slow.send(1)
    assert slow.started.acquire(timeout=30)
    slow.send(2, 3, 4, 5)
    slow.leave.release()
    assert slow.started.acquire(timeout=30)
    slow.leave.release()
    slow.send(6)
    assert slow.started.acquire(timeout=30)
    assert slow.seen == [1, 5, 6]
    slow.close()
    counts = (slow.subscription.received, slow.subscription.replaced, slow.subscription.lost)
    assert counts == (6, 3, 0)
    assert all(0.0 <= age < 30.0 for age in slow.ages)


def test_the_end_waits_for_the_message_in_work_and_takes_no_other(talk: NodeRig) -> None:
    slow = Slow(talk)
    slow.send(1)
    assert slow.started.acquire(timeout=30)
    closing = threading.Thread(target=slow.subscription.close)
    slow.send(2)
    closing.start()
    talk.wait_for(lambda: slow.subscription.closing, "the request to stop")
    slow.leave.release()
    closing.join(30)
    assert not closing.is_alive() and slow.seen == [1]
    assert "slow" not in [thread.name for thread in threading.enumerate()]
    slow.subscription.close()


def test_an_incompatible_publisher_is_heard_of_without_the_executor(
    talk: NodeRig, capfd: pytest.CaptureFixture[str]
) -> None:
    subscription = WatchedSubscription(talk.node, Int64, "number", print, RELIABLE, thread="reader")
    talk.node.create_publisher(Int64, "number", QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT))

    def told() -> bool:
        subscription.check(60.0)
        return "offering incompatible QoS" in capfd.readouterr().err

    talk.wait_for(told, "the event")
    subscription.close()


def numbered(number: int, milliseconds: float) -> dict[str, int]:
    return {"publication_sequence_number": number, "source_timestamp": 10**18 + round(1e6 * milliseconds)}


def test_what_is_missing_shows_in_the_publishers_numbers() -> None:
    numbers = Numbers()
    assert numbers.missing(numbered(500, 0)) == 0, "what was before this subscription"
    assert numbers.missing(numbered(501, 33)) == 0
    assert numbers.missing(numbered(505, 160)) == 3
    assert numbers.missing(numbered(1, 200)) == 0, "the publisher was started again"
    assert numbers.missing(numbered(3, 260)) == 1
    assert numbers.missing(numbered(90_000, 290)) == 0, "another publisher"
    numbers.alone = False
    assert numbers.missing(numbered(90_005, 400)) == 0, "one of several"
    assert numbers.are_given


def test_a_middleware_without_numbers() -> None:
    numbers = Numbers()
    for _ in range(3):
        assert numbers.missing({"source_timestamp": 5}) == numbers.missing({}) == 0
        assert not numbers.are_given
