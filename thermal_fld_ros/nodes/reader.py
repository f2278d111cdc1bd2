# SPDX-License-Identifier: Apache-2.0
"""Taking the messages of one subscription outside of the executor."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, NamedTuple

from rclpy.callback_groups import CallbackGroup
from rclpy.guard_condition import GuardCondition
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.subscription import Subscription

RCLError = rclpy_implementation.RCLError


class Apart(CallbackGroup):
    """What executors leave alone.

    Of a subscription that is the events too: Fast DDS wakes who waits for them with every message.
    """

    def can_execute(self, entity: Any) -> bool:
        """See `CallbackGroup`."""
        return False

    def beginning_execution(self, entity: Any) -> bool:
        """See `CallbackGroup`."""
        return False

    def ending_execution(self, entity: Any) -> None:
        """See `CallbackGroup`."""


class Taken(NamedTuple):
    """A message that was taken.

    Attributes
    ----------
    message, info
        The message or its bytes; what the middleware knows of it: stamps in ns, and its number where it counts.
    passed : int
        Older ones that waited with it.
    """

    message: Any
    info: dict[str, Any]
    passed: int


class NewestReader:
    """Calls `process` in a thread of its own, always with the newest message of a subscription in the group `Apart`.

    rclpy's executor gathers all of a node's entities in a new wait set for each message, which takes longer than the message's way.
    Here a wait set of one subscription stays. While `process` works, the middleware's own queue keeps what arrives; of that the newest is
    taken, so a slow `process` loses messages and not time.

    Parameters
    ----------
    process
        It lets no exception escape.
    """

    def __init__(self, node: Node, subscription: Subscription, process: Callable[[Taken], None], name: str) -> None:
        self._node, self._subscription, self._process = node, subscription, process
        self._stopping = GuardCondition(None, None, context=node.context)
        self.stopped = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let the message in work finish and end the thread. It may be called again."""
        if not self.stopped:
            self.stopped = True
            self._stopping.trigger()
            self._thread.join()
            self._stopping.destroy()

    def handle_events(self) -> None:
        """Call the handlers of the subscription's QoS events that have come, in this thread."""
        handlers: Any = self._subscription.event_handlers
        context = self._node.context.handle
        with ExitStack() as used:
            for handle in (context, *handlers):
                used.enter_context(handle)
            wait_set = rclpy_implementation.WaitSet(0, 0, 0, 0, 0, len(handlers), context)
            wait_set.clear_entities()
            for handler in handlers:
                handler.add_to_wait_set(wait_set)
            wait_set.wait(0)
            ready = [handler for handler in handlers if handler.is_ready(wait_set)]
        for handler in ready:
            event = handler.take_data()
            if event is not None:
                handler.callback(event)

    def _run(self) -> None:
        context, subscription, stopping = self._node.context.handle, self._subscription.handle, self._stopping.handle
        with ExitStack() as used:
            handles: tuple[Any, ...] = (context, subscription, stopping)
            for handle in handles:
                used.enter_context(handle)
            wait_set = rclpy_implementation.WaitSet(1, 1, 0, 0, 0, 0, context)
            while not self.stopped and self._node.context.ok():
                try:
                    taken = self._take()
                    if taken is not None:
                        self._process(taken)
                        continue
                    wait_set.clear_entities()
                    wait_set.add_subscription(subscription)
                    wait_set.add_guard_condition(stopping)
                    wait_set.wait(-1)
                except RCLError as error:  # the middleware's trouble with one message is not that of the next
                    self._node.get_logger().error(f"a message could not be taken: {error}", throttle_duration_sec=5.0)

    def _take(self) -> Taken | None:
        """The newest message that waits."""
        newest, passed = None, -1
        while True:
            taken = self._subscription.handle.take_message(self._subscription.msg_type, self._subscription.raw)
            if taken is None:
                return None if newest is None else Taken(newest[0], newest[1], passed)
            newest, passed = taken, passed + 1
