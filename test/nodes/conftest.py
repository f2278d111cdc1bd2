# SPDX-License-Identifier: Apache-2.0
"""Nodes over real DDS. Where there is no ROS 2 these tests are not collected."""

from __future__ import annotations

import importlib.util
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
if os.environ.get("ROS_DISTRO") == "humble":
    os.environ["ROS_LOCALHOST_ONLY"] = "1"
os.environ.setdefault("ROS_DOMAIN_ID", str(random.randint(10, 99)))

if importlib.util.find_spec("rclpy") is None:
    collect_ignore_glob = ["test_*.py"]
else:
    import rclpy
    from node_rig import Rig

    @pytest.fixture(scope="session")
    def ros() -> Iterator[None]:
        rclpy.init()
        yield
        rclpy.try_shutdown()

    @pytest.fixture
    def rig(ros: None, dummy_models: Path) -> Iterator[Rig]:
        """A detector node beside a test node that talks to it; each test has a namespace of its own."""
        rig = Rig(dummy_models)
        yield rig
        rig.close()
