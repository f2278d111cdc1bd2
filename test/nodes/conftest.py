# SPDX-License-Identifier: Apache-2.0
"""Nodes over real DDS. Where there is no ROS 2 these tests are not collected."""

from __future__ import annotations

import importlib.util

if importlib.util.find_spec("rclpy") is None:
    collect_ignore_glob = ["test_*.py"]
else:
    from node_fixtures import capture, rig, start_capture  # noqa: F401
