# SPDX-License-Identifier: Apache-2.0
"""Checkpoints that cannot be used or written: one clear line each, no code of theirs is run, and what was there stays."""

import pickle
import resource
import signal
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from thermal_fld_ros.__main__ import main
from thermal_fld_ros.distillation.checkpoint import CheckpointError, load_trained, read_state, write_state

UNREADABLE = "no checkpoint that can be read: it is cut or damaged, or holds more than weights, which is refused"
WEIGHTS = Path(__file__).parents[2] / "models/face_landmarks.pt"


class Malice:
    """Its pickle calls a function of one's choice."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._file,)


def cut(file: Path) -> None:
    file.write_bytes(WEIGHTS.read_bytes()[:100_000])


def damaged(file: Path) -> None:
    content = bytearray(WEIGHTS.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 100] = bytes(100)  # in the middle of the weights
    file.write_bytes(content)


def malicious(file: Path) -> None:
    torch.save({"config": Malice(file.parent / "harm")}, file)


def malicious_of_old(file: Path) -> None:
    file.write_bytes(pickle.dumps(Malice(file.parent / "harm")))


def changed(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def write(file: Path) -> None:
        state = torch.load(WEIGHTS, weights_only=True)
        change(state)
        torch.save(state, file)

    return write


def nan(state: dict[str, Any]) -> None:
    next(iter(state["averaged"].values())).view(-1)[0] = torch.nan


def without_one(state: dict[str, Any]) -> None:
    """Remove the first weight."""
    state["averaged"].pop(next(iter(state["averaged"])))


BROKEN: dict[str, tuple[Callable[[Path], Any], str]] = {
    "cut": (cut, UNREADABLE),
    "damaged": (damaged, UNREADABLE),
    "empty": (Path.touch, UNREADABLE),
    "text": (lambda file: file.write_text("weights"), UNREADABLE),
    "malicious": (malicious, UNREADABLE),
    "malicious, not zipped": (malicious_of_old, UNREADABLE),
    "a list": (lambda file: torch.save([1], file), "it has no configuration"),
    "no task": (changed(lambda state: state["config"].pop("task")), "make no network: KeyError: 'task'"),
    "unknown task": (changed(lambda state: state["config"].update(task="x")), "make no network: KeyError: 'x'"),
    "no weights": (changed(lambda state: state.pop("averaged")), "make no network: KeyError: 'averaged'"),
    "a weight less": (changed(without_one), "make no network: RuntimeError: .*Missing key"),
    "another size": (changed(lambda state: state["config"]["network"].update(hidden=95)), "make no network: .*size mismatch"),
    "NaN": (changed(nan), "1 of its weights are NaN or infinite, the first is "),
    "a folder": (Path.mkdir, "Is a directory"),
    "missing": (lambda file: None, "No such file"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_checkpoint_that_cannot_be_used_is_named_in_one_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, text = BROKEN[name]
    file, out = tmp_path / "checkpoint.pt", tmp_path / "out.onnx"
    make(file)
    with pytest.raises((CheckpointError, OSError), match=text):
        load_trained(file)
    assert main(["export", str(file), "--out", str(out)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert str(file) in line and "weights_only" not in line
    assert not out.exists() and not (tmp_path / "harm").exists()


@contextmanager
def full_disk(room: int) -> Any:
    """No file can grow beyond `room` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_on_a_full_disk_the_old_checkpoint_stays(tmp_path: Path) -> None:
    file = tmp_path / "checkpoint.pt"
    state = read_state(WEIGHTS)
    write_state(state | {"epoch": 1}, file)
    with full_disk(50_000), pytest.raises(OSError, match=r"File too large: '.*checkpoint\.pt'"):
        write_state(state | {"epoch": 2}, file)
    assert read_state(file)["epoch"] == 1 and [path.name for path in tmp_path.iterdir()] == [file.name]


def test_on_a_full_disk_an_export_says_so_and_leaves_what_was_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.onnx"
    out.write_text("the old one")
    with full_disk(50_000):
        assert main(["export", str(WEIGHTS), "--out", str(out)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "File too large" in line and str(out) in line
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("out.onnx", "the old one")]
