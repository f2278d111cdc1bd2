# SPDX-License-Identifier: Apache-2.0
"""Fixtures of tests with nodes; imported by the conftest of each folder that has some, where there is a ROS 2."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from capture_rig import CaptureRig
from node_rig import Rig


@pytest.fixture
def rig(ros: None, dummy_models: Path) -> Iterator[Rig]:
    """A detector node beside a test node that talks to it; each test has a namespace of its own."""
    rig = Rig(dummy_models)
    yield rig
    rig.close()


@pytest.fixture
def capture(ros: None, tmp_path: Path) -> Iterator[CaptureRig]:
    """A capture node beside a test node that sends it images; bags go to `tmp_path / "bags"`."""
    rig = CaptureRig(tmp_path / "bags")
    yield rig
    rig.close()
