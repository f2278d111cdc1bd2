# SPDX-License-Identifier: Apache-2.0
"""Teachers: where their points are in the image, and what is said when one cannot be used."""

from __future__ import annotations

import importlib.util
import stat
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from dummy_models import face_aspect

from thermal_fld_ros.datasets.colour import sampled_colour
from thermal_fld_ros.distillation.networks import network_of
from thermal_fld_ros.labelling.teachers import RgbTeacher, TeacherError, open_teacher
from thermal_fld_ros.perception.cropping import crop_from_box, crop_from_points

from .conftest import TO_RGB, rgb_pixels, truth

CONFIG = {
    "task": "distillation", "modality": "rgb", "size": 64, "crop_scale": 1.5,
    "network": {"stem": 4, "widths": [4, 8, 8], "depths": [1, 1, 1], "neck": 8, "bins": 16, "hidden": 8},
}  # fmt: skip


def checkpoint(path: Path, **changes: object) -> Path:
    """Of a network for RGB images that nobody has trained."""
    torch.manual_seed(3)
    config = CONFIG | changes
    weights = {f"student.{name}": value for name, value in network_of(config).state_dict().items()}
    torch.save({"config": config, "averaged": weights, "git": "none"}, path)
    return path


@pytest.fixture
def mesh(teacher_python: Path) -> RgbTeacher:
    return open_teacher("mediapipe", str(teacher_python))


def test_the_mesh_is_found_in_the_image_and_in_a_box(mesh: RgbTeacher) -> None:
    place = (70.0, 55.0)
    image = np.ascontiguousarray(rgb_pixels(place, 0)[:, :, ::-1])
    wanted = TO_RGB(truth(place))
    width = 40 * TO_RGB.scale
    box = [*(TO_RGB(place) - (0.4 * width, 0.6 * width)), width, width * face_aspect()]
    assert mesh.finds
    for found in (mesh(image), mesh(image, [box])):
        assert len(found) == 1 and found[0] is not None
        assert np.abs(found[0].points - wanted).max() < 2.0
        assert found[0].confidence[17:].min() == 1.0 and found[0].confidence[:17].max() < 1.0
    assert mesh(np.zeros_like(image)) == []
    assert mesh(image, [[0, 0, 20, 20], box])[0] is None
    mesh.close()


@pytest.mark.parametrize("centre", [40, 300, 503, 700, 955])
@pytest.mark.parametrize("turned", [False, True])
def test_a_face_that_is_small_in_a_wide_image_is_found_in_a_part_of_it(
    mesh: RgbTeacher, centre: int, turned: bool
) -> None:
    image = np.zeros((200, 1000, 3), np.uint8)
    cv2.ellipse(image, (centre, 100), (30, 40), 0, 0, 360, (200, 200, 200), cv2.FILLED)
    image = np.ascontiguousarray(image.transpose(1, 0, 2)) if turned else image
    found = mesh(image)
    assert len(found) == 1 and found[0] is not None
    low, high = found[0].points.min(axis=0), found[0].points.max(axis=0)
    assert (low + high) / 2 == pytest.approx((100, centre) if turned else (centre, 100), abs=1)
    mesh.close()


def test_an_environment_without_mediapipe_is_named(tmp_path: Path) -> None:
    if importlib.util.find_spec("mediapipe"):
        pytest.skip("mediapipe is installed here")
    with pytest.raises(TeacherError, match=r"No module named 'mediapipe'; pip install .*--teacher-python"):
        open_teacher("mediapipe")


def test_a_process_that_ends_is_told_with_what_it_said(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("""#!/bin/sh\necho '{"mediapipe": "x"}'\nread line\necho "out of memory" >&2\nexit 3\n""")
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    teacher = open_teacher("mediapipe", str(python))
    with pytest.raises(TeacherError, match="MediaPipe ended with status 3: out of memory"):
        teacher(np.zeros((400, 400, 3), np.uint8))


def test_a_network_looks_twice_and_answers_in_the_images_pixels(tmp_path: Path) -> None:
    teacher = open_teacher(str(checkpoint(tmp_path / "teacher.pt")))
    image = np.random.default_rng(0).integers(0, 255, (200, 240, 3), np.uint8)
    boxes = [[60, 50, 60, 70], [100, 80, 50, 50]]
    found = teacher(image, boxes)
    network = network_of(CONFIG)
    state = torch.load(tmp_path / "teacher.pt", weights_only=True)["averaged"]
    network.load_state_dict({name.removeprefix("student."): value for name, value in state.items()})
    for box, face in zip(boxes, found, strict=True):
        crop = crop_from_box(box, 64, 1.5)
        for _ in range(2):
            pixels = sampled_colour(image, crop, (64, 64)).astype(np.float32).transpose(2, 0, 1)[None] / 255
            with torch.inference_mode():
                inside = network.eval()(torch.from_numpy(pixels)).points[0].numpy() * 64 + 31.5
            points = crop(inside)
            crop = crop_from_points(points, 64, 1.5)
        assert face is not None
        assert np.abs(face.points - points).max() < 0.05
        assert ((face.confidence > 0) & (face.confidence < 1)).all()
    assert teacher(image, []) == []
    assert not teacher.finds
    with pytest.raises(ValueError, match="needs their boxes"):
        teacher(image)


def test_what_is_no_teacher_is_named(tmp_path: Path) -> None:
    with pytest.raises(TeacherError, match="modality thermal, expected a landmark network for rgb"):
        open_teacher(str(checkpoint(tmp_path / "thermal.pt", modality="thermal")))
    (tmp_path / "text.pt").write_text("no checkpoint")
    with pytest.raises(TeacherError, match=r"text\.pt: this is not a checkpoint"):
        open_teacher(str(tmp_path / "text.pt"))
    with pytest.raises(TeacherError, match="no such file"):
        open_teacher("mediapipes", sys.executable)
