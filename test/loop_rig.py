# SPDX-License-Identifier: Apache-2.0
"""The two cameras of `loop_people` over DDS, and the capture node that records them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from capture_messages import contents, image
from capture_rig import SECOND, CaptureRig
from loop_people import RATE, RGB_RATE, Person

from thermal_fld_ros.recordings.messages import RGB, THERMAL

JITTER = 0.003
"""Standard deviation of the RGB camera's stamps, seconds."""
DROPPED = 0.05
"""Share of the frames of each camera that never come."""


class LoopRig(CaptureRig):
    """The capture node beside both cameras."""

    def film(self, person: Person) -> Path:
        """Record an episode of a person in real time: the bag, which holds bytes that were published and nothing else."""
        self.begin(subject=person.name)
        begun, start = time.monotonic(), self.now(1.0)
        for moment, role, data in self._frames(person, start):
            time.sleep(max(0.0, begun + moment - time.monotonic()))
            self.publishers[role].publish(data)
            self.sent.setdefault(role, []).append(data)
        self.now(len(person.rgb) / RATE)
        self.wait_for_received({role: len(sent) for role, sent in self.sent.items()})
        assert self.end().success
        self._check()
        return self.bag

    def _check(self) -> None:
        pairs, manifest = list(contents(self.bag).values()), self.manifest()
        topics = {topic["name"]: role for role, topic in manifest["topics"].items()}
        for role in (THERMAL, RGB):
            kept = [data for pair in pairs for topic, data in pair.items() if topics[topic] == role]
            assert kept == [data for data in self.sent[role] if data in set(kept)]
            assert len(kept) == len(pairs)
        assert manifest["pairs"]["written"] == len(pairs)
        assert manifest["messages"][RGB]["received"] == len(self.sent[RGB])

    def _frames(self, person: Person, start: int) -> Iterator[tuple[float, str, bytes]]:
        """The cameras' messages by the second at which they come. The RGB camera repeats what the renderer drew last."""
        rng = np.random.default_rng(int(person.name[1:]))
        count = len(person.rgb)
        moments = [(k / RATE, THERMAL, k) for k in range(count)]
        for k in range(round(count / RATE * RGB_RATE)):
            moments.append((k / RGB_RATE, RGB, min(round(k / RGB_RATE * RATE), count - 1)))
        for moment, role, number in sorted(moments):
            if rng.random() < DROPPED:
                continue
            if role == THERMAL:
                yield moment, role, image(person.seen(number), "mono16", start + round(moment * SECOND))
            else:
                stamp = start + round((moment + rng.normal(0, JITTER)) * SECOND)
                yield moment, role, image(person.rgb[number], "rgb8", stamp)
