# SPDX-License-Identifier: Apache-2.0
"""Lint, types and shell scripts, by the settings in pyproject.toml."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
SHELL_SCRIPTS = [*sorted((ROOT / "scripts").glob("*.sh")), ROOT / ".ci/run"]


def check(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def module(name: str) -> tuple[str, str, str]:
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    return sys.executable, "-m", name


def test_ruff() -> None:
    check(*module("ruff"), "check", "--no-cache", ".")


def test_ruff_format() -> None:
    check(*module("ruff"), "format", "--check", "--no-cache", ".")


@pytest.mark.slow
def test_mypy() -> None:
    check(*module("mypy"))


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
@pytest.mark.parametrize("script", SHELL_SCRIPTS, ids=lambda path: path.name)
def test_shellcheck(script: Path) -> None:
    check("shellcheck", "-x", str(script.relative_to(ROOT)))


LICENCE = "# SPDX-License-Identifier: Apache-2.0"
WITH_CODE = ("benchmarks", "launch", "scripts", "test", "thermal_fld_ros")


def test_every_source_file_names_the_licence_of_the_package() -> None:
    files = [path for folder in WITH_CODE for kind in ("py", "sh") for path in (ROOT / folder).rglob(f"*.{kind}")]
    files += [ROOT / "setup.py", ROOT / "CMakeLists.txt", *(ROOT / "scripts/nodes").iterdir()]
    assert len(files) > 300
    without = [str(path.relative_to(ROOT)) for path in files if LICENCE not in path.read_text("utf-8").splitlines()[:2]]
    assert not without
    (licence,) = ElementTree.parse(ROOT / "package.xml").findall("license")
    assert licence.text == LICENCE.split()[-1]
    assert "Apache License" in (ROOT / licence.attrib["file"]).read_text("utf-8")


def test_the_tests_that_the_page_on_reliability_names_exist() -> None:
    page = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", page)
    assert len(named) > 50
    for file, name in named:
        assert f"def {name}(" in (ROOT / "test" / file).read_text(encoding="utf-8"), f"{file}::{name}"
