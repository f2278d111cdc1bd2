# SPDX-License-Identifier: Apache-2.0
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_of_measurements_says_what_the_results_say() -> None:
    report = runpy.run_path(str(ROOT / "benchmarks/report.py"))
    assert (ROOT / "benchmarks/README.md").read_text(encoding="utf-8") == report["text"]()
