# SPDX-License-Identifier: Apache-2.0
"""A node's process: from the start to a clean end."""

from __future__ import annotations

import re
import signal
import socket
import sys
import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.signals import SignalHandlerOptions

UnknownROSArgsError = rclpy_implementation.UnknownROSArgsError

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that end a node: Ctrl-C, a launch file or a service manager, a closed terminal."""

UNUSABLE = (ParameterException, RuntimeError, ValueError, OSError)
"""What a start raises when the command line, a parameter or a file cannot be used. rclpy's errors are RuntimeErrors."""


class Closable(Protocol):
    """A node that has something to finish."""

    def close(self, failure: str = "") -> None:
        """Finish; `failure` says which error has ended the node."""


NodeType = TypeVar("NodeType", bound=Closable)


def run_node(
    name: str,
    make: Callable[[], NodeType],
    args: list[str] | None = None,
    done: Callable[[NodeType], bool] | None = None,
) -> None:
    """Make a node and execute its callbacks until a signal of `ENDING` arrives or it is `done`; then close it.

    The node is closed while it can still publish and log. A start that fails ends the process with one line and status 1; an error
    in a callback, after the node was closed, with its traceback.
    """
    ending = threading.Event()
    executor: SingleThreadedExecutor | None = None

    def end() -> None:
        ending.set()
        if executor is not None:
            executor.create_task(_nothing)  # wakes it

    _call_on_signals(end)
    try:
        # rclpy's own handlers would end the context at once, before the node has finished and told so.
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
        node = make()
    except UNUSABLE as error:
        rclpy.try_shutdown()
        sys.exit(f"{name}: {_one_line(error)}")
    failure = ""
    try:
        executor = SingleThreadedExecutor()
        executor.add_node(node)  # type: ignore[arg-type]
        while not ending.is_set() and not (done and done(node)):
            executor.spin_once()
    except ExternalShutdownException:
        pass
    except BaseException as error:
        failure = f"{type(error).__name__}: {error}"
        raise
    finally:
        node.close(failure)
        rclpy.try_shutdown()
        for number in ENDING:  # Python would restore their deadly defaults before the process has gone
            signal.signal(number, signal.SIG_IGN)


def _call_on_signals(end: Callable[[], None]) -> None:
    """Call `end` in a thread for every signal of `ENDING`, and let none of them interrupt anything.

    Python runs a signal's handler in the main thread, and only between two of its own instructions, so not while that waits for
    messages. The signal's number in a socket wakes a thread at once.
    """
    receiver, sender = socket.socketpair()
    sender.setblocking(False)
    signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
    for number in ENDING:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, lambda number, frame: None)

    def listen() -> None:
        with receiver, sender:
            while receiver.recv(1):
                end()

    threading.Thread(target=listen, name="thermal_fld_signals", daemon=True).start()


def _nothing() -> None:
    """A task."""


def _one_line(error: Exception) -> str:
    """What the error says, without the places in rcl's sources."""
    text = re.sub(r", at \S+:\d+", "", " ".join(str(error).split()))
    return f"unknown arguments: {text}" if isinstance(error, UnknownROSArgsError) else text
