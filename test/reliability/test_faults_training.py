# SPDX-License-Identifier: Apache-2.0
"""A training that is killed at any moment, or whose disk is full, goes on to the result that it would have had."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from face_model import write_face_model

pytest.importorskip("numba", reason="faces are rendered with the extra train")

from thermal_fld_ros.distillation.checkpoint import read_state
from thermal_fld_ros.distillation.config import load_config
from thermal_fld_ros.distillation.fields import read_mapping
from thermal_fld_ros.distillation.trainer import train
from thermal_fld_ros.synthesis.shards import Recipe, render_shards

Effort = Callable[[int, int], int]
ROOT = Path(__file__).parents[2]
EPOCHS = 4

WRITE_SLOWLY = """
import os, sys, time
import thermal_fld_ros.files as files
original = os.fsync
def slow(descriptor):
    original(descriptor)
    time.sleep(0.2)
files.os.fsync = slow
from thermal_fld_ros.__main__ import main
sys.exit(main(sys.argv[1:]))
"""
"""The command, which takes a fifth of a second longer within the writing of each checkpoint, so that a kill finds it there."""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small training of some epochs, on faces that were rendered for it."""
    folder = tmp_path_factory.mktemp("killed")
    model = write_face_model(folder / "FaceXModel")
    list(render_shards(model, folder / "faces", Recipe("face", 32, 0, (160, 160))))
    list(render_shards(model, folder / "frames", Recipe("frame", 16, 0, (320, 256))))
    settings = read_mapping(ROOT / "config/training/face_landmarks_large.yaml") | {
        "frames": str(folder / "frames"), "pairs": str(folder / "faces"), "validation": str(folder / "faces"),
        "size": 64, "workers": 0, "batch": 8, "epochs": EPOCHS,
        "network": {"stem": 8, "widths": [8, 16, 16], "depths": [1, 1, 1], "neck": 8, "bins": 24, "hidden": 16},
    }  # fmt: skip
    settings.pop("scenes", None)  # images that are not rendered here
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    return folder / "config.yaml"


@pytest.fixture(scope="module")
def whole(config: Path) -> dict[str, torch.Tensor]:
    """The averaged weights of the training that nothing disturbs."""
    train(load_config(config), config.parent / "whole", threads=1)
    return dict(read_state(config.parent / "whole/checkpoint.pt")["averaged"])


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
def test_killed_at_any_moment_it_ends_like_one_that_was_not(
    config: Path, whole: dict[str, torch.Tensor], tmp_path: Path, effort: Effort
) -> None:
    dice, kills = random.Random(3), 0
    command = [
        sys.executable,
        "-c",
        WRITE_SLOWLY,
        "train",
        str(config),
        "--out",
        str(tmp_path / "out"),
        "--threads",
        "1",
    ]
    while True:
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=os.environ)
        begun = tmp_path / "out" / "checkpoint.pt.tmp"
        if kills < effort(3, 20):
            end = time.monotonic() + 60
            if kills % 2:  # within the writing
                while not begun.exists() and running.poll() is None and time.monotonic() < end:
                    time.sleep(0.002)
            else:
                time.sleep(dice.uniform(3.0, 8.0))
            running.send_signal(signal.SIGKILL)
            kills += 1
            running.wait()
            if (tmp_path / "out/checkpoint.pt").exists():
                assert 1 <= read_state(tmp_path / "out/checkpoint.pt")["epoch"] <= EPOCHS
            continue
        assert running.wait() == 0, running.stderr.read() if running.stderr else ""
        break
    assert same(dict(read_state(tmp_path / "out/checkpoint.pt")["averaged"]), whole)


@pytest.mark.slow
def test_a_full_disk_ends_it_with_one_line_and_it_goes_on_when_there_is_room(
    config: Path, whole: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = f"exec {sys.executable} -m thermal_fld_ros train {config} --out {out} --threads 1"
    full = subprocess.run(["bash", "-c", f"trap '' XFSZ; ulimit -f 60; {command}"], capture_output=True, text=True)
    assert full.returncode == 2, full.stderr
    (line,) = [line for line in full.stderr.splitlines() if line.startswith("error: ")]
    assert "File too large" in line and str(out) in line and "Traceback" not in full.stderr
    assert subprocess.run(["bash", "-c", command], capture_output=True).returncode == 0
    assert same(dict(read_state(out / "checkpoint.pt")["averaged"]), whole)
