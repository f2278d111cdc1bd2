# SPDX-License-Identifier: Apache-2.0
"""A page on this machine on which a person looks at the faces of a data set and strikes the bad ones out.

A strike is in the index before the page shows it.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import cv2

from thermal_fld_ros.datasets.pairs import read_about, read_pair
from thermal_fld_ros.datasets.sample import DataSetError
from thermal_fld_ros.labelling.folder import read_entries, read_entry, strike
from thermal_fld_ros.labelling.page import NUMBER, PageServer, page_text
from thermal_fld_ros.labelling.picture import picture_of

REASONS = ("points off", "blurred", "covered", "wrong face", "other")
HALF_SIDE = 320  # pixels of each half of a picture


class ReviewServer(PageServer):
    """Serves the page, the pictures and the strikes of one data set.

    Parameters
    ----------
    folder : Path
        Of the data set.
    port : int
        0: any that is free.

    Raises
    ------
    DataSetError
        The folder holds no whole data set.
    OSError
        The port is taken.
    """

    def __init__(self, folder: Path, port: int = 0) -> None:
        read_about(folder)
        if not read_entries(folder):
            raise DataSetError(f"{folder}: the data set has no faces")
        self.folder, self.lock = folder, threading.Lock()
        super().__init__(port)

    def page(self) -> str:
        """The page's HTML."""
        return page_text("review.html", REASONS=REASONS)

    def get(self, what: str) -> tuple[str, bytes]:
        """`faces`, the list of them, or the picture of one by its number; errors as in `PageServer.get`."""
        if what == "faces":
            return "application/json", json.dumps(self.listed()).encode()
        if NUMBER.fullmatch(what):
            return "image/jpeg", self.picture(int(what))
        raise LookupError("not here")

    def post(self, what: str, content: Any) -> None:
        """Strike the face of this number or take that back; errors as in `PageServer.post`."""
        if not NUMBER.fullmatch(what):
            raise LookupError("not here")
        reason, image = content["struck"], content["image"]
        if not (reason is None or (isinstance(reason, str) and reason)):
            raise ValueError("a reason must be a string or null")
        self.strike(int(what), image, reason)

    def listed(self) -> list[dict[str, Any]]:
        """What the page shows of each line of the index."""
        with self.lock:
            entries = read_entries(self.folder)
        return [
            {
                "episode": entry.get("episode", ""),
                "subject": entry.get("subject", ""),
                "split": entry.get("split", ""),
                "evidence": entry.get("evidence", ""),
                "image": entry["thermal"],
                "confidence": round(sum(worth) / len(worth), 3) if (worth := entry.get("confidence")) else 1.0,
                "struck": entry.get("struck"),
            }
            for entry in entries
        ]

    def picture(self, number: int) -> bytes:
        """The overlay of a line of the index, a JPEG."""
        with self.lock:
            entry = read_entry(self.folder, number)
        encoded = cv2.imencode(".jpg", picture_of(read_pair(self.folder, f"line {number + 1}", entry), HALF_SIDE))[1]
        return bytes(encoded)

    def strike(self, number: int, image: str, reason: str | None) -> None:
        """Strike the line of the index that is of this image, or take that back.

        Raises LookupError where another image is there: recordings were added since the page was opened.
        """
        with self.lock:
            if read_entry(self.folder, number)["thermal"] != image:
                raise LookupError("the data set has changed: reload the page")
            strike(self.folder, {number: reason})
