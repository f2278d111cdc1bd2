# SPDX-License-Identifier: Apache-2.0
"""Write the generated pages of the reference: `python scripts/reference.py`.

docs/cli.md comes from the parsers of the commands, docs/message_definitions.md from msg/ and srv/, docs/parameters.md and the files in
config/ from the tables of parameters. It needs what the commands need, so run it in the environment of the tests.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from thermal_fld_ros import cli  # noqa: E402
from thermal_fld_ros.__main__ import PROGRAM  # noqa: E402
from thermal_fld_ros.nodes.reference import generated_files  # noqa: E402


def commands() -> dict[str, argparse.ArgumentParser]:
    """The parser of each command, by its name."""
    parsers = {}
    for info in pkgutil.iter_modules(cli.__path__):
        if info.name.startswith("_"):
            continue
        module = importlib.import_module(f"{cli.__name__}.{info.name}")
        parser = argparse.ArgumentParser(prog=f"{PROGRAM} {info.name}", description=module.__doc__, add_help=False)
        module.add_arguments(parser)
        parsers[info.name] = parser
    return parsers


def cli_page() -> str:
    """The page of all commands."""
    parsers = commands()
    parts = [
        f"""# Command line

This page is generated from the parsers of the commands by `python scripts/reference.py`.

`{PROGRAM} COMMAND` runs a command, and `{PROGRAM} COMMAND --help` prints its help. `python -m thermal_fld_ros` does the same.

No command needs ROS. The exit status is 0 on success, 1 if the work failed and 2 if the call or its input is wrong.

| command | description |
|---|---|
"""
        + "\n".join(f"| [`{name}`](#{name}) | {_escaped(_summary(parser))} |" for name, parser in parsers.items())
    ]
    for name, parser in parsers.items():
        parts.append(f"## {name}\n\n{_prose(parser.description or '')}\n\n{_options(parser)}")
    return "\n\n".join(parts) + "\n"


def _summary(parser: argparse.ArgumentParser) -> str:
    return (parser.description or "").strip().partition("\n")[0]


def _prose(text: str) -> str:
    """A docstring as Markdown: indented lines are code, the others are paragraphs."""
    parts = []
    for block in text.strip().split("\n\n"):
        lines = block.splitlines()
        if all(line.startswith("  ") for line in lines):
            parts.append("```text\n" + "\n".join(line[2:] for line in lines) + "\n```")
        else:
            parts.append("\n".join(_escaped(line) for line in lines))
    return "\n\n".join(parts)


def _options(parser: argparse.ArgumentParser) -> str:
    """The table of a command's arguments. argparse has no public way to list them."""
    rows = ["| argument | description |", "|---|---|"]
    for action in parser._actions:
        if action.option_strings:
            value = "" if action.nargs == 0 else f" {_value(action)}"
            name = ", ".join(f"`{option}{value}`" for option in action.option_strings)
        else:
            name = f"`{_value(action)}`"
        text = (action.help or "") % {**vars(action), "prog": parser.prog}
        if action.option_strings and action.required:
            text = f"required; {text}"
        rows.append(f"| {name} | {_escaped(text)} |")
    return "\n".join(rows)


def _value(action: argparse.Action) -> str:
    """How the value of an argument is written in a call."""
    if action.metavar is None:
        single = "{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.dest
        single = single if action.choices or not action.option_strings else single.upper()
    elif isinstance(action.metavar, tuple):
        return " ".join(action.metavar)
    else:
        single = action.metavar
    if isinstance(action.nargs, int):
        return " ".join([single] * action.nargs)
    return {"*": f"[{single} ...]", "+": f"{single} [{single} ...]", "?": f"[{single}]"}.get(str(action.nargs), single)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("[", "\\[")


def definitions_page() -> str:
    """The page of the message and service definitions."""
    parts = [
        "# Message definitions\n\n"
        "This page is generated from the files in `msg/` and `srv/` by `python scripts/reference.py`.\n"
        "[Messages](messages.md) explains the fields that a consumer needs first."
    ]
    for file in [*sorted((ROOT / "msg").glob("*.msg")), *sorted((ROOT / "srv").glob("*.srv"))]:
        kind = file.suffix[1:]
        text = file.read_text(encoding="utf-8").strip()
        parts.append(f"## thermal_fld_ros/{kind}/{file.stem}\n\n```text\n{text}\n```")
    return "\n\n".join(parts) + "\n"


def pages() -> dict[str, str]:
    """All generated files: path in the repository -> content."""
    return {"docs/cli.md": cli_page(), "docs/message_definitions.md": definitions_page(), **generated_files()}


def main() -> None:
    """Write the pages that changed."""
    for path, text in pages().items():
        file = ROOT / path
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")
            print(f"wrote {path}")


if __name__ == "__main__":
    main()
