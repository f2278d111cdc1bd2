# SPDX-License-Identifier: Apache-2.0
"""A subscription that reports why messages do not arrive."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSCompatibility, QoSProfile, qos_check_compatible
from rclpy.subscription import Subscription
from rclpy.utilities import get_rmw_implementation_identifier

from thermal_fld_ros.nodes import qos as qos_profiles
from thermal_fld_ros.nodes.reader import Apart, NewestReader, Taken
from thermal_fld_ros.recordings.bag import IMAGE_TYPES

try:
    from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks, UnsupportedEventTypeError

TRANSPORT_HINT = " (set the transport parameter of this topic to raw or compressed)"

KNOWS_INFO = hasattr(Subscription, "CallbackType")  # Humble gives callbacks the message alone
REPEAT_SECONDS = 30.0
LONGEST_WAIT = 10.0
"""Seconds for which a message may have waited; what seems longer is a clock that was set."""
FASTEST, BURST = 1000.0, 10
"""Messages a second, and at once, at most; a larger gap of the numbers is another publisher's."""
LOST_SHARE = 0.2
LOST_COUNT = 5

PROFILE_VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")  # until Jazzy, from Kilted on
FAST_DDS_HINT = (
    "Fast DDS's default shared memory is smaller than a large image: publisher and subscriber both need the environment variable "
    f"{' (from Kilted on '.join(PROFILE_VARIABLES)}) set to config/fastdds.xml of this package; in this process it is"
)
SOCKET_HINT = "Between hosts, raise net.core.rmem_max or make publisher and subscription reliable."


class WatchedSubscription:
    """A subscription with a log of what its user would otherwise have to guess. It hands out messages as their serialised bytes.

    Parameters
    ----------
    thread
        Name of a thread of the subscription's own, in which `callback` is called, with the newest message only, instead of by the
        executor. It then takes the monotonic time in seconds of the arrival too, and lets no exception escape.

    Attributes
    ----------
    topic, qos : str
        The resolved name, and the QoS in words after overrides.
    received : int
        Messages that arrived.
    replaced : int
        Those of them in whose place the thread has taken a newer one.
    lost : int
        Messages that were published while this subscription was there and did not arrive: where one publishes, by the numbers that Fast
        DDS and others give its messages; else as far as the middleware tells. Nothing tells of what is missing before the first and
        after the last message that arrived.
    trouble : str
        Why nothing arrives or what is lost, as of the last `check`; empty when all is well.
    """

    def __init__(
        self,
        node: Node,
        message_type: type,
        topic: str,
        callback: Callable[..., None],
        qos: QoSProfile,
        thread: str = "",
    ) -> None:
        self._node = node
        self._type = message_type
        self._callback = callback
        self._qos = qos
        self._group = Apart() if thread else None
        self._numbers = Numbers()
        self._heard = time.monotonic()
        self._bytes = 0
        self._at_check = (0, 0)
        self._silent = False
        self._said = ("", 0.0)
        self.received = self.replaced = self.lost = 0
        self.trouble = ""
        self._subscription = self._subscribe(topic)
        self.topic: str = self._subscription.topic_name
        self.qos = qos_profiles.describe(qos)
        node.get_logger().info(f"listening on {self.topic} ({self.qos})")
        self._reader = NewestReader(node, self._subscription, self._on_newest, thread) if thread else None

    def continue_from(self, before: WatchedSubscription) -> None:
        """Count on from a subscription that this one replaces; what it has judged is not judged again."""
        self.received, self.replaced, self.lost = before.received, before.replaced, before.lost
        self._at_check = before._at_check

    @property
    def closing(self) -> bool:
        """Whether `close` was called, even if a message is still being processed; only for a subscription with its own thread."""
        return self._reader is not None and self._reader.stopped

    def close(self) -> None:
        """End the subscription; the message in work is finished."""
        if self._reader is not None:
            self._reader.stop()
        self._node.destroy_subscription(self._subscription)

    def check(self, timeout: float) -> None:
        """Look at what arrived since the last check, and log trouble when it begins, every 30 s while it lasts, and its end.

        Parameters
        ----------
        timeout
            Silence in seconds from which on it is trouble.
        """
        if self._reader is not None:
            self._reader.handle_events()
        self._numbers.alone = self._node.count_publishers(self.topic) <= 1
        received, lost = self.received - self._at_check[0], self.lost - self._at_check[1]
        self._at_check = (self.received, self.lost)
        silence = time.monotonic() - self._heard
        self._note_silence(silence > timeout)
        if silence > timeout:
            reason = self._reason(lost)
            self._complain(f"nothing on {self.topic} ({self.qos}) for {silence:.0f} s: {reason}", reason)
        elif lost >= LOST_COUNT and lost > LOST_SHARE * (lost + received):
            hint = self._transport_hint()
            self._complain(f"{self.topic}: {lost} of {lost + received} messages were lost on the way. {hint}", hint)
        else:
            self.trouble = ""

    def _note_silence(self, silent: bool) -> None:
        if self._silent and not silent:
            self._node.get_logger().info(f"{self.topic}: messages arrive again")
        self._silent = silent

    def _complain(self, trouble: str, reason: str) -> None:
        """Log a new reason at once, and the same again after a while."""
        self.trouble = trouble
        said, when = self._said
        if reason != said or time.monotonic() - when > REPEAT_SECONDS:
            self._node.get_logger().warning(trouble)
            self._said = (reason, time.monotonic())

    def _published_by_others(self, topic: str) -> bool:
        """Whether another node publishes it: nobody means a node's own pictures as its input."""
        own = self._node.get_name(), self._node.get_namespace()
        publishers = self._node.get_publishers_info_by_topic(topic)
        return any((publisher.node_name, publisher.node_namespace) != own for publisher in publishers)

    def _reason(self, lost: int) -> str:
        """Why nothing arrives, as far as the ROS graph shows."""
        publishers = self._node.get_publishers_info_by_topic(self.topic)
        ours = type_name(self._type)
        if not publishers:
            same_type = [
                name
                for name, types in self._node.get_topic_names_and_types()
                if ours in types and self._published_by_others(name)
            ]
            others = f"; topics of this type are {', '.join(sorted(same_type))}" if same_type else ""
            return f"it has no publisher{others}"
        reasons = []
        for publisher in publishers:
            compatibility, why = qos_check_compatible(publisher.qos_profile, self._qos)
            if publisher.topic_type != ours:
                hint = TRANSPORT_HINT if {publisher.topic_type, ours} == set(IMAGE_TYPES) else ""
                reasons.append(f"{publisher.node_name} publishes {publisher.topic_type}, not {ours}{hint}")
            elif compatibility == QoSCompatibility.ERROR:
                offered = qos_profiles.describe(publisher.qos_profile)
                reasons.append(
                    f"{publisher.node_name} offers an incompatible QoS ({offered}): {why.strip().rstrip(';')}"
                )
        if reasons:
            return "; ".join(reasons)
        if lost:
            return f"messages were lost on the way. {self._transport_hint()}"
        return f"{len(publishers)} publisher(s) with a compatible QoS, but none of them sends messages"

    def _transport_hint(self) -> str:
        size = f"The last message that arrived had {self._bytes / 1000:.0f} kB. " if self._bytes else ""
        if "fastrtps" not in get_rmw_implementation_identifier():
            return size + SOCKET_HINT
        is_set = any(os.environ.get(name) for name in PROFILE_VARIABLES)
        return f"{size}{FAST_DDS_HINT} {'set' if is_set else 'not set'}. {SOCKET_HINT}"

    def _subscribe(self, topic: str) -> Any:
        on_message: Any = self._on_numbered if KNOWS_INFO else self._on_message

        def create(events: SubscriptionEventCallbacks) -> Any:
            overriding = qos_profiles.image_overrides()
            return self._node.create_subscription(
                self._type,
                topic,
                on_message,
                self._qos,
                callback_group=self._group,
                event_callbacks=events,
                qos_overriding_options=overriding,
                raw=True,
            )

        try:
            return create(SubscriptionEventCallbacks(message_lost=self._on_lost))
        except UnsupportedEventTypeError:  # not every middleware counts what it loses
            return create(SubscriptionEventCallbacks())

    def _on_newest(self, taken: Taken) -> None:
        now = time.monotonic()
        received = taken.info.get("received_timestamp") or 0
        age = 1e-9 * (time.time_ns() - received)
        missing = max(self._numbers.missing(taken.info) - taken.passed, 0)
        if taken.passed + 1 < self._qos.depth:
            self.lost += missing
        else:  # the queue was full: they had to make room for newer ones
            self.replaced += missing
            self.received += missing
        self.replaced += taken.passed
        self.received += taken.passed
        self._note(taken.message)
        self._callback(taken.message, now - age if 0.0 <= age < LONGEST_WAIT else now)

    def _on_numbered(self, message: bytes, info: dict[str, Any]) -> None:
        self.lost += self._numbers.missing(info)
        self._on_message(message)

    def _on_message(self, message: bytes) -> None:
        self._note(message)
        self._callback(message)

    def _note(self, message: bytes) -> None:
        self._heard = time.monotonic()
        self.received += 1
        self._bytes = len(message)

    def _on_lost(self, event: Any) -> None:
        if not (self._numbers.are_given and self._numbers.alone):
            self.lost += event.total_count_change


class Numbers:
    """Finds what is missing between messages by the numbers that their publisher gave them.

    Attributes
    ----------
    are_given : bool
        Whether the last message had one.
    alone : bool
        Whether there is one publisher at most; the numbers of several cannot be told apart.
    """

    def __init__(self) -> None:
        self.are_given, self.alone = False, True
        self._number = self._time = 0

    def missing(self, info: Mapping[str, Any]) -> int:
        """How many messages are missing between the last one and this one."""
        number, time_ns = info.get("publication_sequence_number") or 0, info.get("source_timestamp") or 0
        gap, seconds = number - self._number - 1, 1e-9 * (time_ns - self._time)
        counts = self.alone and self._number > 0 and 0 < gap <= BURST + FASTEST * seconds
        self.are_given, self._number, self._time = number > 0, number, time_ns
        return gap if counts else 0


def type_name(message_type: Any) -> str:
    """The ROS name of a message class, such as sensor_msgs/msg/Image."""
    package, folder = message_type.__module__.split(".")[:2]
    return f"{package}/{folder}/{message_type.__name__}"
