# SPDX-License-Identifier: Apache-2.0
"""The server of a page on this machine, for one person's browser.

It listens on 127.0.0.1 only, and its address holds a secret: images of people are not for everybody who has an account on this machine,
nor for other pages of the browser.
"""

from __future__ import annotations

import json
import re
import secrets
import sys
from abc import ABC, abstractmethod
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from thermal_fld_ros.files import parse_json

HOST = "127.0.0.1"
LONGEST_REQUEST = 100_000
PATIENCE = 30.0  # seconds that a connection may be silent
NUMBER = re.compile(r"[0-9]{1,9}")


class PageServer(ThreadingHTTPServer, ABC):
    """Serves a page and what it asks for, each request in a thread of its own.

    Parameters
    ----------
    port : int
        0: any that is free.

    Attributes
    ----------
    url : str
        To be opened in a browser.

    Raises
    ------
    OSError
        The port is taken.
    """

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        self.secret = secrets.token_urlsafe(16)
        super().__init__((HOST, port), Handler)
        self.url = f"http://{HOST}:{self.server_address[1]}/{self.secret}/"

    @abstractmethod
    def page(self) -> str:
        """The page's HTML."""

    @abstractmethod
    def get(self, what: str) -> tuple[str, bytes]:
        """Content type and content of an address below the page's.

        Raises LookupError, ValueError or OSError where there is none: the browser is told why, with status 404.
        """

    @abstractmethod
    def post(self, what: str, content: Any) -> None:
        """Do what the page asks for.

        Parameters
        ----------
        what : str
            The address below the page's.
        content
            Of the request's JSON: anything.

        Raises
        ------
        KeyError, ValueError, TypeError, LookupError
            It is not what the page sends: status 400.
        OSError
            It cannot be saved: status 500.
        """

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore browsers that disconnect or send nothing."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Answers requests that contain the secret."""

    server: PageServer

    timeout = PATIENCE

    def do_GET(self) -> None:
        """Send the page or what it asks for."""
        what = self._asked()
        if what is None:
            self._refuse(HTTPStatus.NOT_FOUND, "not here")
            return
        try:
            kind, content = (
                ("text/html; charset=utf-8", self.server.page().encode()) if not what else self.server.get(what)
            )
        except (LookupError, ValueError, OSError) as error:
            self._refuse(HTTPStatus.NOT_FOUND, _reason(error))
            return
        self._answer(kind, content)

    def do_POST(self) -> None:
        """Take a change."""
        what = self._asked()
        if what is None:
            self._refuse(HTTPStatus.NOT_FOUND, "not here")
            return
        length = self.headers.get("Content-Length", "")
        if not NUMBER.fullmatch(length) or int(length) > LONGEST_REQUEST:
            self._refuse(HTTPStatus.BAD_REQUEST, f"Content-Length: expected a number up to {LONGEST_REQUEST}")
            return
        try:
            self.server.post(what, parse_json(self.rfile.read(int(length))))
        except (ValueError, LookupError, TypeError) as error:
            self._refuse(HTTPStatus.BAD_REQUEST, _reason(error))
        except OSError as error:
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
        else:
            self._answer("application/json", b"{}")

    def _asked(self) -> str | None:
        """The path behind the secret; None if the request does not contain the secret, in which case the rest of it is ignored."""
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


def page_text(name: str, **values: Any) -> str:
    """The HTML beside this module, each `__NAME__` in it replaced by a value as JSON."""
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    for key, value in values.items():
        # "</" would end the script that the value stands in.
        text = text.replace(f"__{key}__", json.dumps(value).replace("</", "<\\/"))
    return text


def _reason(error: Exception) -> str:
    return f"{error.args[0]!r} is missing" if isinstance(error, KeyError) and error.args else str(error)
