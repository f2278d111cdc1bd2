# SPDX-License-Identifier: Apache-2.0
"""The command as such: version, help, examples, completion."""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.util
import os
import pkgutil
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from thermal_fld_ros import cli
from thermal_fld_ros.__main__ import main

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts/thermal-fld"
COMMANDS = sorted(module.name for module in pkgutil.iter_modules(cli.__path__) if not module.name.startswith("_"))


def examples(command: str) -> list[str]:
    """The examples in a command's help, read without importing it."""
    doc = ast.get_docstring(ast.parse((ROOT / f"thermal_fld_ros/cli/{command}.py").read_text(encoding="utf-8"))) or ""
    return re.findall(rf"^  thermal-fld ({command} .*)$", doc, flags=re.MULTILINE)


def test_version_is_that_of_package_xml(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    version = re.search(r"<version>(\d+\.\d+\.\d+)</version>", (ROOT / "package.xml").read_text(encoding="utf-8"))
    assert ended.value.code == 0 and version is not None
    assert capsys.readouterr().out == f"thermal_fld_ros {version[1]}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples_that_the_command_accepts(command: str) -> None:
    assert examples(command), "the help shows no example"
    parser = argparse.ArgumentParser(exit_on_error=False)
    importlib.import_module(f"thermal_fld_ros.cli.{command}").add_arguments(parser)
    for example in examples(command):
        parser.parse_args(shlex.split(example)[1:])


@pytest.mark.parametrize("command", [[sys.executable, str(SCRIPT)], [sys.executable, "-m", "thermal_fld_ros"]])
def test_usage_names_the_program_as_it_was_called(command: list[str]) -> None:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"}
    told = subprocess.run([*command, "recover", "--help"], capture_output=True, text=True, env=environment, check=True)
    called = "thermal-fld" if str(SCRIPT) in command else "python -m thermal_fld_ros"
    assert told.stdout.startswith(f"usage: {called} recover ")


@pytest.mark.skipif(importlib.util.find_spec("argcomplete") is None, reason="argcomplete is not installed")
@pytest.mark.parametrize(
    ("typed", "expected"),
    [("thermal-fld rec", {"recover"}), ("thermal-fld predict --prov", {"--provider"}),
     ("thermal-fld predict a.mp4 --rotate ", {"0", "90", "180", "270"})],
)  # fmt: skip
def test_the_shell_completes_commands_options_and_choices(typed: str, expected: set[str], tmp_path: Path) -> None:
    answer = tmp_path / "answer"
    environment = {
        **os.environ, "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}", "_ARGCOMPLETE": "1", "COMP_LINE": typed,
        "COMP_POINT": str(len(typed)), "_ARGCOMPLETE_STDOUT_FILENAME": str(answer), "_ARGCOMPLETE_IFS": "\n",
    }  # fmt: skip
    subprocess.run([sys.executable, str(SCRIPT)], env=environment, check=True)
    assert {word.strip() for word in answer.read_text().splitlines()} == expected


def test_configurations_in_examples_exist() -> None:
    named = [word for command in COMMANDS for example in examples(command) for word in shlex.split(example)]
    configurations = [word for word in named if word.startswith("config/")]
    assert configurations and all((ROOT / word).is_file() for word in configurations)
