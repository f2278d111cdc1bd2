# SPDX-License-Identifier: Apache-2.0
"""Temperatures as text, as FLIR Tools, ResearchIR and PI Connect export them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.decoding import PLAUSIBLE_CELSIUS
from thermal_fld_ros.recordings.source import Entry, Reading, Source, SourceError, image_of_array, reading

SUFFIXES = (".csv", ".tsv")
LEAST_SIDE = 8
"""Columns and rows of an image."""

_UNITS = {
    "celsius": re.compile(r"°\s*C\b|\bdegC\b|celsius", re.IGNORECASE),
    "kelvin": re.compile(r"\bkelvin\b|\[K\]|\(K\)", re.IGNORECASE),
    "fahrenheit": re.compile(r"°\s*F\b|\bdegF\b|fahrenheit", re.IGNORECASE),
}


def open_table(path: Path, options: Reading) -> Source:
    """Rows of numbers; lines that are none, before or between them, are headings, and each begins another image.

    Columns end with a comma, a semicolon or a tab; beside the latter two a comma is a decimal one.
    """
    with reading(path):
        text = _text(path.read_bytes())
    images, headings = _blocks(text)
    if not images:
        raise SourceError(
            f"{path}: there is no image in this table: expected at least {LEAST_SIDE} lines of as many numbers each, at least {LEAST_SIDE}"
        )
    with np.errstate(over="ignore"):  # what single precision cannot hold is infinite, and decoding fills it
        frames = [np.array(image, np.float32) for image in images]
    named = next((unit for unit, pattern in _UNITS.items() if pattern.search(headings)), "")
    if named == "fahrenheit":
        frames = [(frame - np.float32(32.0)) / np.float32(1.8) for frame in frames]
    unit, note = _unit(named, frames[0])

    def entries() -> Iterator[Entry]:
        for index, frame in enumerate(frames):
            yield image_of_array(frame, path.name if len(frames) == 1 else f"{path.name}[{index}]")

    return Source(path, "table of numbers", len(frames), entries, unit=unit, notes=(note,) if note else ())


def _unit(named: str, frame: NDArray[np.float32]) -> tuple[str | None, str]:
    """Name of the unit and a sentence on where it is from."""
    if named == "fahrenheit":
        return "celsius", "the headings say Fahrenheit: the values are converted to degC"
    if named:
        return named, ""
    if PLAUSIBLE_CELSIUS[0] <= float(np.nanmedian(frame)) <= PLAUSIBLE_CELSIUS[1]:
        return "celsius", "the table names no unit, so its values are read as degC; use --unit to change this"
    return None, ""


def _text(content: bytes) -> str:
    for encoding in ("utf-16", "utf-8-sig") if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig",):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            pass
    return content.decode("latin-1")


def _blocks(text: str) -> tuple[list[list[list[float]]], str]:
    """The images, and everything else as one text."""
    lines = text.splitlines()
    separator = max(";\t,", key=lambda mark: sum(line.count(mark) >= LEAST_SIDE - 1 for line in lines))
    images: list[list[list[float]]] = []
    headings: list[str] = []
    rows: list[list[float]] = []

    def finish() -> None:
        if len(rows) >= LEAST_SIDE:
            images.append(rows.copy())
        rows.clear()

    for line in lines:
        row = _numbers(line, separator)
        if row is None:
            headings.append(line)
            finish()
            continue
        if rows and len(row) != len(rows[0]):
            finish()
        rows.append(row)
    finish()
    return images, "\n".join(headings)


def _numbers(line: str, separator: str) -> list[float] | None:
    """The numbers of a line, None where it is a heading or empty."""
    cells = [cell.strip().strip('"') for cell in line.strip("\r\n").split(separator)]
    while cells and not cells[-1]:  # a separator ends the line
        cells.pop()
    while cells and not cells[0]:  # nothing stands where the headings of rows would
        cells.pop(0)
    if len(cells) < LEAST_SIDE:
        return None
    if separator != ",":
        cells = [cell.replace(",", ".") for cell in cells]
    try:
        return [float(cell) for cell in cells]
    except ValueError:
        return None
