# SPDX-License-Identifier: Apache-2.0
"""What a node did, and its report on /diagnostics."""

from __future__ import annotations

import math
import statistics
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


class Refusals:
    """Counts what was refused, by reason, and says when to log: a reason's first case at once, then at most one in 5 s."""

    REPEAT_SECONDS = 5.0

    def __init__(self) -> None:
        self.total = 0
        self.latest = ""
        self._counts: Counter[str] = Counter()
        self._logged: dict[str, tuple[float, int]] = {}

    def add(self, reason: str, text: str) -> str:
        """Count a case. Returns the line to log, or nothing while the reason is throttled."""
        self._counts[reason] += 1
        self.total += 1
        self.latest = text
        count, now = self._counts[reason], time.monotonic()
        then, said = self._logged.get(reason, (-math.inf, 0))
        if now - then < self.REPEAT_SECONDS:
            return ""
        self._logged[reason] = (now, count)
        unsaid = count - said - 1
        return text + (f" ({unsaid} more since the last report)" if unsaid else "")

    def counts(self) -> dict[str, int]:
        """Cases by reason."""
        return dict(self._counts)


class Rates:
    """Events a second between two readings of growing counts."""

    def __init__(self) -> None:
        self._time = time.monotonic()
        self._counts: dict[str, int] = {}

    def update(self, counts: Mapping[str, int]) -> dict[str, float]:
        """The rates in Hz since the last update."""
        now = time.monotonic()
        seconds, self._time = max(now - self._time, 1e-9), now
        rates = {name: max(count - self._counts.get(name, 0), 0) / seconds for name, count in counts.items()}
        self._counts = dict(counts)
        return rates


class Latencies:
    """The last few hundred latencies."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=300)

    def add(self, seconds: float) -> None:
        """Append one."""
        self._seconds.append(seconds)

    def median_ms(self) -> float:
        """Their median in ms, NaN while there is none."""
        seconds = list(self._seconds)
        return 1000.0 * statistics.median(seconds) if seconds else float("nan")


class DiagnosticsPublisher:
    """Publishes one status of a node on /diagnostics, named "<node with its namespace>: status"."""

    def __init__(self, node: Node) -> None:
        self._send = _sender(node)

    def publish(self, level: bytes, message: str, values: Mapping[str, object], hardware_id: str = "") -> None:
        """Send the status; values are shown as text, floating-point numbers with three digits."""
        status = DiagnosticStatus(level=level, name="status", message=message, hardware_id=hardware_id)
        status.values = [
            KeyValue(key=key, value=f"{value:.3g}" if isinstance(value, float) else str(value))
            for key, value in values.items()
        ]
        self._send(status)


def _sender(node: Node) -> Callable[[DiagnosticStatus], None]:
    """What publishes a status under the name of the node: diagnostic_updater where it is installed, else its like.

    The updater's timer is not used: it follows the node's clock, and the report that /clock is silent must not wait for /clock.
    """
    node_name = node.get_fully_qualified_name().lstrip("/")
    try:
        from diagnostic_updater import Updater
    except ImportError:
        publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)

        def send(status: DiagnosticStatus) -> None:
            status.name = f"{node_name}: {status.name}"
            array = DiagnosticArray(status=[status])
            array.header.stamp = node.get_clock().now().to_msg()
            publisher.publish(array)

        return send
    updater = Updater(node)
    node.destroy_timer(updater.timer)
    for parameter in ("diagnostic_updater.period", "diagnostic_updater.use_fqn"):  # they would have no effect
        if node.has_parameter(parameter):
            node.undeclare_parameter(parameter)
    updater.node_name = node_name
    updater_sends: Callable[[DiagnosticStatus], None] = updater.publish
    return updater_sends
