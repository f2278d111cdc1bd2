# SPDX-License-Identifier: Apache-2.0
"""docs/results/inputs.md is what benchmarks/inputs.py writes, and the script still writes its inputs."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("inputs_benchmark", ROOT / "benchmarks/inputs.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_every_case_has_its_row(script: ModuleType) -> None:
    text = (ROOT / "docs/results/inputs.md").read_text()
    for case in script.CASES:
        assert f"| {case.kind} | {script.command(case)} |" in text, "python benchmarks/inputs.py writes the table anew"


def test_a_case_is_written_and_run(script: ModuleType, tmp_path: Path) -> None:
    (case,) = (one for one in script.CASES if one.kind == "what is it taken for")
    case.write(tmp_path)
    assert script.outcome(case, tmp_path, ROOT).startswith("exit 0: input clip.npz; taken for array (6, 120, 160)")


def test_all_inputs_can_be_written(script: ModuleType, tmp_path: Path) -> None:
    for number, case in enumerate(script.CASES):
        (tmp_path / str(number)).mkdir()
        case.write(tmp_path / str(number))
