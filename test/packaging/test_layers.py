# SPDX-License-Identifier: Apache-2.0
"""What may import what."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("thermal_fld_ros.distillation.checkpoint", ("numba", "thermal_fld_ros.synthesis")),
        ("thermal_fld_ros.perception.pipeline", ("rclpy", "torch", "numba")),
    ],
)
def test_a_module_is_loaded_without_what_it_does_not_need(module: str, unwanted: tuple[str, ...]) -> None:
    pytest.importorskip("torch")
    script = f"import sys, {module}; print([name for name in sys.modules if name.startswith({unwanted!r})])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
