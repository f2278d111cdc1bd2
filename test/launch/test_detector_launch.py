# SPDX-License-Identifier: Apache-2.0
"""The launch file with the real launch system, where it is installed: what a person sees after `ros2 launch`."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

for required in ("launch_ros", "rclpy", "ament_index_python"):
    pytest.importorskip(required)

from dummy_models import face_scene
from launch_rig import PROFILES, SHARE, Launched, environment_of
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.srv import GetParameters
from sensor_msgs.msg import Image

from thermal_fld_ros.msg import FaceLandmarksArray
from thermal_fld_ros.nodes.messages import image_from_array
from thermal_fld_ros.perception.models import DETECTOR_FILE, LANDMARKS_FILE


@pytest.fixture
def start(tmp_path: Path, dummy_models: Path) -> Iterator[Callable[..., Launched]]:
    running: list[Launched] = []

    def start(environment: dict[str, str] | None = None, **arguments: str) -> Launched:
        models = {
            "detector_model": str(dummy_models / DETECTOR_FILE),
            "landmark_model": str(dummy_models / LANDMARKS_FILE),
        }
        environment = environment or dict(os.environ)
        running.append(
            Launched("detector.launch.py", "thermal_fld_detector", tmp_path, environment, **models, **arguments)
        )
        return running[-1]

    yield start
    for launched in running:
        launched.close()


def test_node_comes_up_active_on_the_given_topics_and_ends_with_the_launch(start: Callable[..., Launched]) -> None:
    launched = start(image="thermal/raw", face_landmarks="faces", unit="centikelvin", rotate="90")
    results: list[FaceLandmarksArray] = []
    launched.node.create_subscription(FaceLandmarksArray, "faces", results.append, 10)
    images = launched.node.create_publisher(Image, "thermal/raw", 1)
    scene = image_from_array(face_scene((160, 120), [(80.0, 60.0, 40.0)]), FaceLandmarksArray().header)

    launched.wait_for(lambda: launched.state() == "active", "the state active")

    def answered() -> bool:
        images.publish(scene)
        return bool(results)

    launched.wait_for(answered, "a result")
    assert (results[0].image_width, results[0].image_height) == (160, 120)

    names = GetParameters.Request(names=["unit", "rotate"])
    unit, rotate = launched.call(GetParameters, "get_parameters", names).values
    assert (unit.string_value, rotate.integer_value) == ("centikelvin", 90)

    pid = launched.node_pid()
    assert launched.interrupt() == 0
    assert not Path(f"/proc/{pid}").exists()


def test_without_autostart_the_transitions_are_the_managers(start: Callable[..., Launched]) -> None:
    launched = start(autostart="false")
    assert launched.state() == "unconfigured"
    for transition, state in (
        (Transition.TRANSITION_CONFIGURE, "inactive"),
        (Transition.TRANSITION_ACTIVATE, "active"),
    ):
        request = ChangeState.Request()
        request.transition.id = transition
        assert launched.call(ChangeState, "change_state", request).success
        assert launched.state() == state


def test_respawned_node_comes_back_active(start: Callable[..., Launched]) -> None:
    launched = start(respawn="true")
    launched.wait_for(lambda: launched.state() == "active", "the state active")
    os.kill(launched.node_pid(), signal.SIGKILL)
    launched.node_pid(start=2)
    launched.wait_for(lambda: launched.log().count("listening on") == 2, "the second start's subscription")


def test_the_packages_dds_profile_is_used(start: Callable[..., Launched]) -> None:
    clean = {name: value for name, value in os.environ.items() if name not in PROFILES}
    environment = environment_of(start(clean).node_pid())
    assert [environment[name] for name in PROFILES] == [str(SHARE / "config/fastdds.xml")] * 2


@pytest.mark.parametrize("name", PROFILES)
def test_a_dds_profile_of_the_user_wins(start: Callable[..., Launched], tmp_path: Path, name: str) -> None:
    users = tmp_path / "profile.xml"
    users.write_text((SHARE / "config/fastdds.xml").read_text())
    clean = {key: value for key, value in os.environ.items() if key not in PROFILES}
    environment = environment_of(start({**clean, name: str(users)}).node_pid())
    assert {key: environment[key] for key in PROFILES if key in environment} == {name: str(users)}


def test_the_parameter_file_of_the_user_is_taken(start: Callable[..., Launched], tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("/**:\n  ros__parameters:\n    unit: kelvin\n    rotate: 180\n")
    launched = start(params_file=str(file), rotate="270")
    names = GetParameters.Request(names=["unit", "rotate"])
    unit, rotate = launched.call(GetParameters, "get_parameters", names).values
    assert (unit.string_value, rotate.integer_value) == ("kelvin", 270)


def test_a_parameter_file_that_is_not_there_is_named(start: Callable[..., Launched]) -> None:
    launched = start(params_file="/nowhere/mine.yaml")
    launched.wait_for(lambda: launched.process.poll() is not None, "the end of the launch")
    assert "the parameter file /nowhere/mine.yaml does not exist (argument params_file of detector)" in launched.log()


def test_who_has_no_profile_is_told_that_the_camera_needs_it_too(start: Callable[..., Launched]) -> None:
    clean = {key: value for key, value in os.environ.items() if key not in PROFILES}
    launched = start(clean)
    launched.wait_for(lambda: str(SHARE / "config/shared_memory.sh") in launched.log(), "the hint")
    shell = f"source {SHARE}/config/shared_memory.sh && env"
    done = subprocess.run(["bash", "-c", shell], env=clean, capture_output=True, text=True, check=True)
    assert {f"{name}={SHARE}/config/fastdds.xml" for name in PROFILES} <= set(done.stdout.splitlines())
