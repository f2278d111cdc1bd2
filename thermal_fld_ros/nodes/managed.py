# SPDX-License-Identifier: Apache-2.0
"""What the lifecycle nodes share: parameters, the diagnostics' timer, and the transitions that release everything."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from thermal_fld_ros.nodes.diagnostics import DiagnosticsPublisher, Rates
from thermal_fld_ros.nodes.parameters import Parameter, Parameters, Values

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class ManagedNode(LifecycleNode):
    """A lifecycle node with declared parameters, among them `diagnostics_period` and `autostart`."""

    def __init__(self, name: str, table: Sequence[Parameter], **options: Any) -> None:
        super().__init__(name, **options)
        self._failure = ""
        self._settings = Parameters(self, table, self._apply)
        self._diagnostics = DiagnosticsPublisher(self)
        self._rates = Rates()
        self._timer: Any = None
        self._start_timer(self._values["diagnostics_period"])

    def start(self) -> None:
        """Go to active where `autostart` is set; the last step of a constructor."""
        if self._values["autostart"] and self.trigger_configure() == SUCCESS:
            self.trigger_activate()

    @abstractmethod
    def close(self) -> None:
        """Release what `configure` and `activate` made. It may be called again."""

    @abstractmethod
    def _apply(self, values: Values, changed: frozenset[str]) -> None:
        """Make changed parameters take effect, or raise ValueError with the reason and leave everything as it was."""

    @abstractmethod
    def _report(self) -> None:
        """Publish the node's status."""

    @property
    def _values(self) -> Values:
        return self._settings.values

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything."""
        self.close()
        return SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Leave nothing running, from whatever state."""
        self.close()
        self._timer.cancel()
        return SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Fall back to unconfigured."""
        self.get_logger().error(f"a transition from the state {state.label} failed")
        self.close()
        return SUCCESS

    def _fail(self, transition: str, error: Exception) -> TransitionCallbackReturn:
        self._failure = f"{transition} failed: {error}"
        self.get_logger().error(self._failure)
        return FAILURE

    def _start_timer(self, period: float) -> None:
        if self._timer is not None:
            self.destroy_timer(self._timer)
        # Steady time: the report that no /clock and no image arrives must not wait for them.
        self._timer = self.create_timer(period, self._report, clock=Clock(clock_type=ClockType.STEADY_TIME))
