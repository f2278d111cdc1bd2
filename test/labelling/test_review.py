# SPDX-License-Identifier: Apache-2.0
"""The review: what its page is served, what a strike does, and who may ask."""

from __future__ import annotations

import json
import re
import signal
import socket
import struct
import subprocess
import sys
import urllib.error
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from thermal_fld_ros.__main__ import main
from thermal_fld_ros.datasets.pairs import read_about, read_pairs
from thermal_fld_ros.labelling.folder import check
from thermal_fld_ros.labelling.page import HOST
from thermal_fld_ros.labelling.review import HALF_SIDE, REASONS, ReviewServer

from .conftest import episode, places
from .pages import get, post, raw, served


@pytest.fixture
def folder(tmp_path: Path, dataset: Callable[..., int]) -> Path:
    """A data set of five faces."""
    assert dataset(tmp_path / "out", episode(tmp_path / "s01", places(5), "s01")) == 0
    return tmp_path / "out"


@pytest.fixture
def server(folder: Path) -> Iterator[ReviewServer]:
    server = ReviewServer(folder)
    with served(server):
        yield server


FACE = "thermal/s01/00000{}_0.png"


def test_a_strike_is_in_the_index_at_once_and_can_be_taken_back(server: ReviewServer) -> None:
    before = (server.folder / "pairs.jsonl").read_bytes()
    assert post(server.url + "1", {"struck": "blurred", "image": FACE.format(1)}) == 200
    assert [pair.name for pair in read_pairs(server.folder)] == ["000001", "000003", "000004", "000005"]
    assert read_about(server.folder)["counts"]["struck"] == {"blurred": 1}
    assert sum(read_about(server.folder)["counts"]["faces_by_split"].values()) == 4
    assert [face["struck"] for face in json.loads(get(server.url + "faces"))] == [None, "blurred", None, None, None]
    assert check(server.folder) == []
    assert post(server.url + "1", {"struck": None, "image": FACE.format(1)}) == 200
    assert (server.folder / "pairs.jsonl").read_bytes() == before
    assert check(server.folder) == []


def test_the_page_has_what_it_needs_and_pictures_of_both_halves(server: ReviewServer) -> None:
    page = get(server.url).decode()
    assert json.dumps(REASONS) in page
    assert not re.search(r"https?://", page)  # nothing from elsewhere
    faces = json.loads(get(server.url + "faces"))
    assert [(face["episode"], face["subject"], face["evidence"]) for face in faces] == [("s01", "s01", "detected")] * 5
    picture = cv2.imdecode(np.frombuffer(get(server.url + "0"), np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (HALF_SIDE, 2 * HALF_SIDE, 3)
    green = (picture[:, :, 1].astype(int) - picture[:, :, 2]) > 80
    assert green[:, :HALF_SIDE].any() and green[:, HALF_SIDE:].any()  # points in both halves


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("99", {"struck": "x", "image": FACE.format(1)}),
        ("x", {"struck": "x", "image": FACE.format(1)}),
        ("1", {"struck": "x", "image": FACE.format(2)}),  # a page that was opened before recordings were added
        ("1", {"struck": "x"}),
        ("1", {"image": FACE.format(1)}),
        ("1", {"struck": 3, "image": FACE.format(1)}),
        ("1", {"struck": "", "image": FACE.format(1)}),
        ("1", []),
    ],
)
def test_what_is_no_strike_changes_nothing(server: ReviewServer, path: str, content: Any) -> None:
    before = (server.folder / "pairs.jsonl").read_bytes()
    assert post(server.url + path, content) in (400, 404)
    assert (server.folder / "pairs.jsonl").read_bytes() == before


def test_requests_that_are_malformed_are_refused_without_a_trace(
    server: ReviewServer, capfd: pytest.CaptureFixture[str]
) -> None:
    path = server.url.partition(str(server.server_address[1]))[2]
    strike = f"POST {path}1 HTTP/1.1"
    assert b" 400 " in raw(server, strike, body=b"{"), "no length: nothing is waited for"
    for length in ("x", "-1", "", "1e3", "99999999999999", "100001", "9" * 5000, "²"):
        assert b" 400 " in raw(server, strike, f"Content-Length: {length}", body=b"{"), length
        assert b" 404 " in raw(server, "POST /guess/1 HTTP/1.1", f"Content-Length: {length}"), "first comes the secret"
    for body in (b"", b"{", b"[" * 90_000, b"\xff\xfe", b"null", b"3", b'{"struck": NaN, "image": 1}'):
        assert b" 400 " in raw(server, strike, f"Content-Length: {len(body)}", body=body), body[:20]
    for what in ("9" * 5000, "-1", "²", "٣", "1/2", "999999999"):
        for method in ("GET", "POST"):
            assert b" 40" in raw(server, f"{method} {path}{what} HTTP/1.1", "Content-Length: 2", body=b"{}"), what
    assert len(json.loads(get(server.url + "faces"))) == 5
    assert capfd.readouterr().err == ""


def test_a_client_that_goes_silent_or_away_leaves_no_trace(
    server: ReviewServer, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thermal_fld_ros.labelling.page.Handler.timeout", 0.2)
    path = server.url.partition(str(server.server_address[1]))[2]
    answer = raw(server, f"POST {path}1 HTTP/1.1", "Content-Length: 100", body=b"{")
    assert b" 500 " in answer, "not waited for beyond its patience"
    for _ in range(20):
        with socket.create_connection(server.server_address[:2]) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # reset
            client.sendall(f"GET {path}faces HTTP/1.1\r\n\r\n".encode())
    assert len(json.loads(get(server.url + "faces"))) == 5
    assert capfd.readouterr().err == ""


def test_a_data_set_that_is_damaged_meanwhile_is_told(server: ReviewServer, capfd: pytest.CaptureFixture[str]) -> None:
    (server.folder / "pairs.jsonl").write_text("{\n" * 5)
    for what in ("faces", "1"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            get(server.url + what)
    assert capfd.readouterr().err == ""


def test_only_who_knows_the_address_is_answered(server: ReviewServer) -> None:
    assert server.server_address[0] == HOST == "127.0.0.1"
    root = f"http://{HOST}:{server.server_address[1]}/"
    before = (server.folder / "pairs.jsonl").read_bytes()
    for path in ("", "faces", "0", "guess/faces"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            get(root + path)
    assert post(root + "0", {"struck": "x"}) == 404
    assert (server.folder / "pairs.jsonl").read_bytes() == before


def test_the_command_prints_its_address_and_ends_with_ctrl_c(folder: Path) -> None:
    command = [sys.executable, "-m", "thermal_fld_ros", "review", str(folder), "--no-browser", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        url = run.stdout.readline().strip()
        answer = post(url + "0", {"struck": "other", "image": FACE.format(0)})
        run.send_signal(signal.SIGINT)
        told, errors = run.communicate(timeout=60)
    assert (answer, run.returncode, errors) == (200, 0, "")
    assert f"{folder}: 1 faces are struck" in told


def test_what_is_no_data_set_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["review", str(tmp_path), "--no-browser"]) == 2
    assert f"error: {tmp_path}: not a data set made by `dataset`: there is no dataset.json" in capsys.readouterr().err
    (tmp_path / "dataset.json").write_text('{"format": 1}')
    assert main(["review", str(tmp_path), "--no-browser"]) == 2
    assert "pairs.jsonl" in capsys.readouterr().err
