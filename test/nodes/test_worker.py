# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import threading

from thermal_fld_ros.nodes.worker import NewestWorker


def test_the_newest_item_replaces_one_that_still_waits() -> None:
    started, go_on, last, seen = threading.Event(), threading.Event(), threading.Event(), []

    def process(item: int) -> None:
        seen.append(item)
        if item == 4:
            last.set()
        started.set()
        assert go_on.wait(30)

    worker = NewestWorker(process, "newest")
    assert not worker.put(1)
    assert started.wait(30)
    assert [worker.put(item) for item in (2, 3, 4)] == [False, True, True]
    go_on.set()
    assert last.wait(30)
    worker.stop()
    worker.stop()
    assert seen == [1, 4]


def test_stop_waits_for_the_item_in_work_and_drops_the_waiting_one() -> None:
    started, go_on, seen = threading.Event(), threading.Event(), []

    def process(item: int) -> None:
        started.set()
        assert go_on.wait(30)
        seen.append(item)

    worker = NewestWorker(process, "stopping")
    worker.put(1)
    assert started.wait(30)
    worker.put(2)
    stopper = threading.Thread(target=worker.stop)
    stopper.start()
    go_on.set()
    stopper.join(30)
    worker.put(3)
    assert seen in ([1], [1, 2]), "2 may be taken in the moment before stop; 3 comes too late"
    assert "stopping" not in [thread.name for thread in threading.enumerate()]
