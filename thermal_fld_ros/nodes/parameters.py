# SPDX-License-Identifier: Apache-2.0
"""Node parameters, declared once in a table.

From a table of `Parameter` come the declarations with their descriptors, the checks at run time, and what `reference.py` writes: the
node's file in `config/` and its section of `docs/parameters.md`.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from thermal_fld_ros.options import range_of

if TYPE_CHECKING:
    from rcl_interfaces.msg import ParameterDescriptor, SetParametersResult
    from rclpy.node import Node
    from rclpy.parameter import Parameter as RosParameter

Value = bool | int | float | str
Values = Mapping[str, Any]
"""Parameter name to value; of the type that the table declares."""
Apply = Callable[[Values, frozenset[str]], None]

OTHERS = ("qos_overrides.", "use_sim_time", "start_type_description_service")
"""Beginnings of names that rclpy itself declares, some of them later."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a node; its type is that of its default.

    Attributes
    ----------
    description
        One sentence or two for a person, with the unit.
    low, high
        Range of a number, both ends included.
    step
        Distance of an integer's permitted values, counted from `low`.
    choices
        Permitted values of a string.
    read_only
        Read once at the start; a change is refused.
    """

    name: str
    default: Value
    description: str
    low: float | None = None
    high: float | None = None
    step: int = 1
    choices: tuple[str, ...] = ()
    read_only: bool = False

    @classmethod
    def of(
        cls, options: type, name: str, description: str, *, choices: tuple[str, ...] = (), read_only: bool = False
    ) -> Parameter:
        """A parameter that is a field of an options dataclass, whose default and range it has."""
        low, high = range_of(options, name) or (None, None)
        return cls(name, getattr(options, name), description, low, high, choices=choices, read_only=read_only)

    @property
    def constraint(self) -> str:
        """The permitted values, in words."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.low is None or self.high is None:
            return ""
        steps = f" in steps of {self.step}" if self.step != 1 else ""
        return f"{self.low:.12g} to {self.high:.12g}{steps}"

    def check(self, value: Value) -> None:
        """Raise ValueError with the reason when the value is not permitted."""
        if self.choices and value not in self.choices:
            raise ValueError(f"{self.name}: '{value}' is not {self.constraint}")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{self.name}: {value} is not a finite number")

    def descriptor(self) -> ParameterDescriptor:
        """The ROS descriptor, with which rclpy checks ranges and tools draw sliders."""
        from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor

        descriptor = ParameterDescriptor(description=self.description, read_only=self.read_only)
        if self.choices:
            descriptor.additional_constraints = self.constraint
        elif self.low is not None and self.high is not None:
            if isinstance(self.default, float):
                descriptor.floating_point_range = [FloatingPointRange(from_value=self.low, to_value=self.high)]
            else:
                limits = IntegerRange(from_value=int(self.low), to_value=int(self.high), step=self.step)
                descriptor.integer_range = [limits]
        return descriptor


class Parameters:
    """The parameters of a table on a node, kept as plain values.

    Parameters
    ----------
    apply
        Called with all values and the names of those that change, before the change is final. It makes the change take effect, or
        raises ValueError with the reason for which it is refused and leaves everything as it was.

    Raises
    ------
    InvalidParameterValueException, InvalidParameterTypeException
        A value given at the start is not permitted.
    """

    def __init__(self, node: Node, table: Sequence[Parameter], apply: Apply) -> None:
        from rclpy.exceptions import InvalidParameterValueException

        self._table = {parameter.name: parameter for parameter in table}
        self._apply = apply
        values = {}
        for parameter in table:
            declared = node.declare_parameter(parameter.name, parameter.default, parameter.descriptor())
            try:
                parameter.check(declared.value)
            except ValueError as error:
                raise InvalidParameterValueException(parameter.name, declared.value, str(error)) from error
            values[parameter.name] = declared.value
        self.values: Values = values
        self._tell_unknown(node)
        node.add_on_set_parameters_callback(self._on_set)

    def _tell_unknown(self, node: Node) -> None:
        """Warn of parameters of the command line or a file that the node does not have.

        They are no error: a section `/**` of a file may be meant for several nodes.
        """
        for name in node._parameter_overrides:
            if name in self._table or node.has_parameter(name) or name.startswith(OTHERS):
                continue
            near = difflib.get_close_matches(name, self._table, 1)
            guess = f"did you mean {near[0]}?" if near else "`ros2 param list` shows the parameters of the node"
            node.get_logger().warning(f"there is no parameter {name}, so its value is ignored; {guess}")

    def _on_set(self, changes: list[RosParameter]) -> SetParametersResult:
        from rcl_interfaces.msg import SetParametersResult

        # rclpy has checked type, range and read-only by now. Names of others (QoS overrides, use_sim_time) pass here too.
        changed = {change.name: change.value for change in changes if change.name in self._table}
        if changed:
            values = {**self.values, **changed}
            try:
                for name, value in changed.items():
                    self._table[name].check(value)
                self._apply(values, frozenset(changed))
            except ValueError as error:
                return SetParametersResult(successful=False, reason=str(error))
            self.values = values
        return SetParametersResult(successful=True)
