# SPDX-License-Identifier: Apache-2.0
"""TIFF files of one page or many, as ImageJ and many cameras' programs export recordings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import cv2

from thermal_fld_ros.recordings.source import Entry, Reading, Source, SourceError, image_of_array, reading

SUFFIXES = (".tif", ".tiff")
BLOCK = 128_000_000
"""Bytes of pages that are in memory at a time: OpenCV walks over all pages before those that it reads, each time anew."""

_IMAGEJ = re.compile(rb"ImageJ=[^\0]*?\bimages=(\d+)", re.DOTALL)
_HEAD = 1 << 20
"""Bytes at the start, and at the end, of a file in which the first page's description is."""


def open_tiff(path: Path, options: Reading) -> Source:
    """Every page of 8 or 16 bit or floating point is an image; they are read in blocks."""
    pages = page_count(path)
    told = _told_by_imagej(path)
    if told > pages:
        raise SourceError(
            f"{path}: ImageJ wrote {told} images behind one page, which only ImageJ reads: "
            "save them there as an image sequence (File > Save As > Image Sequence...)"
        )

    def entries() -> Iterator[Entry]:
        start, count = 0, 1
        while start < pages:
            try:
                read, block = cv2.imreadmulti(str(path), start, count, flags=cv2.IMREAD_UNCHANGED)
            except cv2.error:
                read, block = False, ()
            for index in range(count):
                name = path.name if pages == 1 else f"{path.name}[{start + index}]"
                if read and index < len(block):
                    yield image_of_array(block[index], name)
                else:
                    yield SourceError(f"{path}: page {start + index} of {pages} cannot be read", name)
            start += count
            room = BLOCK // block[0].nbytes if read and len(block) else 1
            count = min(max(room, 1), pages - start)

    return Source(path, "TIFF" if pages == 1 else f"TIFF of {pages} pages", pages, entries)


def page_count(path: Path) -> int:
    """Pages of a TIFF file; raises SourceError where it is none."""
    with reading(path):
        path.open("rb").close()
    try:
        count = int(cv2.imcount(str(path), cv2.IMREAD_UNCHANGED))
    except cv2.error:
        count = 0
    if count < 1:
        raise SourceError(f"{path}: not a TIFF file that OpenCV can read: it is empty, cut short or of another kind")
    return count


def _told_by_imagej(path: Path) -> int:
    with reading(path), path.open("rb") as file:
        head = file.read(_HEAD)
        file.seek(max(len(head), path.stat().st_size - _HEAD))
        found = _IMAGEJ.search(head) or _IMAGEJ.search(file.read())
    return int(found[1]) if found else 0
