# SPDX-License-Identifier: Apache-2.0
# PYTHON_ARGCOMPLETE_OK
"""Facial landmarks in thermal images.

`thermal-fld COMMAND --help` describes a command and gives an example. `python -m thermal_fld_ros` does the same.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib
import os
import pkgutil
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from thermal_fld_ros import cli
from thermal_fld_ros.provenance import version

PROGRAM = "thermal-fld"

# Modules of optional dependencies, and the extra of this package that brings them.
EXTRAS = {
    "train": ("torch", "numba", "onnx", "yaml", "matplotlib"),
    "teacher": ("mediapipe",),
    "timm": ("timm",),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 2 for a wrong call or input, 1 for what failed on the way."""
    arguments = _typed() if arguments is None else list(arguments)
    commands = {
        module.name: _first_line(module) for module in pkgutil.iter_modules(cli.__path__) if module.name[0] != "_"
    }
    parser = argparse.ArgumentParser(
        prog=_program(), description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"thermal_fld_ros {version()}")
    choices = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    chosen = arguments[0] if arguments and arguments[0] in commands else None
    for name, summary in commands.items():
        if name != chosen:  # what is not asked for is not imported
            choices.add_parser(name, help=summary)
    if chosen is None:
        _complete(parser)
        parser.parse_args(arguments)
        return 2
    try:
        module = importlib.import_module(f"{cli.__name__}.{chosen}")
        command = choices.add_parser(
            chosen, description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        module.add_arguments(command)
        _complete(parser)
        args = parser.parse_args(arguments)
        args.command_line = shlex.join(["python", "-m", "thermal_fld_ros", *arguments])  # for results
        return int(module.run(args))
    except ModuleNotFoundError as error:
        extra = _extra_of(error.name or "")
        if extra is None:
            raise
        print(f'{chosen} needs {error.name}: pip install "thermal_fld_ros[{extra}]"', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _typed() -> list[str]:
    """The arguments of this process, or, when a shell asks it for completions, the words that are on its command line."""
    return (os.environ["COMP_LINE"].split() if "_ARGCOMPLETE" in os.environ else sys.argv)[1:]


def _complete(parser: argparse.ArgumentParser) -> None:
    """Answer a shell that asks for completions, and exit; does nothing otherwise, or without argcomplete."""
    if "_ARGCOMPLETE" in os.environ:
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module("argcomplete").autocomplete(parser)


def _program() -> str:
    return PROGRAM if Path(sys.argv[0]).stem == PROGRAM else "python -m thermal_fld_ros"


def _extra_of(module: str) -> str | None:
    top = module.partition(".")[0]
    return next((extra for extra, modules in EXTRAS.items() if top in modules), None)


def _first_line(module: pkgutil.ModuleInfo) -> str:
    """The summary of a command, read without importing it."""
    for folder in cli.__path__:
        for file in (Path(folder) / f"{module.name}.py", Path(folder) / module.name / "__init__.py"):
            if file.is_file():
                return _sentence(ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "")
    return ""


def _sentence(text: str) -> str:
    return text.strip().partition("\n")[0]


if __name__ == "__main__":
    sys.exit(main())
