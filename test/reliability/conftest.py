# SPDX-License-Identifier: Apache-2.0
"""Fuzzing, faults and soaks. What needs nodes is not collected where there is no ROS 2."""

from __future__ import annotations

import importlib.util

if importlib.util.find_spec("rclpy") is None:
    collect_ignore_glob = ["test_*node.py", "test_*capture.py", "test_policy.py"]
else:
    from node_fixtures import capture, rig, start_capture  # noqa: F401
