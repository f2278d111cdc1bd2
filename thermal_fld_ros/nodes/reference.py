# SPDX-License-Identifier: Apache-2.0
"""The files that are written from the tables of parameters: `config/*.yaml` and `docs/parameters.md`.

`python -m thermal_fld_ros.nodes.reference` writes them into a checkout, without ROS.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from thermal_fld_ros.nodes import capture_parameters, detector_parameters, device_parameters, ergonomics_parameters
from thermal_fld_ros.nodes.parameters import Parameter, Value

TYPE_NAMES = {bool: "bool", int: "integer", float: "double", str: "string"}


def yaml_text(node_name: str, table: Sequence[Parameter]) -> str:
    """The parameter file that sets every parameter of a table to its default."""
    lines = [
        f"# Every parameter of {node_name}, at its default. Written by `python -m thermal_fld_ros.nodes.reference`.",
        "# /** lets the file hold for the node under whatever name and namespace it runs.",
        "/**:",
        "  ros__parameters:",
    ]
    for parameter in table:
        note = f" ({parameter.constraint})" if parameter.constraint else ""
        lines += [f"    # {parameter.description}{note}", f"    {parameter.name}: {_yaml_value(parameter.default)}"]
    return "\n".join(lines) + "\n"


def markdown(node_name: str, table: Sequence[Parameter]) -> str:
    """A node's section of the reference table."""
    lines = [f"## {node_name}", "", "| parameter | type | default | permitted | description |", "|---|---|---|---|---|"]
    for parameter in table:
        description = parameter.description + (" Read at the start only." if parameter.read_only else "")
        kind = TYPE_NAMES[type(parameter.default)]
        cells = [f"`{parameter.name}`", kind, f"`{_yaml_value(parameter.default)}`", parameter.constraint, description]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def generated_files() -> dict[str, str]:
    """The files that are written from the tables: path in the repository -> content."""
    tables = {
        "thermal_fld_detector": ("config/detector.yaml", detector_parameters.TABLE),
        "thermal_fld_capture": ("config/capture.yaml", capture_parameters.TABLE),
        "thermal_fld_camera": ("config/camera.yaml", device_parameters.TABLE),
        "thermal_fld_ergonomics": ("config/ergonomics.yaml", ergonomics_parameters.TABLE),
    }
    head = (
        "# Parameters\n\n"
        "This page is generated from the declarations in the code by `python -m thermal_fld_ros.nodes.reference`. Unless the\n"
        "description says otherwise, you can change a parameter while the node runs (`ros2 param set`). The change takes effect\n"
        "with the next image, or is refused with a reason. Parameters of the capture node cannot be changed during an episode.\n\n"
    )
    files = {path: yaml_text(name, table) for name, (path, table) in tables.items()}
    files["docs/parameters.md"] = head + "\n".join(markdown(name, table) for name, (_, table) in tables.items())
    return files


def _yaml_value(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def main() -> None:
    """Write the generated files into a checkout."""
    parser = argparse.ArgumentParser(description="Write config/*.yaml and docs/parameters.md from the declarations.")
    parser.add_argument("--root", type=Path, default=Path.cwd(), help="the repository (default: the current folder)")
    root = parser.parse_args().root
    for path, text in generated_files().items():
        (root / path).write_text(text)
        print(f"wrote {root / path}")


if __name__ == "__main__":
    main()
