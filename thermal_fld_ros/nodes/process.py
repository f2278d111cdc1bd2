# SPDX-License-Identifier: Apache-2.0
"""A node's process: from the start to a clean end."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import rclpy
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.executors import ExternalShutdownException
from rclpy.impl.implementation_singleton import rclpy_implementation


class Closable(Protocol):
    """A node that has something to finish."""

    def close(self) -> None:
        """Finish."""


N = TypeVar("N", bound=Closable)


def run(name: str, make: Callable[[], N], args: list[str] | None = None, spin: Callable[[Any], None] = rclpy.spin) -> None:
    """Make a node and spin it until it is interrupted or `spin` returns; then close it.

    A value that cannot be used (InvalidParameter..., ValueError) ends the process with one line and status 1.
    """
    node: N | None = None

    def interrupt(number: int, frame: object) -> None:
        # Once the node spins, rclpy's own handler ends that. A KeyboardInterrupt would strike anywhere in rclpy.
        if node is None:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    try:
        rclpy.init(args=args)
        node = make()
        spin(node)
    except (InvalidParameterTypeException, InvalidParameterValueException, ValueError) as error:
        sys.exit(f"{name}: {error}")
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except rclpy_implementation.RCLError:
        if rclpy.ok():  # else the interrupt came between rclpy's look at the context and its use: an end like any other
            raise
    finally:
        if node is not None:
            node.close()
        rclpy.try_shutdown()
