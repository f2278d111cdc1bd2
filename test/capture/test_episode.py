# SPDX-License-Identifier: Apache-2.0
"""An episode: every pair is accounted for, whatever happens to the disk."""

from __future__ import annotations

import json
import re
import resource
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from capture_messages import TOPICS, WITH_FACES, contents, face, pair, transforms, written
from rosbags.rosbag2 import Reader

from thermal_fld_ros.capture.bag import BagWriter
from thermal_fld_ros.capture.episode import Episode, EpisodeOptions, Label, new_folder
from thermal_fld_ros.capture.gates import GateOptions
from thermal_fld_ros.recordings.messages import LANDMARKS, RGB, TF_MESSAGE, TF_STATIC, THERMAL, Topic
from thermal_fld_ros.registration.registration import Homography, write_registration

Make = Callable[..., Episode]


@pytest.fixture
def logs() -> list[str]:
    return []


@pytest.fixture
def make(tmp_path: Path, logs: list[str]) -> Iterator[Make]:
    made: list[Episode] = []

    def make(topics: dict[str, Any] = TOPICS, label: Label = Label(), **options: Any) -> Episode:  # noqa: B008
        options = {"min_free_space": 0.0, "flush_period": 0.05, **options}
        folder = tmp_path / f"episode_{len(made)}"
        made.append(
            Episode(folder, topics, EpisodeOptions(**options), label, {"a": 1}, lambda: {"time_jumps": 0}, logs.append)
        )
        return made[-1]

    yield make
    for episode in made:
        episode.stop()


def manifest(episode: Episode) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((episode.folder / "manifest.json").read_text())
    return content


def wait_for(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + 30.0
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_transforms_are_recorded_beside_the_pairs(make: Make, storage: str) -> None:
    topics = {**TOPICS, TF_STATIC: Topic("/tf_static", TF_MESSAGE, latched=True)}
    episode = make(topics, storage=storage)
    early, late = (transforms(("base", child, (1, 2, 3), (0, 0, 0, 1))) for child in ("thermal", "rgb"))
    episode.put_transforms(early)
    for number in range(3):
        episode.put(pair(number))
    episode.put_transforms(late)
    episode.stop()
    found = list(contents(episode.folder).values())
    assert [found[0], found[-1]] == [{"/tf_static": early}, {"/tf_static": late}] and len(found) == 5
    assert manifest(episode)["pairs"]["written"] == 3
    assert manifest(episode)["topics"][TF_STATIC]["name"] == "/tf_static" and TF_STATIC in manifest(episode)["recorded"]
    with Reader(episode.folder) as reader:  # played as it was published
        profiles = {one.topic: one.ext.offered_qos_profiles for one in reader.connections}
    assert [profile.durability.name for profile in profiles["/tf_static"]] == ["TRANSIENT_LOCAL"]
    assert not profiles["/thermal/image"]


def test_pairs_are_in_the_bag_each_under_one_time(make: Make) -> None:
    episode = make(label=Label("s01", "form 7", "glasses"))
    pairs = [pair(number) for number in range(10)]
    for item in pairs:
        episode.put(item)
    episode.stop("enough")
    found = contents(episode.folder)
    assert list(found.values()) == written(pairs) and list(found) == sorted(found)
    content = manifest(episode)
    assert content["pairs"] == {"matched": 10, "written": 10, "gated": {}, "dropped": 0, "discarded": 0}
    assert (content["subject"], content["consent"], content["note"]) == ("s01", "form 7", "glasses")
    assert (content["state"], content["ended_by"], content["settings"]) == ("complete", "enough", {"a": 1})
    assert content["topics"]["thermal"]["name"] == "/thermal/image"
    assert content["topics"]["rgb"]["type_hash"].startswith("RIHS01_")
    assert content["started"] < content["ended"]


def test_the_manifest_grows_while_recording(make: Make) -> None:
    episode = make()
    assert manifest(episode)["state"] == "recording"
    episode.put(pair(0))
    wait_for(lambda: manifest(episode)["pairs"]["written"] == 1)
    assert manifest(episode)["state"] == "recording"


def test_gates_are_counted_by_name(make: Make) -> None:
    episode = make(WITH_FACES, gates=GateOptions(require_face=True, max_rate=2.0))
    for number in range(10):
        episode.put(pair(number, *([face()] if number % 2 else [])))
    episode.stop()
    assert manifest(episode)["pairs"] == {
        "matched": 10, "written": 2, "gated": {"no face": 5, "rate": 3}, "dropped": 0, "discarded": 0,
    }  # fmt: skip


def test_what_the_queue_cannot_hold_is_dropped_and_counted(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that hangs, until it is let go."""
    gate, entered = threading.Event(), threading.Event()
    write = BagWriter.write

    def slow(self: BagWriter, *arguments: Any) -> None:
        entered.set()
        assert gate.wait(30.0)
        write(self, *arguments)

    monkeypatch.setattr(BagWriter, "write", slow)
    pairs = [pair(number, rgb_side=320) for number in range(8)]
    episode = make(write_queue=3.5 * pairs[0].size / 1e6)
    episode.put(pairs[0])
    assert entered.wait(30.0)
    for item in pairs[1:]:
        episode.put(item)
    assert episode.dropped == 5 and episode.waiting_bytes <= 3.5e6
    gate.set()
    episode.stop()
    assert list(contents(episode.folder).values()) == written(pairs[:3])
    assert manifest(episode)["pairs"]["dropped"] == 5


def test_little_disk_space_ends_it_cleanly(make: Make, logs: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    episode = make(min_free_space=1.0)
    episode.put(pair(0))
    wait_for(lambda: episode.written == 1)
    usage = type("Usage", (), {"free": 400_000})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    episode.put(pair(1))
    wait_for(lambda: episode.ended)
    assert "0 MB are free" in episode.failure and "min_free_space is 1 MB" in logs[0]
    episode.stop()
    assert list(contents(episode.folder).values()) == written([pair(0)])
    content = manifest(episode)
    assert content["state"] == "complete" and "min_free_space" in content["ended_by"]
    assert content["pairs"]["discarded"] == 1
    with pytest.raises(OSError, match="min_free_space"):
        make(min_free_space=1.0)


def test_a_write_error_is_told_at_once_and_what_is_whole_is_kept(make: Make, logs: list[str]) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    pairs = [pair(number, rgb_side=300) for number in range(12)]
    episode = make()
    resource.setrlimit(resource.RLIMIT_FSIZE, (pairs[0].size * 5, before[1]))
    try:
        for item in pairs:
            episode.put(item)
        wait_for(lambda: logs)
        wait_for(lambda: episode.ended)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "File too large" in logs[0] and "File too large" in episode.failure
    content = manifest(episode)
    counts = content["pairs"]
    assert content["state"] == "broken" and counts["matched"] == counts["written"] + counts["discarded"]
    whole = [found for found in contents(episode.folder).values() if len(found) == 2]
    assert whole == written(pairs[: counts["written"]]) and 1 <= counts["written"] <= 5


def test_a_pair_that_cannot_be_reduced_to_its_faces_is_left_out(make: Make, logs: list[str], tmp_path: Path) -> None:
    (tmp_path / "behind.json").write_text('{"homography": [[1, 0, 0], [0, 1, 0], [0, 0, -1]]}')
    episode = make(WITH_FACES, keep="faces", registration=str(tmp_path / "behind.json"))
    for number in range(3):
        episode.put(pair(number, face()))
    episode.stop()
    assert manifest(episode)["pairs"]["gated"] == {"not reduced to faces": 3}
    assert len(logs) == 1 and "outside the RGB camera's view" in logs[0]


def test_a_folder_that_cannot_be_made_is_an_error_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        Episode(
            tmp_path / "file" / "bag", TOPICS, EpisodeOptions(min_free_space=0.0), Label(), {}, dict, lambda text: None
        )


def test_folders_are_named_by_subject_and_time_and_never_twice(tmp_path: Path) -> None:
    first = new_folder(tmp_path, "s01")
    assert re.fullmatch(r"s01_\d{8}_\d{6}", first.name)
    first.mkdir()
    (tmp_path / f"{first.name}_take2").mkdir()
    again = new_folder(tmp_path, "s01")
    assert not again.exists() and again.name.startswith("s01_")
    for tag in ("../s01", "s 01", "s/01", "müller"):
        with pytest.raises(ValueError, match="expected a tag"):
            new_folder(tmp_path, tag)


@pytest.mark.parametrize("role", [THERMAL, RGB, LANDMARKS])
@pytest.mark.parametrize(
    "broken", [b"", bytes(3), b"\x00\x01\x00\x00" + bytes(12), bytes(range(200)), b"\x00\x01" + b"\xff" * 400]
)
def test_a_message_that_cannot_be_read_costs_no_more_than_its_pair(
    make: Make, tmp_path: Path, broken: bytes, role: str
) -> None:
    write_registration(Homography(np.eye(3)), tmp_path / "registration.json")
    gates = GateOptions(require_face=True, skip_shutter=True)
    episode = make(WITH_FACES, keep="faces", registration=str(tmp_path / "registration.json"), gates=gates)
    for number in range(4):
        one = pair(number, face())
        episode.put(one)
        if number == 1:
            episode.put(replace(one, messages={**one.messages, role: broken}))
    episode.stop()
    assert (episode.failure, episode.written, episode.gated.total()) == ("", 4, 1)
    assert manifest(episode)["state"] == "complete" and len(contents(episode.folder)) == 4
