# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from dummy_models import face_scene

from thermal_fld_ros.__main__ import main

CLIP = Path(__file__).parents[2] / "resource/demo_clip.npz"


def evaluate(*arguments: object) -> int:
    return main(["evaluate", *map(str, arguments)])


def results(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture
def stills(tmp_path: Path) -> Path:
    """Two images, one with the dummy models' idea of a face, and labels of 68 points."""
    cv2.imwrite(str(tmp_path / "face.png"), face_scene((160, 120), [(80, 60, 40)]))
    cv2.imwrite(str(tmp_path / "empty.png"), face_scene((160, 120), []))
    points = np.random.default_rng(0).uniform((60, 40), (100, 80), (68, 2))
    points[[0, 1], :] = (60, 40), (100, 80)
    images = [{"image": "face.png", "faces": [{"points": points.tolist()}]}, {"image": "empty.png"}]
    (tmp_path / "labels.json").write_text(json.dumps({"scheme": "ibug68", "labels": "made up", "images": images}))
    return tmp_path / "labels.json"


def test_the_shipped_models_on_the_packaged_clip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("numba", reason="renders are read with the extra train")
    pytest.importorskip("matplotlib", reason="plots need the extra train")
    out = tmp_path / "out/accuracy.json"
    arguments = [
        "--data",
        f"clip=renders:{CLIP}",
        "--points",
        "contour=0-37,41,44-46",
        "--json",
        out,
        "--plots",
        tmp_path / "plots",
    ]
    assert evaluate(*arguments) == 0
    found = results(out)
    assert found["data"]["clip"]["faces"] == 100
    (row,) = found["rows"]
    assert (row["data"], row["model"]) == ("clip", "shipped")
    for protocol in ("given_box", "pipeline"):
        assert list(row[protocol]["points"]) == ["68", "51", "54", "contour"]
        assert row[protocol]["points"]["68"]["missed"] == 0
        assert row[protocol]["points"]["68"]["nme"] < 5.0
    assert row["detection"]["recall"] == 1.0
    assert row["mouth"]["demo_clip"]["correlation"] > 0.8
    assert row["video"]["lag_frames"]["demo_clip"] < 1.0
    assert row["calibration"]["all"]["points"] == 6800
    table = capsys.readouterr().out
    assert "| clip | shipped | given box | 68      | 100   | 1      | 0      |" in table
    assert {file.name for file in (tmp_path / "plots").iterdir()} == {
        "accuracy_errors_clip.png",
        "accuracy_confidence_clip.png",
    }


def test_misses_and_false_faces_are_reported(dummy_models: Path, stills: Path, tmp_path: Path) -> None:
    content = results(stills)
    content["images"][0]["faces"].append({"box": [5, 5, 20, 20]})  # nobody is there
    content["images"][1] |= {"faces": []}
    cv2.imwrite(str(tmp_path / "empty.png"), face_scene((160, 120), [(50, 50, 30)]))  # somebody who is not labelled
    stills.write_text(json.dumps(content))
    out = tmp_path / "out.json"
    assert evaluate("--data", f"plain:{stills}", "--models", dummy_models, "--json", out) == 0
    (row,) = results(out)["rows"]
    assert row["model"] == dummy_models.name
    assert (row["detection"]["faces"], row["detection"]["found"], row["detection"]["false_faces"]) == (2, 1, 1)
    assert (row["given_box"]["points"]["68"]["faces"], row["pipeline"]["points"]["68"]["missed"]) == (1, 0)


def test_several_models_and_what_another_tool_found(
    dummy_models: Path, stills: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    points = results(stills)["images"][0]["faces"][0]["points"]
    perfect = {"face.png": {"found": [points], "given": [points]}, "empty.png": {"found": [], "given": []}}
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"scheme": "ibug68", "about": {"tool": "1.0"}, "data": {"labels": perfect}}))
    out = tmp_path / "out.json"
    models = ["--models", f"one={dummy_models}", "--models", f"two={dummy_models}", "--predictions", f"perfect={other}"]
    assert evaluate("--data", f"plain:{stills}", "--data", f"again=plain:{stills}", *models, "--json", out) == 0
    rows = results(out)["rows"]
    assert [(row["data"], row["model"]) for row in rows] == [
        ("labels", "one"), ("labels", "two"), ("labels", "perfect"), ("again", "one"), ("again", "two")
    ]  # fmt: skip
    assert rows[0]["given_box"] == rows[1]["given_box"]
    for protocol in ("given_box", "pipeline"):
        figures = rows[2][protocol]["points"]["68"]
        assert (figures["nme"], figures["auc_8"], figures["failure_8"]) == (0.0, 1.0, 0.0)
    assert rows[2]["models"] == {"tool": "1.0"}
    assert "perfect: no predictions of again" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (
            {"face.png": {"found": []}},
            'the image "empty.png" of "labels" is missing; an image without a face has "found": []',
        ),
        ({"face.png": {"found": [[[1, 2]]]}, "empty.png": {"found": []}}, "points of shape (1, 2), expected (68, 2)"),
        (
            {"face.png": {"given": []}, "empty.png": {"given": []}},
            'image "face.png" has 0 given faces, but 1 are labelled',
        ),
        ({"face.png": {"found": []}, "empty.png": {"given": []}}, 'some images have "found" and others do not'),
    ],
)
def test_predictions_that_do_not_fit_are_told(
    stills: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], images: dict[str, Any], message: str
) -> None:
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"scheme": "ibug68", "data": {"labels": images}}))
    assert evaluate("--data", f"plain:{stills}", "--predictions", f"other={other}") == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "labels.json"], '"labels.json": expected FORM:PATH'),
        (["--data", "plain:absent.json"], "absent.json: cannot be read"),
        (["--data", "plain:labels.json", "--models", "nowhere"], "nowhere/face_detector.onnx: cannot be read"),
        (["--data", "plain:labels.json", "--data", "plain:labels.json"], 'two data sets are named "labels"'),
        (["--data", "plain:labels.json", "--models", "a=x", "--models", "a=y"], 'two models are named "a"'),
        (["--data", "plain:labels.json", "--points", "68"], '--points "68": expected NAME=RANGES'),
        (["--data", "plain:labels.json", "--points", "nose=27-99"], "of iBUG points 0 to 67"),
        (["--data", "plain:labels.json", "--iou", "0"], "--iou is 0.0, expected above 0"),
    ],
)
def test_wrong_calls_are_told_in_one_line(
    stills: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(stills.parent)
    assert evaluate(*arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
