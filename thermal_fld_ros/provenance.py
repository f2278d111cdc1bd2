# SPDX-License-Identifier: Apache-2.0
"""Which version and state of the code made a result."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def version() -> str:
    """The version in package.xml, of the sources or of a ROS workspace; else that of the installed Python package."""
    workspaces = (parent / "share/thermal_fld_ros" for parent in Path(__file__).parents)
    for folder in (ROOT, *workspaces):
        if (folder / "package.xml").is_file():
            found = re.search(r"<version>(.+)</version>", (folder / "package.xml").read_text(encoding="utf-8"))
            if found:
                return found[1]
    return importlib.metadata.version("thermal_fld_ros")


def git_state() -> str:
    """The commit of this package's checkout, with ``-dirty`` where files differ; "unknown" for an installed package."""
    if not (ROOT / ".git").exists():
        return "unknown"
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.stdout.strip() or "unknown"
