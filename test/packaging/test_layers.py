# SPDX-License-Identifier: Apache-2.0
"""What may import what: the layers of docs/architecture.md, no circles, and nothing that a module does not need."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

NAME = "thermal_fld_ros"
PACKAGE = Path(__file__).parents[2] / NAME

LAYERS = (
    {"files", "options", "provenance"},
    {"perception"},
    {"recordings", "ergonomics"},
    {"registration", "synthesis"},
    {"capture", "datasets"},
    {"evaluation"},
    {"distillation"},
    {"labelling", "nodes"},
    {"photographs"},
    {"launching", "cli"},
    {"__main__"},
)
"""Packages and modules from the ground up; each imports from below only."""

TRAINING = {"torch", "numba", "onnx", "timm", "tensorboard"}


def modules() -> dict[str, Path]:
    files = {".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts): file for file in PACKAGE.rglob("*.py")}
    return {name.removesuffix(".__init__"): file for name, file in files.items()}


def imports_of(file: Path) -> set[str]:
    """All modules that a file may import, those within functions too; of ``from a import b`` both a and a.b."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    """The modules that each module of the package imports."""
    known = modules()
    return {name: (imports_of(file) & known.keys()) - {NAME, name} for name, file in known.items()}


def layer_of(module: str) -> int:
    part = module.split(".")[1]
    (layer,) = (index for index, parts in enumerate(LAYERS) if part in parts)
    return layer


def test_imports_go_down(graph: dict[str, set[str]]) -> None:
    upward = [
        f"{module} imports {other}"
        for module, others in graph.items()
        for other in others
        if module != NAME and module.split(".")[1] != other.split(".")[1] and layer_of(other) >= layer_of(module)
    ]
    assert not upward, upward


def test_there_are_no_circles(graph: dict[str, set[str]]) -> None:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_nodes_reach_no_training(graph: dict[str, set[str]]) -> None:
    reached, waiting = set[str](), [name for name in graph if name.startswith(f"{NAME}.nodes.")]
    assert waiting
    while waiting:
        module = waiting.pop()
        if module not in reached:
            reached.add(module)
            waiting += graph[module]
    known = modules()
    found = {name: {other.split(".")[0] for other in imports_of(known[name])} & TRAINING for name in reached}
    assert not {name: libraries for name, libraries in found.items() if libraries}


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("thermal_fld_ros.distillation.checkpoint", ("numba", "thermal_fld_ros.synthesis")),
        ("thermal_fld_ros.distillation.export", ("numba", "thermal_fld_ros.synthesis")),
        ("thermal_fld_ros.perception.pipeline", ("rclpy", "torch", "numba")),
    ],
)
def test_a_module_is_loaded_without_what_it_does_not_need(module: str, unwanted: tuple[str, ...]) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    script = f"import sys, {module}; print([name for name in sys.modules if name.startswith({unwanted!r})])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
