# SPDX-License-Identifier: Apache-2.0
"""The whole loop over real DDS. Where there is no ROS 2 it is not collected."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

if importlib.util.find_spec("rclpy") is None:
    collect_ignore_glob = ["test_*.py"]
else:
    from loop_rig import LoopRig
    from node_rig import Rig

    from thermal_fld_ros.perception.models import default_model_folder

    @pytest.fixture
    def cameras(ros: None, tmp_path: Path) -> Iterator[LoopRig]:
        """Two cameras and the capture node; bags go to `tmp_path / "bags"`."""
        rig = LoopRig(tmp_path / "bags")
        yield rig
        rig.close()

    @pytest.fixture
    def detector(ros: None) -> Iterator[Rig]:
        """A detector node with the shipped networks."""
        rig = Rig(default_model_folder())
        yield rig
        rig.close()
