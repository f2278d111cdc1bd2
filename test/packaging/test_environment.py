# SPDX-License-Identifier: Apache-2.0
"""scripts/env.sh and scripts/setup.sh, run by bash as a person does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

needs_environment = pytest.mark.skipif(
    not any((ROOT / name / ".complete-venv").exists() for name in (".venv", f".venv-{os.environ.get('ROS_DISTRO')}")),
    reason="the environment was not made by scripts/setup.sh",
)


def bash(script: str, **environment: str) -> str:
    done = subprocess.run(
        ["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_environment
@pytest.mark.parametrize("options", ["+eu +o pipefail", "-eu -o pipefail"])
def test_sourcing_leaves_the_shells_options_alone(options: str) -> None:
    output = bash(f"set {options}; set +o; echo ==; source scripts/env.sh; set +o")
    before, after = output.split("==\n")
    assert before == after


@needs_environment
def test_sourcing_again_changes_nothing() -> None:
    output = bash("source scripts/env.sh; export -p; echo ==; source scripts/env.sh; export -p")
    first, second = output.split("==\n")
    assert first == second


@needs_environment
def test_what_the_user_has_set_is_kept() -> None:
    output = bash(
        'source scripts/env.sh; echo "$ROS_DOMAIN_ID $FASTRTPS_DEFAULT_PROFILES_FILE"',
        ROS_DOMAIN_ID="77",
        FASTRTPS_DEFAULT_PROFILES_FILE="/mine.xml",
    )
    assert output.split() == ["77", "/mine.xml"]


def test_what_is_missing_is_named_with_its_package(tmp_path: Path) -> None:
    """A machine without a compiler: a PATH of a few tools."""
    shutil.copytree(ROOT / "scripts", tmp_path / "checkout/scripts")
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("bash", "cat", "cut", "dirname", "flock", "mkdir", "rm", "sha256sum", "tail", "uname"):
        (tools / tool).symlink_to(shutil.which(tool) or tool)
    (tools / "python3").symlink_to(sys.executable)
    done = subprocess.run(
        ["bash", str(tmp_path / "checkout/scripts/setup.sh")],
        capture_output=True,
        text=True,
        env={"PATH": str(tools), "HOME": str(tmp_path)},
    )
    assert done.returncode == 1
    assert "g++" in done.stderr
    assert not (tmp_path / "checkout/.venv").exists()
