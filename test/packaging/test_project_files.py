# SPDX-License-Identifier: Apache-2.0
"""The files that hosts, release tools and newcomers read."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
needs_catkin_pkg = pytest.mark.skipif(
    importlib.util.find_spec("catkin_pkg") is None, reason="catkin_pkg is not installed"
)
needs_schemas = pytest.mark.skipif(
    importlib.util.find_spec("check_jsonschema") is None, reason="check-jsonschema is not installed"
)


def version() -> str:
    found = re.search(r"<version>(\d+\.\d+\.\d+)</version>", (ROOT / "package.xml").read_text(encoding="utf-8"))
    assert found is not None
    return found[1]


@needs_schemas
@pytest.mark.parametrize(
    ("schema", "file"),
    [
        ("vendor.citation-file-format", ROOT / "CITATION.cff"),
        *(("vendor.github-workflows", file) for file in WORKFLOWS),
    ],
    ids=lambda value: value.name if isinstance(value, Path) else "",
)
def test_files_are_as_their_schema_says(schema: str, file: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(file)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_workflow_calls_the_scripts_of_the_repository() -> None:
    content = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text(encoding="utf-8"))
    steps = [step["run"] for job in content["jobs"].values() for step in job["steps"] if "run" in step]
    called = re.findall(r"bash (\S+)", "\n".join(steps))
    assert {"scripts/test.sh", ".ci/run"} <= set(called)
    assert all((ROOT / script).is_file() for script in called)


def test_hooks_run_what_the_tests_need_anyway() -> None:
    content = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = [hook for repository in content["repos"] for hook in repository["hooks"]]
    requirements = (ROOT / "scripts/requirements/test.txt").read_text(encoding="utf-8")
    for tool in {hook["entry"].split()[0] for hook in hooks} - {"python"}:
        assert re.search(rf"^{tool}", requirements, flags=re.MULTILINE), tool


@needs_catkin_pkg
def test_the_manifest_is_complete_for_a_release() -> None:
    from catkin_pkg.package import parse_package

    warnings: list[str] = []
    package = parse_package(str(ROOT / "package.xml"), warnings=warnings)
    assert not warnings and package.maintainers and package.licenses == ["Apache-2.0"]
    assert {url.type for url in package.urls} == {"website", "repository", "bugtracker"}


@needs_catkin_pkg
def test_a_release_can_be_prepared(tmp_path: Path) -> None:
    """What catkin_prepare_release does to the changelog and to the version."""
    from catkin_pkg.changelog import get_changelog_from_path
    from catkin_pkg.package import parse_package
    from catkin_pkg.package_version import (
        bump_version,
        get_forthcoming_label,
        update_changelog_sections,
        update_versions,
    )

    for name in ("CHANGELOG.rst", "package.xml"):
        shutil.copy(ROOT / name, tmp_path)
    text = (tmp_path / "CHANGELOG.rst").read_text(encoding="utf-8")
    assert get_forthcoming_label(text) == "Forthcoming"
    following = bump_version(version(), "minor")
    changelog = get_changelog_from_path(str(tmp_path / "CHANGELOG.rst"), "thermal_fld_ros")
    changelogs = {"thermal_fld_ros": (str(tmp_path / "CHANGELOG.rst"), changelog, "Forthcoming")}
    update_changelog_sections(changelogs, following)
    update_versions({str(tmp_path): parse_package(str(tmp_path / "package.xml"))}, following)
    released = get_changelog_from_path(str(tmp_path / "CHANGELOG.rst"), "thermal_fld_ros")
    assert next(number for number, _, _ in released.foreach_version()) == following
    assert f"<version>{following}</version>" in (tmp_path / "package.xml").read_text(encoding="utf-8")


def test_links_of_the_files_for_newcomers_lead_somewhere() -> None:
    for name in ("CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md", "docs/licences.md"):
        page = ROOT / name
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
            assert target.startswith("http") or (page.parent / target).exists(), f"{name}: {target}"
        for target in re.findall(r"`((?:test|docs|scripts|config|thermal_fld_ros)/[\w./]+\.\w+)`", text):
            assert (ROOT / target).exists(), f"{name}: {target}"
