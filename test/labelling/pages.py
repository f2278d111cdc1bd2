# SPDX-License-Identifier: Apache-2.0
"""A browser's requests to a page."""

from __future__ import annotations

import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from thermal_fld_ros.labelling.page import PageServer


@contextmanager
def served(server: PageServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))  # seconds until it sees that it shall end
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return bytes(answer.read())


def post(url: str, content: Any) -> int:
    try:
        with urllib.request.urlopen(url, json.dumps(content).encode(), timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def raw(server: PageServer, *lines: str, body: bytes = b"") -> bytes:
    """The status line that answers a request as it stands here, sent by a client that then waits."""
    with socket.create_connection(server.server_address[:2], timeout=30) as client:
        client.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        return client.makefile("rb").readline()
