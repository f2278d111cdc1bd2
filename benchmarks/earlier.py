# SPDX-License-Identifier: Apache-2.0
"""Earlier versions of this package, from the repository's history."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def check_out(commit: str, folder: Path) -> Path:
    """Write a commit's files into a folder, which is made, and return it."""
    archive = _git("archive", commit)
    folder.mkdir(parents=True)
    subprocess.run(["tar", "x", "-C", str(folder)], input=archive, check=True)
    return folder


def file_of(commit: str, path: str) -> bytes:
    """One file as it was."""
    return _git("show", f"{commit}:{path}")


def _git(*arguments: str) -> bytes:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True)
    if done.returncode:
        raise SystemExit(f"git {' '.join(arguments)}: {done.stderr.decode().strip()}")
    return done.stdout
