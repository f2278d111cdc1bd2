# SPDX-License-Identifier: Apache-2.0
"""One name, one meaning: no public name is defined in two modules of the package."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "thermal_fld_ros"

# Names that each module of a kind defines, because their caller looks for them, and where those modules are.
ROLES = {
    "add_arguments": "cli",  # of a command
    "run": "cli",
    "SUFFIXES": "recordings",  # of a file format
    "TABLE": "nodes",  # of a node's parameters
    "main": "",  # of what can be started
    "Array": "",  # shorthand for the arrays that a module computes with: float32 in training and rendering, else float64
}


def names_of(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    for target in targets:
        yield from (name.id for name in getattr(target, "elts", [target]) if isinstance(name, ast.Name))


def public_names() -> dict[str, list[str]]:
    """The modules that define each name, of `Parameter` for instance `nodes/parameters.py`."""
    found: dict[str, list[str]] = defaultdict(list)
    for file in sorted(PACKAGE.rglob("*.py")):
        module = file.relative_to(PACKAGE).as_posix()
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            for name in names_of(node):
                if not name.startswith("_") and not (name in ROLES and module.startswith(ROLES[name])):
                    found[name].append(module)
    return found


def test_no_public_name_is_defined_twice() -> None:
    names = public_names()
    assert names["Parameter"] == ["nodes/parameters.py"]
    twice = {name: modules for name, modules in names.items() if len(modules) > 1}
    assert not twice, "unite what is the same, rename what is not: " + "; ".join(f"{k}: {v}" for k, v in twice.items())


def private_names(file: Path) -> Iterator[str]:
    """Where a test reads `something._private` of another object; a named tuple's `_replace` is public."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.endswith("__"):
            own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            if not own and node.attr not in ("_replace", "_asdict", "_fields"):
                yield f"{file.name}, line {node.lineno}: {node.attr}"


def test_no_test_reaches_into_private_names() -> None:
    files = [*Path(__file__).parents[1].rglob("*.py")]
    assert len(files) > 50 and [name for file in files for name in private_names(file)] == []
