# SPDX-License-Identifier: Apache-2.0
"""Bags: as they were written, read by rosbags, and what is left of them after an accident."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from capture_messages import TOPICS, WITH_FACES, contents, face, left_by_a_kill, pair, written
from rosbags.highlevel import AnyReader
from rosbags.interfaces import MessageDefinitionFormat
from rosbags.rosbag2 import Reader

from thermal_fld_ros.__main__ import main
from thermal_fld_ros.capture.bag import ROSBAGS, BagError, BagWriter, recover
from thermal_fld_ros.recordings.manifest import is_unfinished
from thermal_fld_ros.recordings.messages import Topic, types

STORAGES = ("mcap", "sqlite3")


def messages(number: int, roles: dict[str, Topic] = TOPICS) -> dict[str, bytes]:
    return written([pair(number, face())], roles)[0]


def fill(folder: Path, storage: str, count: int, **options: float) -> BagWriter:
    writer = BagWriter(folder, storage, list(WITH_FACES.values()), **options)
    for number in range(count):
        writer.write(1000 + number, messages(number, WITH_FACES))
    return writer


@pytest.mark.parametrize("storage", STORAGES)
def test_the_bytes_come_back_with_definitions_and_hashes(tmp_path: Path, storage: str) -> None:
    fill(tmp_path / "bag", storage, 5).close()
    assert contents(tmp_path / "bag") == {1000 + number: messages(number, WITH_FACES) for number in range(5)}
    with Reader(tmp_path / "bag") as reader:
        assert (reader.start_time, reader.end_time - 1, reader.message_count) == (1000, 1004, 15)
        for connection in reader.connections:
            assert connection.msgdef.format == MessageDefinitionFormat.MSG and connection.msgcount == 5
            assert connection.digest == types().hash_rihs01(connection.msgtype)
    with AnyReader([tmp_path / "bag"]) as any_reader:  # by the definitions in the bag alone
        data = {
            connection.topic: any_reader.deserialize(raw, connection.msgtype)
            for connection, _, raw in any_reader.messages()
        }
    assert data["/face_landmarks"].faces[0].id == "f0001" and data["/thermal/image"].encoding == "mono16"


@pytest.mark.parametrize("storage", STORAGES)
def test_a_split_bag_is_one_bag(tmp_path: Path, storage: str) -> None:
    size = sum(map(len, messages(0, WITH_FACES).values()))
    fill(tmp_path / "bag", storage, 7, split_bytes=2 * size).close()
    suffix = {"mcap": "mcap", "sqlite3": "db3"}[storage]
    names = {path.name for path in (tmp_path / "bag").iterdir()}
    assert names == {"metadata.yaml", *(f"bag_{number}.{suffix}" for number in range(4))}
    assert list(contents(tmp_path / "bag")) == [1000 + number for number in range(7)]


def test_a_bag_splits_by_time_too(tmp_path: Path) -> None:
    fill(tmp_path / "bag", "mcap", 3, split_seconds=1e-9).close()
    assert len(list((tmp_path / "bag").glob("*.mcap"))) == 3 and len(contents(tmp_path / "bag")) == 3


def test_a_bag_that_exists_is_never_overwritten(tmp_path: Path) -> None:
    fill(tmp_path / "bag", "mcap", 1).close()
    with pytest.raises(FileExistsError):
        BagWriter(tmp_path / "bag", "mcap", list(TOPICS.values()))
    assert len(contents(tmp_path / "bag")) == 1


@pytest.mark.parametrize("storage", STORAGES)
def test_a_bag_without_messages_can_be_read(tmp_path: Path, storage: str) -> None:
    fill(tmp_path / "bag", storage, 0).close()
    assert contents(tmp_path / "bag") == {}


KILLED = """
import os, sys
from pathlib import Path
sys.path.insert(0, {test!r})
from capture.test_bag import fill, messages, WITH_FACES
writer = fill(Path(sys.argv[1]), sys.argv[2], 5, split_bytes=int(sys.argv[3]))
writer.flush()
for number in range(5, 8):
    writer.write(1000 + number, messages(number, WITH_FACES))
os.kill(os.getpid(), 9)
"""


def killed(folder: Path, storage: str, split: int = 0) -> Path:
    """A bag whose writer was killed after five groups and a flush, and three more groups."""
    code = KILLED.format(test=str(Path(__file__).parents[1]))
    process = subprocess.run([sys.executable, "-c", code, str(folder), storage, str(split)])
    assert process.returncode == -9
    return folder


@pytest.mark.parametrize("count", [0, 5])
def test_another_reader_of_mcap_finds_the_recovered_file_whole(tmp_path: Path, count: int) -> None:
    """The tail is this package's work: the reader of the format's authors checks it, by the index and from front to back."""
    reader = pytest.importorskip("mcap.reader")
    bag = killed(tmp_path / "bag", "mcap", split=count * sum(map(len, messages(0, WITH_FACES).values())))
    recover(bag)
    found: dict[int, dict[str, bytes]] = {}
    for file in sorted(bag.glob("*.mcap")):
        with file.open("rb") as stream:
            by_index = reader.SeekingReader(stream, validate_crcs=True)
            summary = by_index.get_summary()
            assert summary is not None and summary.statistics is not None
            indexed = [
                (channel.topic, message.log_time, message.data) for _, channel, message in by_index.iter_messages()
            ]
            assert summary.statistics.message_count == len(indexed)
            assert summary.statistics.chunk_count == len(summary.chunk_indexes)
            stream.seek(0)
            in_order = reader.NonSeekingReader(stream, validate_crcs=True).iter_messages(log_time_order=False)
            assert sorted(indexed) == sorted(
                (channel.topic, message.log_time, message.data) for _, channel, message in in_order
            )
        for topic, log_time, data in indexed:
            found.setdefault(log_time, {})[topic] = data
    assert found == {1000 + number: messages(number, WITH_FACES) for number in range(8)}


@pytest.mark.parametrize("version", ["0.10.11", "0.12.0", "1.0"])
def test_a_rosbags_that_is_not_known_is_refused_with_the_cure(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = tmp_path / f"site/rosbags-{version}.dist-info/METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text(f"Metadata-Version: 2.1\nName: rosbags\nVersion: {version}\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    with pytest.raises(BagError, match=f'{version} is installed: pip install "rosbags>=0.11,<0.12"'):
        BagWriter(tmp_path / "bag", "mcap", list(TOPICS.values()))
    assert not (tmp_path / "bag").exists()


def test_the_known_rosbags_are_those_that_are_required() -> None:
    requirements = Path(__file__).parents[2] / "scripts/requirements/runtime.txt"
    lowest, beyond = (".".join(map(str, version)) for version in ROSBAGS)
    assert f"rosbags>={lowest},<{beyond} " in requirements.read_text(encoding="utf-8")


@pytest.mark.parametrize("storage", STORAGES)
def test_after_a_kill_what_was_flushed_is_recovered(tmp_path: Path, storage: str) -> None:
    bag = killed(tmp_path / "bag", storage)
    assert not (bag / "metadata.yaml").exists()
    (bag / "manifest.json").write_text('{"state": "recording", "subject": "s1"}')
    assert main(["recover", str(bag)]) == 0
    found = contents(bag)
    kept = {"mcap": 8, "sqlite3": 5}[storage]  # what was written, what was flushed
    assert found == {1000 + number: messages(number, WITH_FACES) for number in range(kept)}
    assert {path.name for path in bag.iterdir() if path.is_dir()} == set()
    with Reader(bag) as reader:
        assert {connection.msgcount for connection in reader.connections} == {len(found)}
    manifest = json.loads((bag / "manifest.json").read_text())
    assert manifest["state"] == "recovered" and manifest["recovered"]["/thermal/image"] == len(found)
    before = [(path.name, path.stat().st_size) for path in sorted(bag.iterdir())]
    assert recover(bag).finished == [], "once more changes nothing"
    assert [(path.name, path.stat().st_size) for path in sorted(bag.iterdir())] == before


def test_after_a_kill_the_finished_files_are_a_bag_already(tmp_path: Path) -> None:
    size = sum(map(len, messages(0, WITH_FACES).values()))
    bag = killed(tmp_path / "bag", "mcap", split=3 * size)
    assert [*contents(bag)][:3] == [1000, 1001, 1002]
    recover(bag)
    assert [*contents(bag)][:5] == [1000, 1001, 1002, 1003, 1004]


@pytest.mark.parametrize("cut", [1, 60, 700, 4000])
def test_a_cut_file_keeps_its_whole_chunks(tmp_path: Path, cut: int) -> None:
    """As after a power failure: the file ends anywhere, or in zeros."""
    writer = BagWriter(tmp_path / "bag", "mcap", list(TOPICS.values()))
    for number in range(4):
        writer.write(1000 + number, messages(number))
        writer.flush()
    bag = left_by_a_kill(writer, tmp_path / "left")
    (file,) = (bag / "bag_0").glob("*.mcap")
    data = file.read_bytes()
    file.write_bytes(data[:-cut] + bytes(cut if cut % 2 == 0 else 0))
    recover(bag)
    found = contents(bag)
    assert 1 <= len(found) <= 4 and found == {1000 + number: messages(number) for number in range(len(found))}


MANIFEST = {
    "state": "recording",
    "topics": {role: {"name": topic.name} for role, topic in WITH_FACES.items()}
    | {"tf_static": {"name": "/tf_static"}},
    "recorded": [*WITH_FACES, "tf_static"],
    "pairs": {"matched": 9, "written": 7},
}


def with_manifest(bag: Path) -> Path:
    (bag / "manifest.json").write_text(json.dumps(MANIFEST))
    return bag


def recovered(bag: Path, pairs: int) -> None:
    """The bag is recovered, and its manifest counts so many pairs."""
    assert is_unfinished(bag)
    assert main(["recover", str(bag)]) == 0
    manifest = json.loads((bag / "manifest.json").read_text())
    assert (manifest["state"], manifest["pairs"]["written"]) == ("recovered", pairs) and "killed" in manifest[
        "ended_by"
    ]
    assert manifest["recovered"] == {topic.name: pairs for topic in WITH_FACES.values() if pairs}
    assert (
        not is_unfinished(bag) and not list(bag.glob("*.tmp")) and not [path for path in bag.iterdir() if path.is_dir()]
    )
    if pairs:
        assert len(contents(bag)) == pairs
    before = {path.name: path.read_bytes() for path in bag.iterdir()}
    assert main(["recover", str(bag)]) == 0, "once more changes nothing"
    assert {path.name: path.read_bytes() for path in bag.iterdir()} == before


@pytest.mark.parametrize("storage", STORAGES)
def test_killed_before_the_first_message_there_is_nothing_to_keep(tmp_path: Path, storage: str) -> None:
    writer = BagWriter(tmp_path / "bag", storage, list(TOPICS.values()))
    writer.write(1000, {})
    recovered(with_manifest(left_by_a_kill(writer, tmp_path / "left")), 0)


def test_killed_before_the_bag_has_a_file_it_is_a_recording_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "bag").mkdir()
    recovered(with_manifest(tmp_path / "bag"), 0)
    (tmp_path / "other" / "other_0").mkdir(parents=True)
    recovered(with_manifest(tmp_path / "other"), 0)


@pytest.mark.parametrize("storage", STORAGES)
def test_killed_after_a_split_the_empty_file_goes_and_the_manifest_is_renewed(tmp_path: Path, storage: str) -> None:
    writer = fill(tmp_path / "bag", storage, 3, split_seconds=1e-9)
    writer.write(1003, {})
    bag = left_by_a_kill(writer, tmp_path / "left")
    assert (bag / "bag_3").is_dir()
    recovered(with_manifest(bag), 3)


@pytest.mark.parametrize("storage", STORAGES)
def test_killed_between_two_steps_of_finishing_a_file(tmp_path: Path, storage: str) -> None:
    """The file was moved up, but its folder has not gone and metadata.yaml does not know it."""
    size = sum(map(len, messages(0, WITH_FACES).values()))
    writer = fill(tmp_path / "bag", storage, 4, split_bytes=3 * size)
    metadata = (tmp_path / "bag" / "metadata.yaml").read_text()
    writer.close()
    (tmp_path / "bag" / "metadata.yaml").write_text(metadata)
    (tmp_path / "bag" / "bag_1").mkdir()
    (tmp_path / "bag" / "bag_1" / "metadata.yaml").write_text("")
    (tmp_path / "bag" / "metadata.yaml.tmp").write_text("rosbag2_")
    recovered(with_manifest(tmp_path / "bag"), 4)


def test_a_manifest_that_a_power_failure_has_emptied_is_made_anew(tmp_path: Path) -> None:
    fill(tmp_path / "bag", "mcap", 2).close()
    (tmp_path / "bag" / "manifest.json").write_bytes(bytes(500))
    assert is_unfinished(tmp_path / "bag")
    assert main(["recover", str(tmp_path / "bag")]) == 0
    assert json.loads((tmp_path / "bag" / "manifest.json").read_text())["recovered"]["/thermal/image"] == 2


@pytest.mark.parametrize("storage", STORAGES)
def test_a_damaged_file_does_not_cost_the_others(
    tmp_path: Path, storage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    size = sum(map(len, messages(0, WITH_FACES).values()))
    bag = with_manifest(killed(tmp_path / "bag", storage, split=3 * size))
    (first,) = (path for path in bag.iterdir() if path.suffix in (".mcap", ".db3") and path.stem == "bag_0")
    first.write_bytes(b"damaged" * 1000)
    assert main(["recover", str(bag)]) == 2
    assert f"{first}: the file is damaged" in capsys.readouterr().err
    assert first.read_bytes() == b"damaged" * 1000
    found = contents(bag)
    assert [*found][:2] == [1003, 1004]
    manifest = json.loads((bag / "manifest.json").read_text())
    assert manifest["damaged"].keys() == {first.name} and manifest["pairs"]["written"] == len(found)


def test_a_bag_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    writer = fill(tmp_path / "bag", "mcap", 2)
    with pytest.raises(BagError, match="the recording is still in progress"):
        recover(tmp_path / "bag")
    writer.close()
    assert len(contents(tmp_path / "bag")) == 2


def test_what_is_no_recording_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recover", str(tmp_path)]) == 2
    assert str(tmp_path) in capsys.readouterr().err


def test_a_full_disk_is_told_at_once_and_what_is_whole_is_kept(tmp_path: Path) -> None:
    writer = fill(tmp_path / "bag", "mcap", 0)
    for number in range(3):
        writer.write(1000 + number, messages(number, WITH_FACES))
        writer.flush()
    (file,) = (tmp_path / "bag" / "bag_0").glob("*.mcap")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + 2000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            for number in range(3, 100):
                writer.write(1000 + number, messages(number, WITH_FACES))
                writer.flush()
        kept = writer.abandon()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    # The index takes the place of the last groups.
    found = contents(tmp_path / "bag")
    assert 1 <= len(found) <= 3 and found == {
        1000 + number: messages(number, WITH_FACES) for number in range(len(found))
    }
    assert set(kept.counts.values()) == {len(found)}
