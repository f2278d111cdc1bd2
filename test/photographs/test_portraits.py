# SPDX-License-Identifier: Apache-2.0
"""Photographs to pairs: what `photos` writes is what training reads, at the points of the photograph."""

from __future__ import annotations

import importlib.util
import json
import shutil
import stat
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from dummy_models import face_template
from face_model import write_face_model

from thermal_fld_ros.__main__ import main
from thermal_fld_ros.datasets.hand_marks import BROWS, FRL, FRL_LINES, FRL_POINTS, from_frl
from thermal_fld_ros.datasets.pairs import read_pairs
from thermal_fld_ros.distillation.config import SampleConfig
from thermal_fld_ros.distillation.export import export_weights
from thermal_fld_ros.distillation.fields import plain
from thermal_fld_ros.distillation.pairs import PairSamples
from thermal_fld_ros.perception.normalisation import Normalisation
from thermal_fld_ros.photographs.fitting import fit_face
from thermal_fld_ros.synthesis.morphable import load_morphable_model
from thermal_fld_ros.synthesis.person import Person
from thermal_fld_ros.synthesis.scene import Renderer

from ..labelling.test_teachers import CONFIG as NETWORK
from ..labelling.test_teachers import checkpoint

COUNT = 3
BLUE = (0, 0, 255)
CONFIG = SampleConfig(size=64, crop_scale=1.5, normalisation=Normalisation("percentile", 1.0, 99.0))


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``FaceXModel``, rendered ``photos`` before a blue wall, their ``marks.json``, a ``python`` and a ``network.pt``."""
    folder = tmp_path_factory.mktemp("studio")
    renderer = Renderer(load_morphable_model(write_face_model(folder / "FaceXModel")))
    (folder / "photos").mkdir()
    marks = {}
    for seed in range(COUNT):
        scene = renderer.sample_pair(np.random.default_rng(seed), 200)
        plain = Person(np.zeros_like(scene.people[0].person.identity), np.zeros_like(scene.people[0].person.expression),
                       0.3 * seed - 0.3, 0.0, 0.1 * seed, hair=0.5)  # fmt: skip
        scene = replace(scene, people=[replace(scene.people[0], person=plain)])
        rendering = renderer.render(scene)
        assert rendering.rgb is not None
        wall = cv2.warpAffine(
            (rendering.material == 0).astype(np.uint8), rendering.to_rgb.matrix, rendering.rgb.shape[1::-1]
        )
        photo = np.where(wall[..., None] > 0, np.uint8(BLUE), rendering.rgb)
        cv2.imwrite(str(folder / f"photos/person{seed}_a.png"), photo[:, :, ::-1])
        marks[f"person{seed}_a.png"] = rendering.to_rgb(rendering.faces[0].points).tolist()
    (folder / "marks.json").write_text(json.dumps(marks))
    shutil.copy(Path(__file__).parents[1] / "labelling/fake_face_mesh.py", folder)
    np.save(folder / "template.npy", face_template())
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{folder / "fake_face_mesh.py"}"\n')
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    checkpoint(folder / "network.pt")
    return folder


@pytest.fixture
def photos(studio: Path, tmp_path: Path) -> Callable[..., int]:
    """The command with this studio's things; its exit status."""

    def photos(folder: Path | None = None, **changes: Any) -> int:
        options = {
            "--face-model": studio / "FaceXModel", "--out": tmp_path / "pairs", "--draws": 2, "--marks": studio / "marks.json",
            "--teacher": studio / "network.pt", "--teacher-python": studio / "python",
            **{f"--{key.replace('_', '-')}": value for key, value in changes.items()},
        }  # fmt: skip
        given = [text for pair in options.items() if pair[1] is not None for text in map(str, pair)]
        return main(["photos", str(folder or studio / "photos"), *given])

    return photos


def test_training_reads_the_pairs_and_their_points_lie_where_they_are_marked(
    photos: Callable[..., int], studio: Path, tmp_path: Path
) -> None:
    assert photos(sheet=tmp_path / "sheet.png") == 0
    assert cv2.imread(str(tmp_path / "sheet.png")) is not None
    pairs = read_pairs(tmp_path / "pairs")
    assert len(pairs) == 2 * COUNT
    marks = json.loads((studio / "marks.json").read_text())
    for pair, truth in zip(pairs[::2], marks.values(), strict=True):
        points, truth = pair.face.points, np.array(truth)
        assert points is not None and pair.pixels("thermal").dtype == np.uint16
        fitted = np.linalg.lstsq(np.c_[points, np.ones(68)], truth, rcond=None)[0]  # the crop, undone
        assert np.abs(np.c_[points, np.ones(68)] @ fitted - truth).max() < 0.2
    sample = PairSamples(CONFIG, tmp_path / "pairs", "thermal", "rgb")[0]
    assert (
        sample["image"].shape == (1, 64, 64)
        and sample["teacher_image"].shape == (3, 64, 64)
        and sample["label_weight"].all()
    )


def test_the_person_of_the_photograph_is_the_warm_one(photos: Callable[..., int], tmp_path: Path) -> None:
    assert photos(draws=6) == 0
    apart = []
    for pair in read_pairs(tmp_path / "pairs"):
        celsius = pair.pixels("thermal") / 100 - 273.15
        assert celsius.min() > -60 and celsius.max() < 120
        points = pair.face.points
        assert points is not None
        cheek = celsius[tuple(points[[2, 31]].mean(0).round().astype(int)[::-1])]
        apart.append(cheek - np.median(celsius[:8, :8]))
    assert np.median(apart) > 1  # in most rooms skin is warmer than the wall


def test_what_is_left_out_is_named(
    photos: Callable[..., int], studio: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "photos"
    shutil.copytree(studio / "photos", folder)
    cv2.imwrite(str(folder / "wall.png"), np.zeros((90, 120, 3), np.uint8))
    (folder / "torn.jpg").write_bytes(b"no image")
    shutil.copy(folder / "person0_a.png", folder / "unmarked.png")
    assert photos(folder) == 0
    told = capsys.readouterr().out
    assert "left out: wall.png: no face is found" in told
    assert "left out: torn.jpg: cannot be read as an image" in told
    assert "left out: unmarked.png: the teachers are" in told  # nobody has trained this network
    assert len(read_pairs(tmp_path / "pairs")) == 2 * COUNT


def test_a_mask_without_the_face_is_named(
    photos: Callable[..., int], studio: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photos").mkdir()
    shutil.copy(studio / "photos/person0_a.png", tmp_path / "photos")
    cv2.imwrite(str(tmp_path / "photos/person1_a.png"), np.full((200, 200, 3), BLUE[::-1], np.uint8))
    marks = json.loads((studio / "marks.json").read_text())
    del marks["person2_a.png"]
    (tmp_path / "marks.json").write_text(json.dumps(marks))
    assert photos(tmp_path / "photos", marks=tmp_path / "marks.json") == 0
    told = "left out: person1_a.png: the segmentation takes 100 % of the face for background"
    assert told in capsys.readouterr().out


def test_an_interrupted_run_goes_on(photos: Callable[..., int], tmp_path: Path) -> None:
    assert photos() == 0
    index = tmp_path / "pairs/pairs.jsonl"
    whole = index.read_text()
    first = [json.loads(line) for line in whole.splitlines()[:2]]
    index.unlink()
    entry = {"name": "person0_a.png", "lines": first, "reason": ""}
    (tmp_path / "pairs/pairs.jsonl.part").write_text(json.dumps(entry) + "\n")
    assert photos() == 0
    assert index.read_text() == whole
    assert photos() == 2  # never over another set


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"draws": 0}, "expected 1 or more"),
        ({"face_model": "nowhere"}, "no morphable face at nowhere"),
        ({"teacher": "nowhere.pt"}, "nowhere.pt: no such file"),
        ({"teacher_python": sys.executable}, "thermal_fld_ros[teacher]"),
        ({"folder": Path("nowhere")}, "nowhere: no such folder"),
    ],
)
def test_a_wrong_call_is_named(
    photos: Callable[..., int], capsys: pytest.CaptureFixture[str], changes: dict[str, Any], told: str
) -> None:
    if "teacher_python" in changes and importlib.util.find_spec("mediapipe"):
        pytest.skip("MediaPipe is installed")
    assert photos(**changes) == 2
    assert told in capsys.readouterr().err


def test_sources_without_a_licence_are_refused(
    photos: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sources.json").write_text(json.dumps({"a": {"title": "A", "authors": "B"}}))
    assert photos(sources=tmp_path / "sources.json") == 2
    assert "each with authors, licence, title" in capsys.readouterr().err


def test_the_model_card_names_the_photographs(photos: Callable[..., int], tmp_path: Path) -> None:
    sources = Path(__file__).parents[2] / "config/photos/sources.json"
    assert photos(sources=sources, draws=1) == 0
    config = plain(CONFIG) | {"pairs": {str(tmp_path / "pairs"): 1}, "task": "distillation", "modality": "rgb", "name": "t", "version": "1",
                              "threshold": 0.5, "network": NETWORK["network"]}  # fmt: skip
    checkpoint(tmp_path / "network.pt", **config)
    state = torch.load(tmp_path / "network.pt", weights_only=True) | {"metrics": {}}
    torch.save(state, tmp_path / "network.pt")
    export_weights(tmp_path / "network.pt", tmp_path / "out.pt", "a command")
    card = (tmp_path / "out.md").read_text()
    assert "Face Research Lab London Set (Lisa DeBruine and Benedict Jones, CC BY 4.0)" in card
    assert "no photographs" not in card


def test_marks_of_another_shape_are_named(
    photos: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "marks.json").write_text(json.dumps({"a.png": [[0, 0]] * 5}))
    assert photos(marks=tmp_path / "marks.json") == 2
    assert "a.png has points of shape (5, 2)" in capsys.readouterr().err


def test_the_fitted_face_goes_through_the_points(studio: Path) -> None:
    model = load_morphable_model(studio / "FaceXModel")
    neutral = model.neutral[model.landmarks]
    angle = 0.4
    turned = neutral @ np.array([[np.cos(angle), 0, -np.sin(angle)], [0, 1, 0], [np.sin(angle), 0, np.cos(angle)]])
    points = 100 + 6.0 * turned[:, :2] * [1, -1]
    fit = fit_face(model, points)
    assert np.abs(fit.project(fit.head[model.landmarks])[0] - points).max() < 1.0
    assert abs(fit.camera.scale - 6.0) < 0.3


def test_the_template_of_the_laboratory_is_read_by_number() -> None:
    marks = np.stack([np.arange(FRL), np.zeros(FRL)], 1).astype(float)
    points = from_frl(marks)
    known = {*FRL_POINTS, *(k for some in (*FRL_LINES, *BROWS) for k in some)}
    assert {k for k in range(68) if np.isfinite(points[k]).all()} == known
    assert all(points[k, 0] == number for k, number in FRL_POINTS.items())
