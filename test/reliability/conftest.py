# SPDX-License-Identifier: Apache-2.0
"""Fuzzing, faults and soaks. What needs nodes is not collected where there is no ROS 2."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

if importlib.util.find_spec("rclpy") is None:
    collect_ignore_glob = ["test_*node.py", "test_*capture.py", "test_policy.py"]
else:
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
