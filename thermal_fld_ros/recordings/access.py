# SPDX-License-Identifier: Apache-2.0
"""Images of a source by their place in it, without holding all of them."""

from __future__ import annotations

from collections.abc import Iterator

from thermal_fld_ros.recordings.source import Entry, RawImage, Source, SourceError

KEPT_IMAGES = 8
"""Images that stay at hand."""


class Frames:
    """The images of a source by their place, from 0.

    A source can only be read from its beginning. Asking in ascending order reads it once; asking for an earlier image that is not
    among the last `KEPT_IMAGES` reads it anew.

    Parameters
    ----------
    source : Source
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._kept: dict[int, Entry] = {}
        self._entries: Iterator[Entry] = iter(())
        self._next = -1  # place of what the iterator gives next; -1: not begun

    def __getitem__(self, place: int) -> RawImage:
        """Read one image.

        Raises
        ------
        IndexError
            There is no such place; the message tells how many images there are.
        SourceError
            The image cannot be read, or the source not so far.
        """
        entry = self._kept.get(place) or self._read(place)
        if isinstance(entry, SourceError):
            raise entry
        return entry

    def _read(self, place: int) -> Entry:
        if self._next < 0 or place < self._next:
            self._entries, self._next = self._source.entries(), 0
        try:
            for entry in self._entries:
                self._kept[self._next] = entry
                self._next += 1
                if len(self._kept) > KEPT_IMAGES:
                    del self._kept[next(iter(self._kept))]
                if 0 <= place < self._next:
                    return entry
        except SourceError:  # it ends here: the next time it is read from the beginning
            self._next = -1
            raise
        count, self._next = self._next, -1
        raise IndexError(f"{self._source.path} has {count} images")
