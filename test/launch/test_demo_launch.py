# SPDX-License-Identifier: Apache-2.0
"""The demo's launch file with the real launch system, where it is installed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

for required in ("launch_ros", "rclpy", "ament_index_python"):
    pytest.importorskip(required)

from dummy_models import face_scene
from launch_rig import Launched

from thermal_fld_ros.msg import FaceLandmarksArray
from thermal_fld_ros.perception.models import DETECTOR_FILE, LANDMARKS_FILE


@pytest.fixture
def start(tmp_path: Path, dummy_models: Path) -> Iterator[Callable[..., Launched]]:
    running: list[Launched] = []

    def start(**arguments: str) -> Launched:
        models = {
            "detector_model": str(dummy_models / DETECTOR_FILE),
            "landmark_model": str(dummy_models / LANDMARKS_FILE),
        }
        running.append(
            Launched("demo.launch.py", "thermal_fld_detector", tmp_path, dict(os.environ), **models, **arguments)
        )
        return running[-1]

    yield start
    for launched in running:
        launched.close()


def test_a_recording_is_played_and_its_faces_are_found(start: Callable[..., Launched], tmp_path: Path) -> None:
    frames = [face_scene((160, 120), [(80.0, 60.0, 40.0)], seed=k) for k in range(30)]
    np.savez(tmp_path / "clip.npz", frames=np.stack(frames), fps=30.0, unit="centikelvin")
    launched = start(input=str(tmp_path / "clip.npz"))
    results: list[FaceLandmarksArray] = []
    launched.node.create_subscription(FaceLandmarksArray, "face_landmarks", results.append, 10)
    launched.wait_for(lambda: results and results[-1].faces, "a face")
    face = results[-1].faces[0]
    temperatures = dict(zip(face.temperature_names, face.temperatures, strict=True))
    assert temperatures["nose"] == pytest.approx(34.85, abs=0.5), "the unit is the recording's"
    assert f"rqt_image_view {launched.namespace}/thermal_fld_detector/overlay" in launched.log()
    assert launched.interrupt() == 0


def test_a_device_starts_the_camera_node_which_waits_for_it(start: Callable[..., Launched], tmp_path: Path) -> None:
    launched = start(device=str(tmp_path / "video9"), unit="kelvin_64")
    launched.wait_for(lambda: "cannot be opened as a video device" in launched.log(), "what the camera node says")
    launched.wait_for(lambda: launched.state() == "active", "the state active")
    assert launched.interrupt() == 0
