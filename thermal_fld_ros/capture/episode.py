# SPDX-License-Identifier: Apache-2.0
"""One recording: a queue, a thread that writes, and a manifest that says what became of every pair."""

from __future__ import annotations

import json
import re
import shutil
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from thermal_fld_ros.capture.bag import WRITE_ERRORS, BagWriter
from thermal_fld_ros.capture.gates import GateOptions, Gates
from thermal_fld_ros.capture.pair import CapturedPair
from thermal_fld_ros.capture.privacy import Keeper
from thermal_fld_ros.files import replace_text
from thermal_fld_ros.options import check_ranges, limited
from thermal_fld_ros.recordings.manifest import BROKEN, COMPLETE, MANIFEST, RECORDING
from thermal_fld_ros.recordings.messages import TF_STATIC, THERMAL, Topic, types

MANIFEST_VERSION = 1
MEGABYTE = 1_000_000
NOT_REDUCED = "not reduced to faces"
"""Gate of pairs that could not be reduced to what may be kept, or whose landmarks cannot be read."""


@dataclass(frozen=True)
class EpisodeOptions:
    """How a recording is written.

    Attributes
    ----------
    storage
        "mcap" or "sqlite3".
    split_size, split_duration
        Largest file in MB and longest in s; 0: no limit.
    flush_period
        Seconds between two flushes of the bag, with each of which the manifest is renewed.
    write_queue
        MB that may wait to be written. What comes beyond that is left out and counted.
    min_free_space
        MB of free disk space below which the recording ends.
    gates : GateOptions
    keep, registration, face_margin
        As `Keeper` takes them.
    """

    storage: str = "mcap"
    split_size: float = limited(2000.0, 0.0, 1e6)
    split_duration: float = limited(0.0, 0.0, 1e6)
    flush_period: float = limited(1.0, 0.05, 60.0)
    write_queue: float = limited(256.0, 1.0, 1e5)
    min_free_space: float = limited(1000.0, 0.0, 1e6)
    gates: GateOptions = field(default_factory=GateOptions)
    keep: str = "images"
    registration: str = ""
    face_margin: float = limited(0.5, 0.0, 10.0)

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class Label:
    """What a recording is of. The subject is a tag and no name; consent says what the person has agreed to."""

    subject: str = ""
    consent: str = ""
    note: str = ""


def new_folder(output: Path, subject: str) -> Path:
    """A path in `output` that does not exist, after the subject and the time. Raises ValueError where the tag fits no file name."""
    if not re.fullmatch(r"[\w-]*", subject, re.ASCII):
        raise ValueError(
            f'subject "{subject}": expected a tag of letters, digits, _ and -, because it becomes part of a path'
        )
    name = f"{subject or 'episode'}_{datetime.now():%Y%m%d_%H%M%S}"
    candidates = (output / (name if number == 1 else f"{name}_take{number}") for number in range(1, 1000))
    return next(path for path in candidates if not path.exists())


class Episode:
    """Records pairs in a thread of its own until it is stopped, the disk is full or writing fails.

    Parameters
    ----------
    folder
        The bag, which must not exist.
    topics
        By role; those of the pairs, and "tf_static" where `put_transforms` is used.
    settings
        For the manifest: under what parameters this was recorded.
    reception
        Gives what the manifest says of messages before they were pairs; called in the thread.
    log
        Takes an error at once, in the thread.

    Attributes
    ----------
    matched, written, dropped, discarded : int
        Pairs that came; that were written; for which the queue had no room; that a recording that failed took with it.
        matched = written + gated + dropped + discarded, and what waits.
    gated : Counter
        Pairs that were left out, by gate.
    failure : str
        Why it ended before it was stopped.
    ended : bool
        Nothing is written any more, and the manifest says how it ended.

    Raises
    ------
    ValueError, OSError
        It cannot begin.
    """

    def __init__(
        self,
        folder: Path,
        topics: Mapping[str, Topic],
        options: EpisodeOptions,
        label: Label,
        settings: Mapping[str, Any],
        reception: Callable[[], dict[str, Any]],
        log: Callable[[str], object],
    ) -> None:
        self.folder, self.label = folder, label
        self.matched = self.written = self.dropped = self.discarded = 0
        self.gated: Counter[str] = Counter()
        self.failure = ""
        self.ended = False
        self._options, self._topics, self._settings = options, dict(topics), dict(settings)
        self._transforms = self._topics.pop(TF_STATIC, None)
        self._reception, self._log = reception, log
        self._keeper = Keeper(options.keep, self._topics, options.registration, options.face_margin)
        self._gates = Gates(options.gates, topics[THERMAL].type)
        self._limit = options.write_queue * MEGABYTE
        self._waiting: deque[CapturedPair | bytes] = deque()
        self._waiting_bytes = 0
        self._changed = threading.Condition()
        self._stopping = self._cut_short = False
        self._reason = "stopped"
        self._started, self._clock = time.time_ns(), time.monotonic_ns()
        self._last_time = 0
        self._check_disk(folder.parent)
        recorded = [topics[role] for role in (*self._keeper.roles, *([TF_STATIC] if self._transforms else []))]
        self._bag = BagWriter(
            folder, options.storage, recorded, int(options.split_size * MEGABYTE), options.split_duration
        )
        self._write_manifest(RECORDING)
        self._thread = threading.Thread(target=self._run, name="thermal_fld_capture", daemon=True)
        self._thread.start()

    def put(self, pair: CapturedPair) -> None:
        """Hand over a pair. It never waits: where the queue is full, the pair is counted as dropped."""
        with self._changed:
            if self._stopping:
                return
            self.matched += 1
            if self._waiting_bytes + pair.size > self._limit:
                self.dropped += 1
                return
            self._waiting.append(pair)
            self._waiting_bytes += pair.size
            self._changed.notify()

    def put_transforms(self, message: bytes) -> None:
        """Hand over a message of tf_static, which is part of no pair: few and small, they always find room."""
        with self._changed:
            if not self._stopping:
                self._waiting.append(message)
                self._changed.notify()

    def stop(self, reason: str = "stopped", failure: str = "") -> None:
        """Write what waits and finish the bag. It may be called again.

        With a `failure`, an error outside of the recording that cuts it short, the manifest calls it "broken" by that.
        """
        with self._changed:
            if not self._stopping:
                self._stopping, self._reason = True, failure or reason
                if failure:
                    self._cut_short = True
                    self.failure = f"the recording was cut short: {failure}"
            self._changed.notify()
        self._thread.join()

    @property
    def waiting_bytes(self) -> int:
        """Bytes in the queue."""
        return self._waiting_bytes

    @property
    def written_bytes(self) -> int:
        """Bytes of messages in the bag."""
        return self._bag.written

    @property
    def unreadable(self) -> str:
        """Why the shutter gate lets images pass; or empty."""
        return self._gates.unreadable

    # --- the thread

    def _run(self) -> None:
        try:
            self._record_all()
            self._bag.close()
            state = BROKEN if self._cut_short else COMPLETE
        except Exception as error:  # whatever it is, what was written must stay and a person must know
            self._fail(error)
            state = BROKEN
        with self._changed:
            self._stopping = True  # what comes from here on is not counted
            self._waiting.clear()
            self._waiting_bytes = 0
            self.discarded = self.matched - self.written - self.gated.total() - self.dropped
        try:
            self._write_manifest(state)
        except OSError as error:
            self._log(f"{self.folder / MANIFEST} could not be updated: {error}")
        finally:
            self.ended = True

    def _record_all(self) -> None:
        period = self._options.flush_period
        due = time.monotonic() + period
        unflushed = False
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopping or self._waiting, max(due - time.monotonic(), 0.0))
                item = self._waiting.popleft() if self._waiting else None
                done = self._stopping and item is None
            if done:
                return
            if item is not None:
                if not self._has_room():
                    return
                unflushed = True
                if isinstance(item, bytes):
                    assert self._transforms is not None
                    self._bag.write(self._next_time(), {self._transforms.name: item})
                else:
                    self._record(item)
                    with self._changed:
                        self._waiting_bytes -= item.size
            if time.monotonic() >= due:
                if unflushed:
                    self._bag.flush()
                    unflushed = False
                self._write_manifest(RECORDING)
                due = time.monotonic() + period

    def _record(self, pair: CapturedPair) -> None:
        try:
            gate = self._gates(pair)
            messages = {} if gate else self._keeper(pair)
        except (
            Exception
        ) as error:  # of many kinds; rather no pair than one that was to be reduced, and never the whole recording
            gate = NOT_REDUCED
            if not self.gated[gate]:
                self._log(f"pairs were left out: {type(error).__name__}: {error}")
        if gate:
            self.gated[gate] += 1
            return
        self._bag.write(self._next_time(), messages)
        self.written += 1

    def _next_time(self) -> int:
        """One time for all that belongs together; it grows always, whatever the clocks do."""
        now = self._started + time.monotonic_ns() - self._clock
        self._last_time = max(now, self._last_time + 1)
        return self._last_time

    def _has_room(self) -> bool:
        try:
            self._check_disk(self.folder)
        except OSError as error:
            self.failure = f"the recording has ended: {error}"
            self._reason = str(error)
            self._log(f"{self.failure}; {self.written} pairs are in {self.folder}")
        return not self.failure

    def _check_disk(self, folder: Path) -> None:
        while not folder.exists():
            folder = folder.parent
        free = shutil.disk_usage(folder).free / MEGABYTE
        least = self._options.min_free_space
        if free < least:
            raise OSError(f"only {free:.0f} MB are free on the disk of {folder}, and min_free_space is {least:.0f} MB")

    def _fail(self, error: Exception) -> None:
        kind = "" if isinstance(error, WRITE_ERRORS) else f"{type(error).__name__}: "
        self.failure = f"the recording has ended, because writing {self.folder} failed: {kind}{error}"
        self._reason = f"{kind}{error}"
        self._log(self.failure)
        try:
            kept = self._bag.abandon().counts
            self.written = min((kept.get(self._topics[role].name, 0) for role in self._keeper.roles), default=0)
        except Exception as second:
            advice = f"python -m thermal_fld_ros recover {self.folder}"
            self._log(f"the bag could not be finished ({second}): free some disk space, then run `{advice}`")

    # --- the manifest

    def _write_manifest(self, state: str) -> None:
        replace_text(self.folder / MANIFEST, json.dumps(self._manifest(state), indent=1) + "\n")

    def _manifest(self, state: str) -> dict[str, Any]:
        ended = state != RECORDING
        topics = self._topics | ({TF_STATIC: self._transforms} if self._transforms else {})
        return {
            "version": MANIFEST_VERSION,
            "state": state,
            "ended_by": self._reason if ended else "",
            **asdict(self.label),
            "started": _iso(self._started),
            "ended": _iso(time.time_ns()) if ended else "",
            "keep": self._options.keep,
            "storage": self._options.storage,
            "topics": {
                role: {"name": topic.name, "type": topic.type, "type_hash": types().hash_rihs01(topic.type)}
                for role, topic in topics.items()
            },
            "recorded": [role for role in topics if role in (*self._keeper.roles, TF_STATIC)],
            "pairs": {
                "matched": self.matched,
                "written": self.written,
                "gated": dict(self.gated),
                "dropped": self.dropped,
                "discarded": self.discarded,
            },
            **self._reception(),
            "settings": self._settings,
        }


def _iso(nanoseconds: int) -> str:
    return datetime.fromtimestamp(nanoseconds / 1e9, timezone.utc).isoformat(timespec="milliseconds")
