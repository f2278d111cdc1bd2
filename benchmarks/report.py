# SPDX-License-Identifier: Apache-2.0
"""Write benchmarks/README.md from the committed results: `python benchmarks/report.py`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def load(name: str) -> Any:
    """One results file, by its path in the repository."""
    return json.loads((ROOT / name).read_text(encoding="utf-8"))


def on_machine(result: dict[str, Any]) -> str:
    """What a result was measured on, in a line."""
    machine = result["machine"]
    return (
        f"{machine['cpu']}, {machine['cores']} cores, Python {machine['python']}, onnxruntime {machine['onnxruntime']}, "
        f"OpenCV {machine['opencv']}; load average at the start {machine['load_average']:g}"
    )


def table(head: list[str], rows: list[list[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    parts = [pipeline(), node(), transport(), rendering(), landmark_layout(), capture(), adaptation(), thermal_only()]
    return "\n".join([head, *parts])


if __name__ == "__main__":
    (ROOT / "benchmarks/README.md").write_text(text(), encoding="utf-8")
