# SPDX-License-Identifier: Apache-2.0
"""Each form from small files written in exactly its layout."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from thermal_fld_ros.datasets.forms import FORMS, open_dataset
from thermal_fld_ros.datasets.sample import SCHEMES, DataSetError

RNG = np.random.default_rng(0)
POINTS = np.round(RNG.uniform(30, 90, (70, 2)), 2)


def picture(path: Path, size: tuple[int, int] = (120, 100), dtype: type = np.uint8) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = RNG.integers(0, 200 if dtype is np.uint8 else 31000, size[::-1]).astype(dtype)
    assert cv2.imwrite(str(path), pixels)
    return path


# --- SF-TL54 ---------------------------------------------------------------------------------------------------------


def write_sf_tl54(root: Path, corners: object = ((20.5, 10.5), (110.5, 95.5))) -> Path:
    for name in ("1_1_2_1_10_1", "2_1_2_1_10_1"):
        picture(root / f"test/images/{name}.png")
        shapes = [
            {"label": "face", "points": corners, "shape_type": "rectangle"},
            {"label": "chin", "points": (POINTS[:17] + 0.5).tolist(), "shape_type": "linestrip"},
            {"label": "rest", "points": (POINTS[17:54] + 0.5).tolist(), "shape_type": "linestrip"},
        ]
        path = root / f"test/json/{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"version": "4.5.6", "shapes": shapes, "imagePath": f"{name}.png"}))
    return root / "test"


def test_sf_tl54(tmp_path: Path) -> None:
    data = open_dataset(f"sf-tl54:{write_sf_tl54(tmp_path)}")
    assert (data.name, data.scheme, len(data.samples)) == ("test", SCHEMES["sftl54"], 2)
    (face,) = data.samples[1].faces
    np.testing.assert_allclose(face.points, POINTS[:54])
    assert face.box.tolist() == [20, 10, 90, 85]
    assert face.subject == "2"
    assert data.samples[0].frame().image_size == (120, 100)
    points68 = np.arange(136.0).reshape(68, 2)
    selected = SCHEMES["sftl54"].select(points68)
    assert selected[48:, 0].tolist() == [2 * k for k in (48, 51, 54, 57, 62, 66)]


def test_sf_tl54_malformed(tmp_path: Path) -> None:
    folder = write_sf_tl54(tmp_path)
    (folder / "images/2_1_2_1_10_1.png").unlink()
    with pytest.raises(DataSetError, match=r"2_1_2_1_10_1.png: no such image; .* labels it"):
        open_dataset(f"sf-tl54:{folder}")
    with pytest.raises(DataSetError, match='no rectangle "face" of two corners'):
        open_dataset(f"sf-tl54:{write_sf_tl54(tmp_path, [[1, 2]])}")
    (folder / "json/1_1_2_1_10_1.json").write_text("{}")
    with pytest.raises(DataSetError, match='no list "shapes", expected labelme'):
        open_dataset(f"sf-tl54:{folder}")


# --- TFW -------------------------------------------------------------------------------------------------------------

HEADER = "image,xs,ys,xe,ye,p1x,p1y,p2x,p2y,p3x,p3y,p4x,p4y,p5x,p5y\n"


def test_tfw(tmp_path: Path) -> None:
    for name in ("3312.png", "4076.png"):
        picture(tmp_path / "test/outdoor_gray" / name)
    rows = ["3312.png,10,20,40,60,18,32,30,32,24,42,19,50,29,50", "3312.png,50,20,80,60,58,32,70,32,64,42,59,50,69,50",
            "4076.png,10,20,40,60,18,32,30,32,24,42,19,50,29,50"]  # fmt: skip
    (tmp_path / "test/outdoor.csv").write_text(HEADER + "\n".join(rows) + "\n")
    data = open_dataset(f"tfw:{tmp_path}/test/outdoor.csv")
    assert [len(sample.faces) for sample in data.samples] == [2, 1]
    face = data.samples[0].faces[1]
    assert face.box.tolist() == [50, 20, 30, 40]
    assert face.points.tolist() == [[58, 32], [70, 32], [64, 42], [59, 50], [69, 50]]
    assert data.extent(face).tolist() == face.box.tolist()  # five points do not outline a face
    points68 = np.zeros((68, 2))
    points68[36:42], points68[42:48], points68[30], points68[48], points68[54] = (
        (18, 32),
        (30, 32),
        (24, 42),
        (19, 50),
        (29, 50),
    )
    assert data.scheme.select(points68).tolist() == data.samples[1].faces[0].points.tolist()


def test_tfw_malformed(tmp_path: Path) -> None:
    picture(tmp_path / "outdoor/a.png")
    table = tmp_path / "outdoor.csv"
    for text, message in [
        (HEADER + "a.png,1,2,3\n", r"outdoor.csv, line 2: 4 columns, expected 15"),
        (HEADER + "a.png,10,20,40,60,x" + ",1" * 9, r"line 2: 'x' is not a number"),
        (HEADER + "a.png,10,20,10,60" + ",1" * 10, r"line 2: the box .* has no extent"),
        (HEADER + "b.png,10,20,40,60" + ",1" * 10, r"b.png: no such image; the labels name it"),
        (HEADER, "there are no labelled images"),
    ]:
        table.write_text(text)
        with pytest.raises(DataSetError, match=message):
            open_dataset(f"tfw:{table}")
    with pytest.raises(DataSetError, match="expected a CSV file of TFW"):
        open_dataset(f"tfw:{tmp_path}/indoor.csv")


# --- Charlotte -------------------------------------------------------------------------------------------------------


def write_charlotte(root: Path, columns: int = 73) -> Path:
    picture(root / "S1/R11185.tiff", dtype=np.uint16)
    names = [f"{axis}{k}" for k in range(columns) for axis in "xy"]
    full = [str(value) for value in RNG.integers(30, 90, 2 * columns)]
    profile = full[:86] + [""] * (len(full) - 86)
    lines = [",".join(["ID", "Subject", "Distance", *names])]
    lines += [
        ",".join(["R11185", "1", "1.0", *full]),
        ",".join(["R11186", "1", "1.0", *profile]),
        ",".join(["R11187", "1", "1.0", *full]),
    ]
    (root / "S1.csv").write_text("\n".join(lines) + "\n")
    return root


def test_charlotte(tmp_path: Path) -> None:
    data = open_dataset(f"Charlotte=charlotte:{write_charlotte(tmp_path)}")
    assert data.name == "Charlotte"
    assert [sample.name for sample in data.samples] == ["S1/R11185"]
    assert data.left_out == {"profiles of 43 points": 1, "rows without a 16-bit image": 1}
    frame = data.samples[0].frame()
    assert frame.unit.name == "centikelvin"
    assert frame.pixels.dtype == np.uint16
    assert data.samples[0].faces[0].subject == "S1"


def test_charlotte_malformed(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match="no column x60, expected ID, x0, y0 to x67, y67"):
        open_dataset(f"charlotte:{write_charlotte(tmp_path, 60)}")
    with pytest.raises(DataSetError, match=r"S1.csv to S10.csv"):
        open_dataset(f"charlotte:{tmp_path / 'absent'}")


# --- T-FAKE ----------------------------------------------------------------------------------------------------------


def test_t_fake(tmp_path: Path) -> None:
    for number, size in (("000000", (512, 512)), ("000001", (256, 256))):
        picture(tmp_path / f"{number}_warm_thermal.png", size, np.uint16)
    for number in ("000000", "000001", "000002"):
        np.savetxt(tmp_path / f"{number}_ldmks.txt", POINTS, fmt="%.2f")
    data = open_dataset(f"t-fake:{tmp_path}")
    assert data.left_out == {"landmark files without an image": 1}
    for sample in data.samples:
        assert sample.frame().image_size == (512, 512)
        np.testing.assert_allclose(sample.faces[0].points, POINTS[:68])
    np.savetxt(tmp_path / "000001_ldmks.txt", POINTS[:60])
    with pytest.raises(DataSetError, match=r"000001_ldmks.txt: an array of \(60, 2\), expected 70 lines"):
        open_dataset(f"t-fake:{tmp_path}")


def test_face_synthetics_alone_is_colour(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "000000.png"), RNG.integers(0, 255, (512, 512, 3)).astype(np.uint8))
    np.savetxt(tmp_path / "000000_ldmks.txt", POINTS)
    (sample,) = open_dataset(f"t-fake:{tmp_path}").samples
    assert sample.frame().pixels.shape == (512, 512)


# --- RWTH ------------------------------------------------------------------------------------------------------------


def test_rwth(tmp_path: Path) -> None:
    name = "irface_sub001_seq02_frm00155.jpg_lfb"
    picture(tmp_path / f"{name}.png")
    points: list[list[float | None]] = POINTS[:68, ::-1].tolist()  # y, x
    points[3] = [None, None]
    content = {"version": 2, "labels": [], "landmarks": {"connectivity": [[0, 1]], "points": points}}
    (tmp_path / f"{name}.ljson").write_text(json.dumps(content))
    (sample,) = open_dataset(f"rwth:{tmp_path}").samples
    (face,) = sample.faces
    np.testing.assert_allclose(np.delete(face.points, 3, axis=0), np.delete(POINTS[:68], 3, axis=0))
    assert np.isnan(face.points[3]).all()
    assert np.isfinite(face.box).all()
    assert face.subject == "001"
    (tmp_path / f"{name}.ljson").write_text(json.dumps({"landmarks": {}}))
    with pytest.raises(DataSetError, match=r'no "landmarks": .* as in Menpo'):
        open_dataset(f"rwth:{tmp_path}")


# --- .pts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "scheme"), [(68, "ibug68"), (51, "ibug51"), (54, "sftl54")])
def test_pts_count_from_one(tmp_path: Path, count: int, scheme: str) -> None:
    picture(tmp_path / "indoor_001.png")
    lines = "\n".join(f"{x + 1:.3f} {y + 1:.3f}" for x, y in POINTS[:count])
    (tmp_path / "indoor_001.pts").write_text(f"version: 1\nn_points: {count}\n{{\n{lines}\n}}\n")
    data = open_dataset(f"pts:{tmp_path}")
    assert data.scheme == SCHEMES[scheme]
    np.testing.assert_allclose(data.samples[0].faces[0].points, POINTS[:count])


def test_pts_malformed(tmp_path: Path) -> None:
    file = tmp_path / "a.pts"
    file.write_text("version: 1\nn_points: 2\n{\n1 2\n3 4\n}\n")
    with pytest.raises(DataSetError, match=r"a.pts: 4 numbers between braces, expected x and y of 68, 51, 54 points"):
        open_dataset(f"pts:{tmp_path}")
    file.write_text("version: 1\n{ one two }")
    with pytest.raises(DataSetError, match="expected numbers between braces"):
        open_dataset(f"pts:{tmp_path}")
    file.write_text("{" + " 5 6" * 68 + "}")
    with pytest.raises(DataSetError, match="there is no image of this name beside it"):
        open_dataset(f"pts:{tmp_path}")


# --- renders ---------------------------------------------------------------------------------------------------------


def write_shard(folder: Path, **more: np.ndarray) -> Path:
    folder.mkdir(exist_ok=True)
    faces = np.stack([POINTS[:68], POINTS[:68] + np.array([70, 0]), POINTS[:68] / 10 + 5, POINTS[:68]]).astype(
        np.float32
    )
    visible = np.ones((4, 68), bool)
    visible[1, :50] = False
    labels = {"frame": np.array([0, 0, 0, 2], np.int32), "points": faces, "visible": visible,
              "pose": np.radians([[30, 0, 0]] * 4).astype(np.float32), "facing": np.array([1, 1, 1, 0], bool), **more}  # fmt: skip
    np.save(folder / "images_0000.npy", RNG.integers(29000, 31000, (3, 100, 200)).astype(np.uint16))
    np.savez(folder / "labels_0000.npz", **labels)
    return folder


def test_renders(tmp_path: Path) -> None:
    pytest.importorskip("numba", reason="renders are read with the extra train")
    data = open_dataset(f"renders:{write_shard(tmp_path / 'faces')}")
    assert [len(sample.faces) for sample in data.samples] == [3, 0, 1]
    first, hidden, tiny = data.samples[0].faces
    assert first.yaw == pytest.approx(30.0, abs=1e-3)
    assert first.glasses is None
    assert [face.required for face in (first, hidden, tiny, data.samples[2].faces[0])] == [True, False, False, False]
    assert data.samples[1].frame().unit.name == "centikelvin"
    told = open_dataset(
        f"renders:{write_shard(tmp_path / 'told', glasses=np.array([1, 0, 0, 0], bool), mask=np.zeros(4, bool))}"
    )
    assert [face.glasses for face in told.samples[0].faces] == [True, False, False]
    assert told.samples[0].faces[0].mask is False


def test_a_rendered_clip_is_a_sequence(tmp_path: Path) -> None:
    pytest.importorskip("numba", reason="renders are read with the extra train")
    data = open_dataset(f"renders:{Path(__file__).parents[2] / 'resource/demo_clip.npz'}")
    assert data.has_sequences
    assert not data.every_face
    assert [sample.stamp for sample in data.samples[:2]] == [0.0, pytest.approx(1 / 9)]
    with pytest.raises(DataSetError, match="expected a clip with frames, points and fps"):
        np.savez(tmp_path / "clip.npz", frames=np.zeros((2, 4, 4)))
        open_dataset(f"renders:{tmp_path / 'clip.npz'}")


# --- all -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["nothing", "magic:folder", "NAME=magic:folder", ":folder"])
def test_unknown_forms_are_told(text: str) -> None:
    with pytest.raises(DataSetError, match="expected FORM:PATH or NAME=FORM:PATH with FORM one of plain, renders"):
        open_dataset(text)


@pytest.mark.parametrize("form", sorted(FORMS))
def test_what_is_not_there_is_told_by_its_path(form: str, tmp_path: Path) -> None:
    if form == "renders":
        pytest.importorskip("numba", reason="renders are read with the extra train")
    with pytest.raises(DataSetError, match="absent"):
        open_dataset(f"{form}:{tmp_path / 'absent'}")
