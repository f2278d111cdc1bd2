# SPDX-License-Identifier: Apache-2.0
"""The documentation site is built without warnings, reads offline, and its generated pages are current."""

from __future__ import annotations

import importlib.util
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEEDED = ("mkdocs", "material", "mkdocstrings", "latex2mathml")

LOADED = re.compile(
    r"<(?:script|img|iframe)\b[^>]*\bsrc=[\"']?(https?:)?//|<link\b[^>]*rel=[\"']?(?:stylesheet|preconnect)[^>]*//"
)
"""What a browser fetches from another host by itself. Links that a person clicks are none of it."""


def test_the_generated_pages_of_the_reference_are_current() -> None:
    reference = runpy.run_path(str(ROOT / "scripts/reference.py"))
    for path, text in reference["pages"]().items():
        assert (ROOT / path).read_text(encoding="utf-8") == text, f"{path}: run python scripts/reference.py"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for name in NEEDED:
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed: pip install -r scripts/requirements/test.txt")
    folder = tmp_path_factory.mktemp("site")
    # not --quiet, which keeps warnings from --strict
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_is_on_the_site(site: Path) -> None:
    for page in (ROOT / "docs").rglob("*.md"):
        assert (site / page.relative_to(ROOT / "docs").with_suffix(".html")).is_file()


def test_no_page_loads_anything_from_another_host(site: Path) -> None:
    for page in site.rglob("*.html"):
        match = LOADED.search(page.read_text(encoding="utf-8"))
        assert match is None, f"{page.relative_to(site)}: {match}"


def test_docstrings_are_in_the_reference(site: Path) -> None:
    page = (site / "api.html").read_text(encoding="utf-8")
    for name in ("pipeline.Pipeline", "face.Face", "decoding.ThermalFrame"):
        assert f'id="thermal_fld_ros.perception.{name}"' in page


def test_formulas_are_drawn_without_a_script(site: Path) -> None:
    assert "<math" in (site / "distillation.html").read_text(encoding="utf-8")
