# SPDX-License-Identifier: Apache-2.0
"""What the folder of a recording tells of it: the capture node's manifest, and whether it was finished."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from thermal_fld_ros.files import parse_json, read_bytes

MANIFEST = "manifest.json"
RECORDING, COMPLETE, BROKEN, RECOVERED = "recording", "complete", "broken", "recovered"
"""States in the manifest; "broken" is ended by an error, "recovered" finished by `recover`."""

STORAGE_SUFFIXES = {"mcap": ".mcap", "sqlite3": ".db3"}


def read_manifest(bag: Path) -> dict[str, Any]:
    """What the capture node tells of a bag, its folder or a file in it; empty where there is no manifest.

    Raises ValueError where it is no JSON object.
    """
    file = (bag if bag.is_dir() else bag.parent) / MANIFEST
    if not file.is_file():
        return {}
    try:
        content: dict[str, Any] = parse_json(read_bytes(file))
    except ValueError as error:
        raise ValueError(f"{file}: not JSON: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{file}: expected a JSON object")
    return content


def mcap_cure(file: Path) -> str:
    """How to keep what is whole of an MCAP file that another recorder has left without its end."""
    whole = file.with_name(f"{file.stem}_whole.mcap")
    return f"run `mcap recover {file} -o {whole}` to keep what is intact (https://mcap.dev/guides/cli)"


def is_unfinished(folder: Path) -> bool:
    """Whether a recording in this folder was not finished, or is still going on."""
    try:
        state = read_manifest(folder).get("state")
    except ValueError:  # cut by a power failure
        state = RECORDING
    return state == RECORDING or bool(unfinished_files(folder))


def unfinished_files(folder: Path) -> list[Path]:
    """The files of a bag that were not finished, in their order."""
    places = (
        path / f"{path.name}{suffix}"
        for path in folder.glob(f"{folder.name}_*")
        for suffix in STORAGE_SUFFIXES.values()
    )
    return sorted((path for path in places if path.is_file()), key=file_number)


def file_number(path: Path) -> int:
    """The number of a file of a bag, by which they are in order; -1 where its name has none."""
    found = re.search(r"_(\d+)$", path.stem)
    return int(found[1]) if found else -1
