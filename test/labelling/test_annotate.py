# SPDX-License-Identifier: Apache-2.0
"""The annotation: what its page is served, what ends up in the label file, and that `evaluate` reads it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from capture_messages import STAMP, image
from dummy_models import face_scene, face_template

from thermal_fld_ros.__main__ import main
from thermal_fld_ros.capture.bag import BagWriter
from thermal_fld_ros.datasets.forms import open_dataset
from thermal_fld_ros.datasets.sample import SCHEMES, DataSetError
from thermal_fld_ros.labelling.annotate import NAMES, AnnotateServer
from thermal_fld_ros.labelling.annotation import Annotation, chosen, places_in
from thermal_fld_ros.recordings.messages import IMAGE, Topic
from thermal_fld_ros.recordings.source import SourceError

from .pages import get, post, raw, served

SIZE = (80, 60)
SCHEME = SCHEMES["sftl54"]
POINTS = SCHEME.select(face_template().astype(np.float64) * (30, 34) + (40, 30)).round(3)
BOX = [24.0, 12.0, 32.0, 36.0]


def face(shift: float = 0.0, **fields: Any) -> dict[str, Any]:
    """As the page sends it."""
    whole = {
        "box": BOX,
        "points": (POINTS + shift).round(3).tolist(),
        "visible": [True] * 54,
        "subject": "",
        "required": True,
    }
    return whole | fields


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of four images, the third of which cannot be read."""
    folder = tmp_path / "images"
    folder.mkdir()
    for k in (1, 2, 10):
        cv2.imwrite(str(folder / f"a{k}.png"), face_scene(SIZE, [(40, 30, 30)], seed=k))
    (folder / "a3.png").write_bytes(b"no image")
    return folder


@contextmanager
def annotating(out: Path, source: Path, **settings: Any) -> Iterator[AnnotateServer]:
    server = AnnotateServer(Annotation(out, places_in(source, settings.get("topic", "")), settings))
    with served(server):
        yield server


def listed(server: AnnotateServer) -> list[tuple[str, int, str]]:
    return [(one["name"], one["faces"], one["state"]) for one in json.loads(get(server.url + "images"))]


def save(server: AnnotateServer, number: int, faces: list[Any], done: bool = True) -> int:
    return post(f"{server.url}labels/{number}", {"faces": faces, "done": done})


def test_what_is_clicked_is_what_evaluate_reads(images: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.json"
    hidden = [k != 20 for k in range(54)]
    with annotating(out, images, unit="centikelvin") as server:
        assert save(server, 0, [face(subject="anna", visible=hidden), face(1.0, required=False)]) == 200
        assert save(server, 1, []) == 200  # no face
        assert listed(server) == [
            ("a1.png", 2, "done"),
            ("a2.png", 0, "done"),
            ("a3.png", 0, "open"),
            ("a10.png", 0, "open"),
        ]
    data = open_dataset(f"plain:{out}")
    assert (data.name, data.scheme, data.left_out) == ("labels", SCHEME, {})
    first, second = data.samples
    anna, other = first.faces
    np.testing.assert_allclose(anna.points, POINTS)
    np.testing.assert_allclose(anna.box, BOX)
    assert anna.visible is not None and anna.visible.tolist() == hidden
    assert (anna.subject, anna.required, other.required, other.visible) == ("anna", True, False, None)
    assert second.faces == ()
    assert first.frame().unit.name == "centikelvin"


def test_an_interrupted_annotation_goes_on_and_is_no_data_yet(images: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.json"
    some = [*POINTS[:30].tolist(), *[None] * 24]
    with annotating(out, images) as server:
        save(server, 0, [face()])
        save(server, 3, [face(points=some)], done=False)
    with annotating(out, images) as server:
        assert [state for *_, state in listed(server)] == ["done", "open", "open", "unfinished"]
        labels = json.loads(get(server.url + "labels/3"))
        assert (labels["width"], labels["height"], labels["done"]) == (*SIZE, False)
        assert labels["faces"] == [face(points=some)]
        data = open_dataset(f"plain:{out}")
        assert [sample.name for sample in data.samples] == ["images/a1.png"]
        assert data.left_out == {"annotation not finished": 1}
        save(server, 3, [face(points=some)])  # finished without the others
    assert np.isnan(open_dataset(f"plain:{out}").samples[1].faces[0].points[:, 0]).sum() == 24


def test_the_page_sees_upright_images_and_the_file_holds_incoming_ones(images: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.json"
    with annotating(out, images, rotation=90, rows=[4, 0], scheme="ibug51") as server:
        labels = json.loads(get(server.url + "labels/0"))
        assert (labels["width"], labels["height"]) == (56, 80)
        pixels = np.frombuffer(get(server.url + "pixels/0"), "<u2").reshape(80, 56)
        raw_pixels = cv2.imread(str(images / "a1.png"), cv2.IMREAD_UNCHANGED)[4:].astype(np.float64)
        turned = np.rot90(raw_pixels, -1)
        assert np.corrcoef(pixels.ravel(), turned.ravel())[0, 1] > 0.9999
        assert (pixels.min(), pixels.max()) == (0, 65535)
        upright = np.tile([[10.0, 20.0]], (51, 1))
        upright[:, 0] += np.arange(51) / 4
        sent = {"box": [8, 18, 20, 30], "points": upright.tolist()}
        assert save(server, 0, [sent]) == 200
        (got,) = json.loads(get(server.url + "labels/0"))["faces"]
        np.testing.assert_allclose(got["points"], upright)
        np.testing.assert_allclose(got["box"], sent["box"])
    data = open_dataset(f"plain:{out}")
    frame, (label,) = data.samples[0].frame(), data.samples[0].faces
    np.testing.assert_allclose(label.points, frame.upright_to_image(upright))
    # Turned clockwise, the bottom row becomes the left column.
    np.testing.assert_allclose(label.points[0], [20.0, 59.0 - 10.0])


def test_inverted_images_are_shown_with_warm_bright(images: Path, tmp_path: Path) -> None:
    with annotating(tmp_path / "labels.json", images, inverted=True) as server:
        pixels = np.frombuffer(get(server.url + "pixels/0"), "<u2").reshape(SIZE[::-1])
    assert pixels[30, 40] < pixels[2, 2]


def write_npz(path: Path) -> Path:
    np.savez(
        path / "clip.npz", frames=np.stack([face_scene(SIZE, [(40, 30, 20 + k)], seed=k) for k in range(5)]), fps=9.0
    )
    return path / "clip.npz"


def write_video(path: Path) -> Path:
    video = cv2.VideoWriter(str(path / "clip.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 9, SIZE)
    for k in range(5):
        video.write(np.full((*SIZE[::-1], 3), 40 * k + 20, np.uint8))
    video.release()
    return path / "clip.avi"


def write_bag(path: Path) -> Path:
    bag = BagWriter(path / "bag", "mcap", [Topic("/thermal", IMAGE), Topic("/other", IMAGE)])
    for k in range(5):
        pixels = face_scene(SIZE, [(40, 30, 20 + k)], seed=k)
        bag.write(STAMP + k, {"/thermal": image(pixels, "mono16"), "/other": image(pixels + 9, "mono16")})
    bag.close()
    return path / "bag"


@pytest.mark.parametrize("write", [write_npz, write_video])
def test_an_image_of_a_recording_is_the_one_that_was_shown(write: Callable[[Path], Path], tmp_path: Path) -> None:
    source, out = write(tmp_path), tmp_path / "labels.json"
    with annotating(out, source) as server:
        shown = {k: json.loads(get(f"{server.url}labels/{k}")) for k in (4, 0, 2)}  # back and forth
        assert all((labels["width"], labels["height"]) == SIZE for labels in shown.values())
        for k in (4, 1, 3):
            assert save(server, k, [face()]) == 200
    data = open_dataset(f"plain:{out}")
    assert [sample.name for sample in data.samples] == [f"{source.name}[{k}]" for k in (1, 3, 4)]
    means = [sample.frame().pixels.mean() for sample in data.samples]
    assert means == sorted(means) and means[0] < means[-1]


def test_a_selection_is_spread_evenly(tmp_path: Path) -> None:
    places = places_in(write_npz(tmp_path))
    assert [place.frame for place in chosen(places, every=2)] == [0, 2, 4]
    assert [place.frame for place in chosen(places, count=2)] == [0, 4]
    assert [place.frame for place in chosen(places, count=9)] == [0, 1, 2, 3, 4]


def test_what_the_file_labels_already_stays(images: Path, tmp_path: Path) -> None:
    out, clip = tmp_path / "labels.json", write_npz(tmp_path)
    entry = {"image": "clip.npz", "frame": 3, "sequence": "walk", "stamp": 3.0, "traps": [[1, 2, 3, 4]],
             "faces": [{"box": BOX, "yaw": 12, "glasses": True}]}  # fmt: skip
    out.write_text(json.dumps({"scheme": "sftl54", "about": "a room", "images": [entry]}))
    with annotating(out, images) as server:
        assert [name for name, *_ in listed(server)] == ["a1.png", "a2.png", "a3.png", "a10.png"]
        save(server, 0, [face()])
    content = json.loads(out.read_text())
    assert (content["about"], content["images"][1]) == ("a room", entry)
    server = AnnotateServer(Annotation(out, chosen(places_in(clip), count=2), {}))
    with served(server):
        assert listed(server) == [("clip.npz[0]", 0, "open"), ("clip.npz[3]", 1, "done"), ("clip.npz[4]", 0, "open")]
        (known,) = json.loads(get(server.url + "labels/1"))["faces"]
        save(server, 1, [known | {"points": POINTS.tolist()}])
    (label,) = open_dataset(f"plain:{out}").samples[0].faces
    assert (label.yaw, label.glasses) == (12, True)
    np.testing.assert_allclose(label.points, POINTS)
    assert json.loads(out.read_text())["images"][0]["traps"] == [[1, 2, 3, 4]]


@pytest.mark.parametrize(
    ("what", "content"),
    [
        ("labels/99", {"faces": [], "done": True}),
        ("labels/x", {"faces": [], "done": True}),
        ("pixels/0", {"faces": [], "done": True}),
        ("images", {"faces": [], "done": True}),
        ("labels/0", {"faces": []}),
        ("labels/0", {"faces": {}, "done": True}),
        ("labels/0", {"faces": [], "done": 1}),
        ("labels/0", []),
        ("labels/0", {"faces": [3], "done": True}),
        ("labels/0", {"faces": [face(points=[[1, 2]])], "done": True}),
        ("labels/0", {"faces": [face(points=3)], "done": True}),
        ("labels/0", {"faces": [face(box=[1, 2, 0, 4])], "done": True}),
        ("labels/0", {"faces": [face(box=[1, 2, 3])], "done": True}),
        ("labels/0", {"faces": [face(visible=[True])], "done": True}),
        ("labels/0", {"faces": [face(subject=3)], "done": True}),
        ("labels/0", {"faces": [face(required="no")], "done": True}),
        ("labels/0", {"faces": [face(name="anna")], "done": True}),
        ("labels/0", {"faces": [face(yaw=float("nan"))], "done": True}),
        ("labels/2", {"faces": [face()], "done": True}),  # cannot be read
    ],
)
def test_what_is_no_label_changes_nothing(images: Path, tmp_path: Path, what: str, content: Any) -> None:
    out = tmp_path / "labels.json"
    with annotating(out, images) as server:
        save(server, 1, [face()])
        before = out.read_bytes()
        assert post(server.url + what, content) in (400, 404)
    assert out.read_bytes() == before


def test_an_image_that_cannot_be_read_is_told(images: Path, tmp_path: Path) -> None:
    with annotating(tmp_path / "labels.json", images) as server:
        for what in ("labels/2", "pixels/2"):
            with pytest.raises(urllib.error.HTTPError, match="404") as error:
                get(server.url + what)
            assert b"a3.png: not an image" in error.value.read()


def test_only_who_knows_the_address_is_answered(images: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.json"
    with annotating(out, images) as server:
        root = f"http://127.0.0.1:{server.server_address[1]}/"
        for path in ("", "images", "labels/0", "guess/pixels/0"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                get(root + path)
        assert post(root + "labels/0", {"faces": [face()], "done": True}) == 404
        path = server.url.partition(str(server.server_address[1]))[2]
        assert b" 400 " in raw(server, f"POST {path}labels/0 HTTP/1.1", "Content-Length: 100001", body=b"{")
    assert not out.exists()


@pytest.mark.parametrize("scheme", ["sftl54", "ibug68", "ibug51"])
def test_the_page_names_and_draws_every_point(images: Path, tmp_path: Path, scheme: str) -> None:
    with annotating(tmp_path / "labels.json", images, scheme=scheme) as server:
        page = get(server.url).decode()
    assert not re.search(r"https?://", page)  # nothing from elsewhere
    told = json.loads(re.search(r"const SCHEME = (\{.*?\});", page)[1])  # type: ignore[index]
    count = len(SCHEMES[scheme])
    assert len(set(told["names"])) == len(told["names"]) == count
    assert np.shape(told["points"]) == (count, 2)
    assert max(max(run) for run in told["runs"]) < count
    assert len(set(map(tuple, told["points"]))) == count
    assert len(NAMES) == 68


def test_the_second_round_knows_nothing_of_the_first(images: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.json"
    with annotating(out, images, unit="centikelvin") as server:
        save(server, 0, [face(subject="anna")])
        save(server, 1, [face()], done=False)
        save(server, 3, [])
    command = [sys.executable, "-m", "thermal_fld_ros", "annotate", "--out", str(out), "--round", "second"]
    with subprocess.Popen([*command, "--no-browser", "--port", "0"], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        url = run.stdout.readline().strip()
        assert [one["state"] for one in json.loads(get(url + "images"))] == ["open", "open"]
        assert json.loads(get(url + "labels/0"))["faces"] == []
        post(url + "labels/0", {"faces": [face(0.5)], "done": True})
        run.send_signal(signal.SIGINT)
        told, _ = run.communicate(timeout=60)
    second = tmp_path / "labels.second.json"
    assert run.returncode == 0 and f"{second}: 1 of 2 images are finished, 0 are unfinished" in told
    assert json.loads(second.read_text())["unit"] == "centikelvin"
    np.testing.assert_allclose(open_dataset(f"plain:{second}").samples[0].faces[0].points, POINTS + 0.5)


def test_a_bag_with_several_topics(tmp_path: Path) -> None:
    bag, out = write_bag(tmp_path), tmp_path / "labels.json"
    with pytest.raises(SourceError, match="choose one topic"):
        places_in(bag)
    with annotating(out, bag, topic="/thermal") as server:
        assert save(server, 3, [face()]) == 200
    (sample,) = open_dataset(f"plain:{out}").samples
    assert sample.name == "bag[3]"
    np.testing.assert_array_equal(sample.frame().pixels, face_scene(SIZE, [(40, 30, 23)], seed=3))


def test_other_settings_than_those_of_the_file_are_refused(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "labels.json"
    with annotating(out, images) as server:
        save(server, 0, [face()])
    with pytest.raises(DataSetError, match=r"made with rotation 0, not 90: choose another --out"):
        Annotation(out, places_in(images), {"rotation": 90})
    for more, message in (
        (["--scheme", "ibug68"], "made with scheme sftl54, not ibug68"),
        (["--round", "second", "--unit", "celsius"], "made with unit counts, not celsius"),
    ):
        assert main(["annotate", str(images), "--out", str(out), "--no-browser", *more]) == 2
        assert message in capsys.readouterr().err


def test_wrong_calls_are_told(images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "labels.json"
    for call, message in (
        ([str(images)], "--out is missing: name a label file"),
        (["--out", str(out)], "IMAGES is missing: name a file or a folder"),
        ([str(tmp_path / "none"), "--out", str(out)], "no such file or folder"),
        (["--out", str(out), "--round", "second"], f"{out}: cannot be read"),
    ):
        assert main(["annotate", *call, "--no-browser"]) == 2
        assert message in capsys.readouterr().err
    out.write_text('{"images": [{"image": "images/a1.png"}, {"image": "images/../images/a1.png"}]}')
    assert main(["annotate", str(images), "--out", str(out), "--no-browser"]) == 2
    assert "an image is labelled twice" in capsys.readouterr().err


def test_agreement_of_two_rounds(images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = tmp_path / "labels.json", tmp_path / "second.json"
    size = float(np.sqrt(np.prod(np.ptp(POINTS, axis=0))))
    moved = POINTS.copy()
    moved[SCHEME.places(range(17))] += (0.0, 0.03 * size)
    hidden = [k > 1 for k in range(54)]
    with annotating(first, images) as server:
        save(server, 0, [face()])
        save(server, 1, [face(visible=hidden)])
        save(server, 3, [face()], done=False)
    with annotating(second, images) as server:
        save(server, 0, [face(points=moved.tolist(), required=False)])
        save(server, 1, [])
        save(server, 3, [face()])
    assert main(["annotate", "--agreement", str(first), str(second)]) == 0
    told = capsys.readouterr().out
    rows = {row.split("|")[1].strip(): row.split("|")[2:5] for row in told.splitlines() if row.startswith("| ")}
    assert (rows["jaw"][0].strip(), float(rows["jaw"][1])) == ("1", pytest.approx(3.0, abs=0.1))
    assert float(rows["all"][1]) == pytest.approx(3.0 * 17 / 54, abs=0.1)
    assert float(rows["eyes"][1]) == float(rows["without jaw"][1]) == 0.0
    assert 0.0 < float(rows["jaw line"][1]) < 3.0
    assert "2 images in both rounds, 0 in the first only, 1 in the second only; 1 not finished" in told
    assert "1 faces in one round only; of 1 only one round says" in told
    assert main(["annotate", "--agreement", str(first), str(tmp_path / "none.json")]) == 2
