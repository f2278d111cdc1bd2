# SPDX-License-Identifier: Apache-2.0
"""From recordings to a registration, by the command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from capture_messages import TOPICS, camera_info, image, transforms
from numpy.typing import NDArray

from thermal_fld_ros.__main__ import main
from thermal_fld_ros.capture.bag import BagWriter
from thermal_fld_ros.labelling.folder import strike
from thermal_fld_ros.perception.camera import Camera
from thermal_fld_ros.perception.geometry import Affine
from thermal_fld_ros.perception.pose import HEAD_POINTS
from thermal_fld_ros.recordings.messages import CAMERA_INFO, TF_MESSAGE, Topic
from thermal_fld_ros.registration.camera import fields_of
from thermal_fld_ros.registration.registration import CameraPair, Registration, read_registration

from .conftest import SECOND, START, TO_RGB, Place, episode, places, plain_bag, rgb_pixels, thermal_pixels

Register = Callable[..., int]
MATRIX = [*TO_RGB.matrix.tolist(), [0, 0, 1]]


@pytest.fixture
def register(dummy_models: Path, teacher_python: Path) -> Register:
    """The command with these models and this teacher; its exit status."""

    def register(*arguments: Any) -> int:
        networks = ("--models", dummy_models, "--teacher-python", teacher_python, "--unit", "centikelvin")
        return main(["register", *map(str, (*arguments, *networks))])

    return register


def corners_missed(registration: Registration) -> float:
    corners = np.array([(40.0, 30.0), (120, 30), (120, 90), (40, 90)])
    return float(np.linalg.norm(registration.to_rgb(corners) - TO_RGB(corners), axis=1).max())


def test_faces_in_both_images_make_a_registration(
    register: Register, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at: list[Place | None] = [*places(12), None]
    bags = [episode(tmp_path / name, at, name, seed) for seed, name in enumerate(("s01", "s02"))]
    out = tmp_path / "new" / "registration.json"
    assert register(*bags, "--out", out) == 0
    assert corners_missed(read_registration(out)) < 5.0
    said = capsys.readouterr().out
    assert "24 views; thermal 160 x 120, RGB 420 x 320 px" in said
    assert "left out: 2 pairs, no face in the thermal image" in said
    about = json.loads(out.read_text())["about"]
    assert about["views"] == 24 and about["left_out"] == {"no face in the thermal image": 2}
    assert about["residual"]["median"] < 4.0 and about["held_out"]["median"] < 4.0
    assert about["model"] in about["compared"]
    assert about["command"].startswith(f"python -m thermal_fld_ros register {bags[0]} {bags[1]} --out {out} ")
    picture = cv2.imread(str(out.with_suffix(".png")))
    assert picture is not None and picture.std() > 10
    # the loop goes on with it
    assert register(*bags, "--measure", out) == 0
    said = capsys.readouterr().out
    assert "residual: median" in said and "left out" not in said.partition("points in")[2]
    assert (out.parent / "registration_measured.png").is_file()


def test_pairs_are_taken_evenly(register: Register, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bag = episode(tmp_path / "bag", places(12))
    assert register(bag, "--out", tmp_path / "r.json", "--max-pairs", 5, "--model", "similarity") == 0
    assert "5 views" in capsys.readouterr().out


def test_pairs_of_a_plain_bag_are_taken_evenly(
    register: Register, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stamps = [START + k * SECOND for k in range(12)]
    at = dict(zip(stamps, places(12), strict=True))
    thermal = {t: image(thermal_pixels(place, 0), "mono16", t) for t, place in at.items()}
    rgb = {t + 1: image(rgb_pixels(place, 0), "bgr8", t) for t, place in at.items() if t != START}
    bag = plain_bag(tmp_path / "bag", thermal, rgb)
    topics = ("--thermal-topic", "/thermal/image", "--rgb-topic", "/rgb/image")
    assert register(bag, *topics, "--out", tmp_path / "r.json", "--max-pairs", 5, "--model", "similarity") == 0
    said = capsys.readouterr().out
    assert "5 views" in said and "left out: 1 pairs, no RGB image at its time" in said


def test_what_a_review_struck_does_not_count(
    register: Register, dataset: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bag, whole, cut = episode(tmp_path / "bag", places(8)), tmp_path / "whole", tmp_path / "cut"
    assert dataset(whole, bag, "--frames") == 0
    assert dataset(cut, bag) == 0
    strike(whole, {0: "wrong face", 3: "blurred"})
    capsys.readouterr()
    assert register(whole, "--out", tmp_path / "r.json", "--model", "similarity") == 0
    said = capsys.readouterr().out
    assert "6 views; thermal 160 x 120, RGB 420 x 320 px" in said
    assert "left out: 2 pairs, struck by a review" in said
    assert corners_missed(read_registration(tmp_path / "r.json")) < 5.0
    assert register(cut, "--out", tmp_path / "r.json") == 2
    assert "its images are cut out around faces" in capsys.readouterr().err


def test_images_that_lie_on_their_side(register: Register, tmp_path: Path) -> None:
    """The registration is between the images as they come."""
    (tmp_path / "images").mkdir()
    for number, place in enumerate(places(10)):
        cv2.imwrite(str(tmp_path / f"images/{number}_thermal.png"), np.rot90(thermal_pixels(place, number), -1))
        cv2.imwrite(str(tmp_path / f"images/{number}_rgb.png"), np.rot90(rgb_pixels(place, number)))
    out = tmp_path / "r.json"
    assert (
        register(tmp_path / "images", "--rotate", 270, "--rgb-rotate", 90, "--model", "similarity", "--out", out) == 0
    )
    thermal, rgb = Affine.quarter_turns(270, (120, 160)), Affine.quarter_turns(90, (320, 420))
    points = np.array([(40.0, 40.0), (80, 120), (60, 60)])
    expected = (rgb.inverse() @ TO_RGB @ thermal)(points)
    assert np.linalg.norm(read_registration(out).to_rgb(points) - expected, axis=1).max() < 5.0


def test_nothing_to_register_by(register: Register, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bag = episode(tmp_path / "bag", [None, None])
    assert register(bag, "--out", tmp_path / "r.json") == 1
    said = capsys.readouterr()
    assert "left out: 2 pairs, no face in the thermal image" in said.out
    assert "could not be estimated: found 0 corresponding points in 0 views" in said.err
    assert not (tmp_path / "r.json").exists()


# --- calibrated cameras

THERMAL_CAMERA = Camera(np.array([[380.0, 0, 159.5], [0, 380, 127.5], [0, 0, 1]]), np.zeros(5), (320, 256))
RGB_CAMERA = Camera(np.array([[600.0, 0, 319.5], [0, 600, 239.5], [0, 0, 1]]), np.array([-0.1, 0, 0, 0]), (640, 480))
TRUE = CameraPair(THERMAL_CAMERA, RGB_CAMERA, np.eye(3), np.array([-0.2, 0.0, 0.0]), 1.0)
"""The RGB camera stands 0.2 m to the right of the thermal one."""

OPTICAL = (-0.5, 0.5, -0.5, 0.5)
"""Of an optical frame in one that looks along x (REP-103)."""


@pytest.fixture
def known(tmp_path: Path) -> Path:
    """A folder with calibrations, transforms, one pair of images, and points of faces as both cameras see them."""
    rng = np.random.default_rng(0)
    facing = np.array([[0, 0, -1.0], [1, 0, 0], [0, -1, 0]])
    views = []
    for _ in range(12):
        turn = np.asarray(cv2.Rodrigues(rng.normal(0, 0.2, 3))[0])
        z = rng.uniform(0.6, 2.0)
        space = HEAD_POINTS[27:55] @ facing @ turn.T + np.array([rng.uniform(-0.2, 0.2), rng.uniform(-0.2, 0.2), 1]) * z
        rgb: NDArray[Any] = RGB_CAMERA.project(space + TRUE.translation)
        views.append({"thermal": THERMAL_CAMERA.project(space).tolist(), "rgb": rgb.tolist(),
                      "model": HEAD_POINTS[27:55].tolist()})  # fmt: skip
    (tmp_path / "points.json").write_text(json.dumps({"views": views}))
    for name, camera in (("thermal", THERMAL_CAMERA), ("rgb", RGB_CAMERA)):
        (tmp_path / f"{name}.json").write_text(json.dumps(fields_of(camera)))
        cv2.imwrite(str(tmp_path / f"a_{name}.png"), np.zeros((camera.size[1], camera.size[0], 3), np.uint8))
    bag = BagWriter(tmp_path / "tf", "mcap", [Topic("/tf_static", TF_MESSAGE)])
    bag.write(
        1,
        {
            "/tf_static": transforms(
                ("base", "thermal", (0.1, 0, 0.5), OPTICAL), ("base", "rgb", (0.1, -0.2, 0.5), OPTICAL)
            )
        },
    )
    bag.close()
    return tmp_path


def cameras(known: Path, *more: Any) -> list[str]:
    given = ("--model", "cameras", "--thermal-camera", known / "thermal.json", "--rgb-camera", known / "rgb.json",
             "--out", known / "r.json", *more)  # fmt: skip
    return ["register", *map(str, given)]


def test_extrinsics_of_points_with_a_model(known: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*cameras(known), str(known), "--points", str(known / "points.json")]) == 0
    found = read_registration(known / "r.json")
    assert isinstance(found, CameraPair)
    assert np.allclose(found.translation, TRUE.translation, atol=1e-3) and np.allclose(
        found.rotation, np.eye(3), atol=1e-3
    )
    assert 0.6 < found.distance < 2.0
    assert "translation -200, 0, 0 mm" in capsys.readouterr().out.replace("-0,", "0,")


def test_extrinsics_of_tf_are_measured(known: Path) -> None:
    given = ("--extrinsics", known / "tf", "--frames", "thermal", "rgb", "--points", known / "points.json")
    assert main([*cameras(known, *given), str(known)]) == 0
    content = json.loads((known / "r.json").read_text())
    assert np.allclose(content["translation"], TRUE.translation) and content["about"]["residual"]["median"] < 3.0


def test_a_registration_of_what_is_known_needs_no_recording(known: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ("--extrinsics", known / "tf", "--frames", "thermal", "rgb", "--distance", "1.5")
    assert main(cameras(known, *given)) == 0
    found = read_registration(known / "r.json")
    assert isinstance(found, CameraPair) and found.distance == 1.5
    assert np.allclose(found.to_rgb((100.0, 90.0)), TRUE.to_rgb((100.0, 90.0), 1.5))
    assert "nothing was measured" in capsys.readouterr().out


def test_calibration_and_frames_come_from_the_bag(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Camera_info tells intrinsics and frames; it is for 32 x 24 pixels, and so are these images."""
    topics = [*TOPICS.values(), Topic("/thermal/camera_info", CAMERA_INFO), Topic("/rgb/camera_info", CAMERA_INFO)]
    bag = BagWriter(tmp_path / "bag", "mcap", [*topics, Topic("/tf_static", TF_MESSAGE)])
    messages = {"/thermal/image": image(np.zeros((24, 32), np.uint16), "mono16"),
                "/rgb/image": image(np.zeros((24, 32, 3), np.uint8), "bgr8")}  # fmt: skip
    bag.write(1, {"/tf_static": transforms(("base", "camera", (0, 0, 0), OPTICAL))})
    bag.write(2, messages | {topic.name: camera_info() for topic in topics if topic.type == CAMERA_INFO})
    bag.close()
    (tmp_path / "points.csv").write_text(
        "thermal_x,thermal_y,rgb_x,rgb_y\n" + "".join(f"{x},5,{x},5\n" for x in range(9))
    )
    arguments = [tmp_path / "bag", "--thermal-topic", "/thermal/image", "--rgb-topic", "/rgb/image", "--model", "cameras",
                 "--thermal-camera", "/thermal/camera_info", "--rgb-camera", "/rgb/camera_info", "--extrinsics", tmp_path / "bag",
                 "--points", tmp_path / "points.csv", "--distance", 2.0, "--out", tmp_path / "r.json"]  # fmt: skip
    assert main(["register", *map(str, arguments)]) == 0
    found = read_registration(tmp_path / "r.json")
    assert isinstance(found, CameraPair) and found.thermal.matrix[0, 0] == 300.0 and found.thermal.size == (32, 24)
    assert np.allclose(found.to_rgb((3.0, 4.0)), (3.0, 4.0)), "both cameras are in one frame"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "neither --out nor --measure"),
        (["--out", "r.json"], "expected recordings"),
        (["{folder}", "--out", "r.json", "--max-pairs", "0"], "--max-pairs 0: expected 1 or more"),
        (["none", "--out", "r.json"], "none: no such file or folder"),
        (["{folder}", "--out", "r.json", "--board", "8"], 'board "8": expected the inner corners'),
        (["{folder}", "--out", "r.json", "--distance", "1"], "--distance can only be used with --model cameras"),
        (["{folder}", "--out", "r.json", "--model", "cameras"], "the thermal camera is not calibrated: no camera_info"),
        (["{folder}", "--out", "r.json", "--model", "cameras", "--thermal-camera", "{folder}/thermal.json",
          "--rgb-camera", "{folder}/rgb.json", "--extrinsics", "{folder}/tf"], "--frames THERMAL RGB"),
        (["{folder}", "--out", "r.json", "--model", "cameras", "--thermal-camera", "{folder}/rgb.json",
          "--rgb-camera", "{folder}/rgb.json", "--points", "{folder}/points.json"], "calibrated for 640 x 480 px, the images"),
        (["--out", "r.json", "--points", "{folder}/points.json"], "whose first pair gives"),
    ],
)  # fmt: skip
def test_wrong_calls_are_named(
    known: Path, arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["register", *(text.format(folder=known) for text in arguments)]) in (1, 2)
    assert complaint in capsys.readouterr().err
