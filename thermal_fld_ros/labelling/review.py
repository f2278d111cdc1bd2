# SPDX-License-Identifier: Apache-2.0
"""A page on this machine on which a person looks at the faces of a data set and strikes the bad ones out.

A strike is in the index before the page shows it. The server listens on 127.0.0.1 only, and its address holds a secret: images of
people are not for everybody who has an account on this machine, nor for other pages of the browser.
"""

from __future__ import annotations

import json
import re
import secrets
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2

from thermal_fld_ros.datasets.pairs import read_about, read_pair
from thermal_fld_ros.datasets.sample import DataSetError
from thermal_fld_ros.files import parse_json
from thermal_fld_ros.labelling.folder import read_entries, read_entry, strike
from thermal_fld_ros.labelling.picture import picture_of

HOST = "127.0.0.1"
REASONS = ("points off", "blurred", "covered", "wrong face", "other")
SIDE = 320  # pixels of each half of a picture
LONGEST_REQUEST = 100_000
PATIENCE = 30.0  # seconds that a connection may be silent
NUMBER = re.compile(r"[0-9]{1,9}")


class ReviewServer(ThreadingHTTPServer):
    """Serves the page, the pictures and the strikes of one data set.

    Parameters
    ----------
    folder : Path
        Of the data set.
    port : int
        0: any that is free.

    Attributes
    ----------
    url : str
        To be opened in a browser.

    Raises
    ------
    DataSetError
        The folder holds no whole data set.
    OSError
        The port is taken.
    """

    daemon_threads = True

    def __init__(self, folder: Path, port: int = 0) -> None:
        read_about(folder)
        if not read_entries(folder):
            raise DataSetError(f"{folder}: no face in it")
        self.folder, self.lock, self.secret = folder, threading.Lock(), secrets.token_urlsafe(16)
        super().__init__((HOST, port), _Handler)
        self.url = f"http://{HOST}:{self.server_address[1]}/{self.secret}/"

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
        encoded = cv2.imencode(".jpg", picture_of(read_pair(self.folder, f"line {number + 1}", entry), SIDE))[1]
        return bytes(encoded)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away or says nothing is no error."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)

    def strike(self, number: int, image: str, reason: str | None) -> None:
        """Strike the line of the index that is of this image, or take that back.

        Raises LookupError where another image is there: recordings were added since the page was opened.
        """
        with self.lock:
            if read_entry(self.folder, number)["thermal"] != image:
                raise LookupError("the data set has changed, load the page again")
            strike(self.folder, {number: reason})


class _Handler(BaseHTTPRequestHandler):
    server: ReviewServer

    timeout = PATIENCE

    def do_GET(self) -> None:
        what = self._asked()
        try:
            if what == "":
                self._answer("text/html; charset=utf-8", page().encode())
            elif what == "faces":
                self._answer("application/json", json.dumps(self.server.listed()).encode())
            elif what is not None and NUMBER.fullmatch(what):
                self._answer("image/jpeg", self.server.picture(int(what)))
            else:
                self._refuse(HTTPStatus.NOT_FOUND, "not here")
        except (LookupError, ValueError, OSError) as error:  # the data set has changed, or is damaged
            self._refuse(HTTPStatus.NOT_FOUND, str(error))

    def do_POST(self) -> None:
        what = self._asked()
        if what is None or not NUMBER.fullmatch(what):
            self._refuse(HTTPStatus.NOT_FOUND, "not here")
            return
        length = self.headers.get("Content-Length", "")
        if not NUMBER.fullmatch(length) or int(length) > LONGEST_REQUEST:
            self._refuse(HTTPStatus.BAD_REQUEST, f"Content-Length: expected a number up to {LONGEST_REQUEST}")
            return
        try:
            content = parse_json(self.rfile.read(int(length)))
            reason, image = content["struck"], content["image"]
            if not (reason is None or (isinstance(reason, str) and reason)):
                raise ValueError("a reason is a text or null")
            self.server.strike(int(what), image, reason)
        except (ValueError, LookupError, TypeError) as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
            return
        except OSError as error:
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
            return
        self._answer("application/json", b"{}")

    def _asked(self) -> str | None:
        """The path behind the secret; None for who does not know that, of whose request nothing else is looked at."""
        _, secret, what = [*self.path.split("/", 2), "", ""][:3]
        return what if secrets.compare_digest(secret.encode(), self.server.secret.encode()) else None

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        self._answer("text/plain; charset=utf-8", reason.encode(), status)

    def _answer(self, kind: str, content: bytes, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the terminal belongs to the user."""


def page() -> str:
    """The page's HTML."""
    text = Path(__file__).with_name("review.html").read_text(encoding="utf-8")
    return text.replace("__REASONS__", json.dumps(REASONS))
