# SPDX-License-Identifier: Apache-2.0
"""What the lifecycle nodes share: parameters, the diagnostics' timer, and the transitions that release everything."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from lifecycle_msgs.srv import ChangeState
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from thermal_fld_ros.nodes.diagnostics import DiagnosticsPublisher, Rates
from thermal_fld_ros.nodes.parameters import Parameter, Parameters, Values
from thermal_fld_ros.nodes.reader import RCLError

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class ManagedNode(LifecycleNode):
    """A lifecycle node with declared parameters, among them `diagnostics_period` and `autostart`."""

    def __init__(self, name: str, table: Sequence[Parameter], **options: Any) -> None:
        super().__init__(name, **options)
        self._refuse_invalid_transitions()
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
    def close(self, failure: str = "") -> None:
        """Release what `configure` and `activate` made, and say of what is cut short that this error did it. It may be called again."""

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
        failure = f"a transition from the state {state.label} failed"
        self.get_logger().error(failure)
        self.close(failure)
        return SUCCESS

    def _refuse_invalid_transitions(self) -> None:
        """Answer `change_state` with success=False where the state has no such transition.

        rclpy does so by label, but by id lets an RCLError end the process (ros2/rclpy issue 1209, mended by pull request 1319).
        """
        service = self._service_change_state
        change = service.callback

        def change_if_valid(request: ChangeState.Request, response: ChangeState.Response) -> ChangeState.Response:
            try:
                return change(request, response)
            except RCLError:
                transition = request.transition
                self.get_logger().warning(
                    f"the transition {transition.label} ({transition.id}) is not possible in the present state"
                )
                response.success = False
                return response

        service.callback = change_if_valid

    def _fail(self, transition: str, error: Exception) -> TransitionCallbackReturn:
        self._failure = f"{transition} failed: {error}"
        self.get_logger().error(self._failure)
        return FAILURE

    def _start_timer(self, period: float) -> None:
        if self._timer is not None:
            self.destroy_timer(self._timer)
        # Steady time: the report that no /clock and no image arrives must not wait for them.
        self._timer = self.create_timer(period, self._report, clock=Clock(clock_type=ClockType.STEADY_TIME))
