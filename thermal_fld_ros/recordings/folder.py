# SPDX-License-Identifier: Apache-2.0
"""Folders of images or of tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from thermal_fld_ros.recordings import images, tables, tiff
from thermal_fld_ros.recordings.names import natural_key, time_in
from thermal_fld_ros.recordings.source import Entry, Reading, Source, SourceError

IMAGE_SUFFIXES = (*images.SUFFIXES, *tiff.SUFFIXES, ".npy")
KINDS = (IMAGE_SUFFIXES, tables.SUFFIXES)
"""What a folder may consist of; where it has the first, the second are labels or notes."""


def open_folder(folder: Path, options: Reading, open_file: Callable[[Path, Reading], Source]) -> Source:
    """The images of a folder, not of those below it, in natural order: 2 before 10.

    Names that tell the time (`names.time_in`) give the stamps. A file that cannot be read is an entry with the reason.
    """
    hidden = sum(
        is_hidden(file) and file.suffix.lower() in IMAGE_SUFFIXES for file in folder.iterdir() if file.is_file()
    )
    files = files_of(folder)
    times = [time_in(file.stem) for file in files]
    timed = len(files) > 1 and None not in times and len(set(times)) == len(times)

    def entries() -> Iterator[Entry]:
        for file, time in zip(files, times, strict=True):
            try:
                source = open_file(file, options)
            except SourceError as error:
                yield SourceError(str(error), file.name)
                continue
            for entry in _going_on(source):
                stamped = timed and not isinstance(entry, SourceError) and entry.stamp is None
                yield replace(entry, stamp=time) if stamped else entry  # type: ignore[type-var]

    notes = [f"{hidden} hidden files (._*, of macOS) are left out"] if hidden else []
    notes += ["the stamps are taken from the names"] if timed else []
    first = _first(files, options, open_file)
    kinds = Counter(file.suffix.lower() for file in files)
    kind = f"folder of {', '.join(f'{count} {suffix}' for suffix, count in kinds.most_common())}"
    if first is None:
        return Source(folder, kind, len(files), entries, notes=tuple(notes))
    notes += first.notes
    if "preview" in first.kind or "radiometric" in first.kind:
        kind += f", the first one a {first.kind}"
    return Source(folder, kind, _length(files), entries, unit=first.unit, notes=tuple(notes))


def image_files(folder: Path) -> list[Path]:
    """The images right in a folder, without hidden ones."""
    return [file for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES and not is_hidden(file)]


def files_of(folder: Path) -> list[Path]:
    """The files of images or tables in a folder, in natural order; raises SourceError where there are none."""
    here = [file for file in folder.iterdir() if file.is_file() and not is_hidden(file)]
    files: list[Path] = []
    for suffixes in KINDS:
        files = files or [file for file in here if file.suffix.lower() in suffixes]
    if not files:
        raise SourceError(
            f"{folder}: no images in this folder{_below(folder)} (looked for {', '.join(sorted(sum(KINDS, ())))})"
        )
    return sorted(files, key=lambda file: natural_key(file.name))


def is_hidden(file: Path) -> bool:
    """Whether a system left this file beside a user's: macOS writes ._a.png beside a.png on other file systems."""
    return file.name.startswith(".")


def _going_on(source: Source) -> Iterator[Entry]:
    """The entries of one file; an error that ends it is one of them."""
    try:
        yield from source.entries()
    except SourceError as error:
        yield SourceError(str(error), error.name or source.path.name)


def _first(files: list[Path], options: Reading, open_file: Callable[[Path, Reading], Source]) -> Source | None:
    """The first file that can be opened; its unit and notes are used for all files."""
    for file in files:
        try:
            return open_file(file, options)
        except SourceError:
            continue
    return None


def _length(files: list[Path]) -> int | None:
    """Number of entries; pages of TIFF files and blocks of tables are known only after looking into each."""
    count = 0
    for file in files:
        if file.suffix.lower() in tables.SUFFIXES:
            return None
        try:
            count += tiff.page_count(file) if file.suffix.lower() in tiff.SUFFIXES else 1
        except SourceError:
            count += 1
    return count


def _below(folder: Path) -> str:
    """Where there are some instead."""
    below = {path.name: len(image_files(path)) for path in sorted(folder.iterdir()) if path.is_dir()}
    found = [f"{name} ({count})" for name, count in below.items() if count]
    return f", but there are some in {', '.join(found[:5])}" if found else ""
