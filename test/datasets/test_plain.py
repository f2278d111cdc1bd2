# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from thermal_fld_ros.datasets.forms import open_dataset
from thermal_fld_ros.datasets.sample import SCHEMES, DataSet, DataSetError

POINTS = np.random.default_rng(0).uniform(10, 50, (68, 2)).round(2)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), rng.integers(0, 255, (60, 80)).astype(np.uint8))
    np.savez(tmp_path / "clip.npz", frames=rng.integers(29000, 31000, (4, 60, 80)).astype(np.uint16), fps=9.0)
    return tmp_path


def read(folder: Path, **content: Any) -> DataSet:
    (folder / "labels.json").write_text(json.dumps(content))
    return open_dataset(f"plain:{folder / 'labels.json'}")


def test_json_with_everything(images: Path) -> None:
    points: list[Any] = POINTS.tolist()
    points[7] = None
    face = {"points": points, "visible": [True] * 68, "yaw": -12.5, "glasses": True, "subject": "anna"}
    data = read(
        images, name="mine", about="two rooms", labels="by hand", unit="centikelvin", rotation=90, scheme="ibug68", fps=9,
        scored=list(range(17, 68)),
        images=[{"image": "clip.npz", "frame": k, "sequence": "walk", "faces": [face], "traps": [[1, 2, 3, 4]]} for k in (0, 1, 2)],
    )  # fmt: skip
    assert (data.name, data.about, data.labels, data.scheme) == ("mine", "two rooms", "by hand", SCHEMES["ibug68"])
    assert data.scored == tuple(range(17, 68))
    assert [sample.stamp for sample in data.samples] == pytest.approx([0, 1 / 9, 2 / 9])
    sample = data.samples[2]
    assert (sample.name, sample.sequence) == ("clip.npz[2]", "walk")
    assert sample.traps[0].tolist() == [1, 2, 3, 4]
    assert sample.frame().upright_size == (60, 80)
    (found,) = sample.faces
    assert (found.yaw, found.glasses, found.mask, found.subject, found.required) == (-12.5, True, None, "anna", True)
    assert np.flatnonzero(np.isnan(found.points[:, 0])).tolist() == [7]
    np.testing.assert_allclose(found.box[:2], np.nanmin(found.points, axis=0))


def test_json_with_little(images: Path) -> None:
    data = read(
        images, images=[{"image": "a.png"}, {"image": "b.png", "faces": [{"box": [1, 2, 30, 40], "required": False}]}]
    )
    assert (data.name, data.scheme, data.has_sequences, data.every_face) == ("labels", None, False, True)
    assert [len(sample.faces) for sample in data.samples] == [0, 1]
    assert not data.samples[1].faces[0].required


def test_an_image_whose_annotation_is_not_finished_is_counted(images: Path) -> None:
    data = read(images, images=[{"image": "a.png", "done": False}, {"image": "b.png", "done": True}])
    assert [sample.name for sample in data.samples] == ["b.png"]
    assert data.left_out == {"annotation not finished": 1}


def test_a_scheme_of_indices(images: Path) -> None:
    face = {"points": [[10, 20], [30, 20]], "box": [0, 0, 50, 50]}
    data = read(images, scheme=[36, 45], images=[{"image": "a.png", "faces": [face]}])
    assert data.scheme.groups == ((36,), (45,))
    assert read(images, scheme=list(range(17, 68)), images=[{"image": "a.png"}]).scheme == SCHEMES["ibug51"]


IMAGE = {"image": "a.png"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, r'labels.json: no field "images"'),
        ({"images": [], "picture": 1}, r'labels.json: unknown field "picture", expected .*images'),
        ({"images": []}, "no labelled images"),
        ({"images": [{"image": "c.png"}]}, r"c.png: no such image"),
        ({"images": [{"image": "a.png", "face": []}]}, r'image 0: unknown field "face", expected done, faces, frame'),
        ({"images": [IMAGE, IMAGE]}, 'two images are named "a.png"'),
        ({"images": [{**IMAGE, "faces": [{}]}]}, "image 0, face 0: neither a box nor points"),
        (
            {"images": [{**IMAGE, "faces": [{"box": [1, 2, 3]}]}]},
            r"a box of shape \(3,\), expected x, y, width, height",
        ),
        ({"images": [{**IMAGE, "faces": [{"box": [1, 2, 3, 0]}]}]}, "has no extent"),
        ({"images": [{**IMAGE, "faces": [{"points": [[1, 2]]}]}]}, r"points of shape \(1, 2\), expected \(0, 2\)"),
        ({"scheme": "ibug68", "images": [{**IMAGE, "faces": [{"points": [[1, 2]]}]}]}, r"expected \(68, 2\)"),
        ({"scheme": [0, 68], "images": [IMAGE]}, r'"scheme" is \[0, 68\], expected a list of iBUG indices'),
        ({"scheme": "dlib", "images": [IMAGE]}, r'"scheme" is "dlib", expected ibug68, ibug51'),
        ({"scored": "all", "images": [IMAGE]}, r'"scored" is .all., expected a list of iBUG indices'),
        ({"unit": "fahrenheit", "images": [IMAGE]}, 'unit "fahrenheit" is unknown, expected one of counts'),
        ({"rotation": 45, "images": [IMAGE]}, "rotation must be 0, 90, 180 or 270"),
    ],
)
def test_malformed_json_is_told(images: Path, content: dict[str, Any], message: str) -> None:
    with pytest.raises(DataSetError, match=message):
        read(images, **content)


def test_a_frame_that_is_not_there(images: Path) -> None:
    data = read(images, images=[{"image": "clip.npz", "frame": 4}])
    with pytest.raises(DataSetError, match=r"image 0: frame 4, but .*clip.npz has 4"):
        data.samples[0].frame()


def test_no_json(images: Path) -> None:
    (images / "labels.json").write_text("{")
    with pytest.raises(DataSetError, match=r"labels.json: not JSON"):
        open_dataset(f"plain:{images / 'labels.json'}")
    with pytest.raises(DataSetError, match=r"expected a label file .json or .csv"):
        open_dataset(f"plain:{images / 'a.png'}")


def test_csv(images: Path) -> None:
    columns = [f"{axis}{k}" for k in range(17, 68) for axis in "xy"]
    values = [str(v) for v in POINTS[17:].reshape(-1)]
    lines = [
        ",".join(
            ["image", "frame", "sequence", "stamp", "x", "y", "width", "height", "yaw", "glasses", "required", *columns]
        ),
        ",".join(["clip.npz", "1", "walk", "0.5", "5", "6", "50", "40", "-3", "yes", "", *values]),
        ",".join(["clip.npz", "1", "walk", "0.5", "60", "6", "10", "10", "", "", "no", *[""] * len(columns)]),
        ",".join(["a.png", *[""] * (10 + len(columns))]),
    ]
    (images / "labels.csv").write_text("\n".join(lines) + "\n")
    data = open_dataset(f"plain:{images / 'labels.csv'}")
    assert data.scheme == SCHEMES["ibug51"]
    first, empty = data.samples
    assert (first.name, first.sequence, first.stamp) == ("clip.npz[1]", "walk", 0.5)
    face, other = first.faces
    assert (face.box.tolist(), face.yaw, face.glasses, face.required) == ([5, 6, 50, 40], -3.0, True, True)
    np.testing.assert_allclose(face.points, POINTS[17:])
    assert (other.points, other.required) == (None, False)
    assert empty.faces == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,x\na.png,1\n", "the columns are file, x; expected image"),
        ("image,x0\na.png,1\n", "the columns are image, x0; expected image"),
        ("image,x68,y68\na.png,1,2\n", "x0, y0 to x67, y67"),
        ("image,x,y,width,height\na.png,1,2,three,4\n", "line 2: 'three' is not a number"),
        ("image,x,y,width,height,glasses\na.png,1,2,3,4,maybe\n", 'line 2: "maybe" is not valid, expected yes or no'),
    ],
)
def test_malformed_csv_is_told(images: Path, text: str, message: str) -> None:
    (images / "labels.csv").write_text(text)
    with pytest.raises(DataSetError, match=message):
        open_dataset(f"plain:{images / 'labels.csv'}")
