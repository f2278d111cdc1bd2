# SPDX-License-Identifier: Apache-2.0
"""One worker thread that always takes the newest item."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class NewestWorker(Generic[T]):
    """Runs `process` on the newest item in a thread of its own.

    An item that arrives while an older one still waits replaces it, so a slow `process` loses frames and not time.

    Parameters
    ----------
    process
        Called in the thread. It lets no exception escape.
    """

    def __init__(self, process: Callable[[T], None], name: str) -> None:
        self._process = process
        self._changed = threading.Condition()
        self._item: T | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, item: T) -> bool:
        """Hand over an item. Returns whether it replaced one that nobody had looked at."""
        with self._changed:
            replaced = self._item is not None
            self._item = item
            self._changed.notify()
        return replaced

    def stop(self) -> None:
        """Let the item in work finish, drop the waiting one and end the thread. It may be called again."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopping or self._item is not None)
                if self._stopping:
                    return
                item, self._item = self._item, None
            if item is not None:
                self._process(item)
