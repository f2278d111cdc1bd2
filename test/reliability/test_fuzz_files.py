# SPDX-License-Identifier: Apache-2.0
"""Files of which bytes or values are others: each is read or refused with the one kind of error that its reader promises."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from capture_messages import WITH_FACES, face, left_by_a_kill, pair, written
from dummy_models import DETECTOR_METADATA, LANDMARKS_METADATA, detector_model, landmarks_model, with_metadata
from hypothesis import given, settings
from hypothesis import strategies as st
from input_files import (
    ROS1_TYPES,
    image_message,
    write_bag,
    write_deep_video,
    write_radiometric_jpeg,
    write_ros1_bag,
    write_table,
)
from rosbags.rosbag2 import StoragePlugin

from thermal_fld_ros.capture.bag import BagError, BagWriter, recover
from thermal_fld_ros.datasets.pairs import read_about, read_pairs
from thermal_fld_ros.datasets.sample import DataSetError
from thermal_fld_ros.distillation.checkpoint import CheckpointError, load_trained
from thermal_fld_ros.distillation.plan import read_plan
from thermal_fld_ros.perception.detector import Detector
from thermal_fld_ros.perception.landmarker import Landmarker
from thermal_fld_ros.perception.models import ModelError, load_model
from thermal_fld_ros.recordings.manifest import read_manifest
from thermal_fld_ros.registration.registration import Homography, read_registration, write_registration

Effort = Callable[[int, int], int]
ROOT = Path(__file__).parents[2]
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def mutated(data: bytes, dice: random.Random) -> bytes:
    """The data with some bytes changed, removed, doubled or cut off."""
    out = bytearray(data)
    for _ in range(dice.randint(1, 5)):
        place = dice.randrange(len(out) + 1)
        match dice.randrange(5):
            case 0 if place < len(out):
                out[place] = dice.randrange(256)
            case 1:
                del out[place : place + dice.randint(1, 30)]
            case 2:
                out[place:place] = out[place : place + dice.randint(1, 30)]
            case 3:
                out[place:place] = dice.choice(
                    [b"\x00", b"\xff\xfe", b"[", b"{", b'"', b"-1", b"1e999", b"NaN", b"null"]
                )
            case 4 if dice.random() < 0.3:
                del out[place:]
    return bytes(out)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values inside of a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, one in inner for place in places(one, (*path, key)))]


def with_other(value: Any, path: tuple[Any, ...], other: Any) -> Any:
    """A copy in which another value stands at a path."""
    if not path:
        return other
    copy = json.loads(json.dumps(value))
    inside = copy
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = other
    return copy


@pytest.mark.parametrize(
    ("model", "metadata", "use"),
    [(landmarks_model, LANDMARKS_METADATA, Landmarker), (detector_model, DETECTOR_METADATA, Detector)],
)
def test_metadata_of_a_model(tmp_path: Path, model: Any, metadata: Any, use: Any, effort: Effort) -> None:
    file, network = tmp_path / "model.onnx", model()

    @settings(max_examples=effort(100, 3000), deadline=None)
    @given(path=st.sampled_from(places(metadata)), other=JSON)
    def holds(path: tuple[Any, ...], other: Any) -> None:
        onnx.save(with_metadata(network, json.dumps(with_other(metadata, path, other))), file)
        try:
            use(load_model(file))
        except ModelError as error:
            assert str(file) in str(error)

    holds()


MUTATE_MODELS = """
import random, sys
from pathlib import Path
sys.path[:0] = [{test!r}, {here!r}]
from test_fuzz_files import mutated
from thermal_fld_ros.perception.landmarker import Landmarker
from thermal_fld_ros.perception.models import ModelError, load_model
good, file, refused = Path({good!r}).read_bytes(), Path({file!r}), 0
for seed in range({count}):
    file.write_bytes(mutated(good, random.Random(seed)))
    try:
        Landmarker(load_model(file))
    except ModelError:
        refused += 1
print(refused)
"""


@pytest.mark.slow
def test_bytes_of_a_model(tmp_path: Path, dummy_models: Path, effort: Effort) -> None:
    """In a process of its own, for what would take the whole process down."""
    here, count = Path(__file__).parent, effort(100, 5000)
    names = {"test": str(here.parent), "here": str(here), "good": str(dummy_models / "face_landmarks.onnx")}
    code = MUTATE_MODELS.format(**names, file=str(tmp_path / "model.onnx"), count=count)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert 0 < int(done.stdout.split()[-1]) <= count


MUTATE_RECORDINGS = """
import random, signal, sys
from pathlib import Path
sys.path[:0] = [{test!r}, {here!r}]
from test_fuzz_files import mutated, write_recordings
from thermal_fld_ros.recordings.opening import open_source
from thermal_fld_ros.recordings.source import SourceError
for name, (whole, file) in write_recordings(Path({folder!r})).items():
    good, refused, read = file.read_bytes(), 0, 0
    for seed in range({count}):
        print(name, "seed", seed, flush=True)
        file.write_bytes(mutated(good, random.Random(seed)))
        signal.alarm(60)  # a hang ends the process
        try:
            entries = list(open_source(whole).entries())
        except SourceError as error:
            assert whole.name in str(error), error
            refused += 1
        else:
            bad = [entry for entry in entries if isinstance(entry, SourceError)]
            read += len(entries) - len(bad)
            refused += len(bad) > 0
    assert refused + read > 0
    file.write_bytes(good)
print("done")
"""


def write_recordings(folder: Path) -> dict[str, tuple[Path, Path]]:
    """A recording of each format by name: what is opened, and the file in it to be damaged."""
    frames = [np.random.default_rng(k).integers(29_000, 31_000, (24, 32)).astype(np.uint16) for k in range(3)]
    cv2.imwrite(str(folder / "a.png"), frames[0])
    cv2.imwritemulti(str(folder / "a.tiff"), frames)
    np.savez(folder / "a.npz", frames=np.stack(frames), stamps=np.arange(3.0), fps=9.0)
    np.save(folder / "a.npy", np.stack(frames))
    write_table(folder / "a.csv", [frame / 1000.0 for frame in frames])
    write_radiometric_jpeg(folder / "a.jpg", frames[0])
    write_deep_video(folder / "a.mkv", frames)
    whole = {file.suffix: (file, file) for file in folder.iterdir()}
    messages = {"/image": [image_message(frame, k) for k, frame in enumerate(frames)]}
    for storage, suffix in ((StoragePlugin.MCAP, ".mcap"), (StoragePlugin.SQLITE3, ".db3")):
        bag = write_bag(folder / f"bag{suffix[1:]}", messages, storage)
        whole[suffix] = bag, next(bag.glob(f"*{suffix}"))
        whole[f"{suffix}, metadata.yaml"] = bag, bag / "metadata.yaml"
    ros1 = write_ros1_bag(
        folder / "a.bag", {"/image": [image_message(frame, k, types=ROS1_TYPES) for k, frame in enumerate(frames)]}
    )
    return {**whole, ".bag": (ros1, ros1)}


@pytest.mark.slow
def test_bytes_of_a_recording(tmp_path: Path, effort: Effort) -> None:
    """Of each format; in a process of its own, for what would take the whole process down."""
    here, count = Path(__file__).parent, effort(25, 3000)
    code = MUTATE_RECORDINGS.format(test=str(here.parent), here=str(here), folder=str(tmp_path), count=count)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    last = done.stdout.splitlines()[-1:]
    assert done.returncode == 0 and last == ["done"], [*last, done.stderr[-2000:]]


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """A data set of three pairs."""
    folder = tmp_path / "data"
    folder.mkdir()
    points = (np.random.default_rng(0).random((68, 2)) * 40 + 10).round(1).tolist()
    for name in ("t.png", "r.png"):
        cv2.imwrite(str(folder / name), np.zeros((64, 64), np.uint8))
    entry = {"thermal": "t.png", "rgb": "r.png", "points": points, "box": [5, 5, 50, 50], "subject": "s", "split": "train",
             "episode": "e", "stamp": 1.5, "to_rgb": [[1, 0, 0], [0, 1, 0]], "confidence": [0.5] * 68}  # fmt: skip
    (folder / "pairs.jsonl").write_text(3 * (json.dumps(entry) + "\n"))
    (folder / "dataset.json").write_text(json.dumps({"format": 1, "counts": {"struck": {}}}))
    assert len(read_pairs(folder)) == 3
    return folder


def test_values_of_an_index(pairs: Path, effort: Effort) -> None:
    lines = (pairs / "pairs.jsonl").read_text().splitlines()
    entry = json.loads(lines[0])

    @settings(max_examples=effort(200, 5000), deadline=None)
    @given(path=st.sampled_from([place for place in places(entry) if len(place) < 3]), other=JSON)
    def holds(path: tuple[Any, ...], other: Any) -> None:
        changed = json.dumps(with_other(entry, path, other))
        (pairs / "pairs.jsonl").write_text("\n".join([lines[0], changed, lines[2]]) + "\n")
        try:
            read_pairs(pairs)
        except DataSetError as error:
            assert "line 2" in str(error)

    holds()


def tries(file: Path, read: Callable[[], Any], allowed: tuple[type[Exception], ...], count: int) -> int:
    """Read mutations of a file; how many were refused, each by one of the allowed errors that names the file or its folder."""
    good, refused = file.read_bytes(), 0
    for seed in range(count):
        file.write_bytes(mutated(good, random.Random(seed)))
        try:
            read()
        except allowed as error:
            refused += 1
            assert str(file) in str(error) or str(file.parent) in str(error), f"seed {seed}: {error}"
        except Exception as error:
            raise AssertionError(f"seed {seed}: {type(error).__name__}: {error}") from error
    file.write_bytes(good)
    return refused


def test_bytes_of_an_index(pairs: Path, effort: Effort) -> None:
    for name, read in (("pairs.jsonl", read_pairs), ("dataset.json", read_about)):
        assert tries(pairs / name, lambda read=read: read(pairs), (DataSetError,), effort(300, 10_000)) > 0


def test_bytes_of_a_registration(tmp_path: Path, effort: Effort) -> None:
    file = tmp_path / "registration.json"
    write_registration(Homography(np.eye(3)), file)
    assert tries(file, lambda: read_registration(file), (ValueError,), effort(300, 10_000)) > 0


def test_bytes_of_a_plan(tmp_path: Path, effort: Effort) -> None:
    file = tmp_path / "plan.yaml"
    shutil.copy(ROOT / "config/distillation/smoke.yaml", file)
    assert tries(file, lambda: read_plan(file), (ValueError,), effort(200, 5000)) > 0


def test_bytes_of_a_checkpoint(tmp_path: Path, effort: Effort) -> None:
    file = tmp_path / "weights.pt"
    shutil.copy(ROOT / "models/face_landmarks.pt", file)
    assert tries(file, lambda: load_trained(file), (CheckpointError,), effort(20, 1000)) > 0


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_bytes_of_a_bag_that_was_killed(tmp_path: Path, storage: str, effort: Effort) -> None:
    """Whatever a broken disk has made of it, `recover` ends and the messages that it keeps are those that were written."""
    original = tmp_path / "original"
    bag = BagWriter(original, storage, list(WITH_FACES.values()))
    sent = [written([pair(number, face())], WITH_FACES)[0] for number in range(4)]
    for number, messages in enumerate(sent):
        bag.write(1000 + number, messages)
    bag.flush()
    (file,) = (left_by_a_kill(bag, tmp_path / "left") / "original_0").glob("original_0.*")
    good, kept = file.read_bytes(), 0
    for seed in range(effort(40, 2000)):
        shutil.rmtree(tmp_path / "bag", ignore_errors=True)
        (tmp_path / "bag" / "bag_0").mkdir(parents=True)
        (tmp_path / "bag" / "manifest.json").write_text('{"state": "recording"}')
        (tmp_path / "bag" / "bag_0" / f"bag_0{file.suffix}").write_bytes(mutated(good, random.Random(seed)))
        try:
            result = recover(tmp_path / "bag")
        except (BagError, OSError) as error:
            assert str(tmp_path / "bag") in str(error)
            continue
        assert read_manifest(tmp_path / "bag")["state"] == "recovered"
        kept += sum(result.counts.values())
    assert kept > 0
