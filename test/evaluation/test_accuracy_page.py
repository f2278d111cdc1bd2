# SPDX-License-Identifier: Apache-2.0
import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_pages_say_what_the_results_say() -> None:
    report = runpy.run_path(str(ROOT / "scripts/accuracy_report.py"))
    for name, write in (("accuracy", "text"), ("accuracy_tables", "appendix")):
        page = (ROOT / f"docs/{name}.md").read_text(encoding="utf-8")
        assert page == report[write](report["load"]())
        for image in re.findall(r"\((images/.+?)\)", page):
            assert (ROOT / "docs" / image).is_file()


def test_the_comparison_in_the_readme_says_what_the_results_say() -> None:
    report = runpy.run_path(str(ROOT / "scripts/accuracy_report.py"))
    told = report["comparison"](report["load"](), report["load"]("peers"))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert told in readme
    assert report["with_comparison"](readme, told) == readme
