# SPDX-License-Identifier: Apache-2.0
"""Launch files of several nodes, with the real launch system where it is installed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

for required in ("launch_ros", "rclpy", "ament_index_python"):
    pytest.importorskip(required)

from dummy_models import face_scene
from launch_rig import PROFILES, SHARE, Launched
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image

from thermal_fld_ros.msg import FaceErgonomicsArray, FaceLandmarksArray
from thermal_fld_ros.nodes.messages import image_from_array
from thermal_fld_ros.perception.models import DETECTOR_FILE, LANDMARKS_FILE

Start = Callable[..., Launched]


@pytest.fixture
def start(tmp_path: Path, dummy_models: Path) -> Iterator[Start]:
    running: list[Launched] = []

    def start(file: str, name: str, **arguments: str) -> Launched:
        models = {
            "detector_model": str(dummy_models / DETECTOR_FILE),
            "landmark_model": str(dummy_models / LANDMARKS_FILE),
        }
        running.append(Launched(file, name, tmp_path, dict(os.environ), **models, unit="centikelvin", **arguments))
        return running[-1]

    yield start
    for launched in running:
        launched.close()


def scene() -> Image:
    return image_from_array(face_scene((160, 120), [(80.0, 60.0, 40.0)]), FaceLandmarksArray().header)


def test_the_detector_and_the_ergonomics_node_come_up_together(start: Start) -> None:
    launched = start("ergonomics.launch.py", "thermal_fld_ergonomics", image="raw", face_ergonomics="people")
    people: list[FaceErgonomicsArray] = []
    launched.node.create_subscription(FaceErgonomicsArray, "people", people.append, 10)
    images = launched.node.create_publisher(Image, "raw", QoSProfile(depth=1))

    def answered() -> bool:
        images.publish(scene())
        return any(message.faces for message in people)

    launched.wait_for(answered, "a result of the second node")
    assert launched.state() == "active"
    assert launched.interrupt() == 0


def test_each_camera_has_a_detector_in_its_namespace(start: Start) -> None:
    launched = start("cameras.launch.py", "front/thermal_fld_detector", cameras="front, rear", image="image_raw")
    results: dict[str, list[FaceLandmarksArray]] = {"front": [], "rear": []}
    images = {}
    for camera, heard in results.items():
        launched.node.create_subscription(FaceLandmarksArray, f"{camera}/face_landmarks", heard.append, 10)
        images[camera] = launched.node.create_publisher(Image, f"{camera}/image_raw", QoSProfile(depth=1))

    def answered() -> bool:
        for publisher in images.values():
            publisher.publish(scene())
        return all(any(message.faces for message in heard) for heard in results.values())

    launched.wait_for(answered, "results of both")
    ids = {face.id[:4] for heard in results.values() for message in heard for face in message.faces}
    assert len(ids) == 2, "ids of two detectors differ"
    assert launched.state() == "active"


def test_two_robots_of_different_namespaces_do_not_hear_each_other(start: Start) -> None:
    robots = [start("detector.launch.py", "thermal_fld_detector") for _ in range(2)]
    heard: list[list[FaceLandmarksArray]] = [[], []]
    cameras = []
    for robot, results in zip(robots, heard, strict=True):
        robot.node.create_subscription(FaceLandmarksArray, "face_landmarks", results.append, 10)
        cameras.append(robot.node.create_publisher(Image, "image", QoSProfile(depth=1)))
        assert robot.state() == "active"
    for own, other in ((0, 1), (1, 0)):
        before = len(heard[other])

        def answered(own: int = own) -> bool:
            cameras[own].publish(scene())
            return bool(heard[own] and heard[own][-1].faces)

        robots[own].wait_for(answered, "a result")
        turns = iter(range(20))
        robots[other].wait_for(lambda: next(turns) == 19, "what it may have heard")  # noqa: B023
        assert len(heard[other]) == before
    assert heard[0][-1].faces[0].id[:4] != heard[1][-1].faces[0].id[:4], "ids are unique over robots too"


def test_cameras_of_the_same_name_are_refused(start: Start) -> None:
    launched = start("cameras.launch.py", "", cameras="front,front")
    launched.wait_for(lambda: launched.process.poll() is not None, "the end of the launch")
    assert "expected different names" in launched.log()


def test_a_driver_that_is_launched_after_the_profile_has_it(tmp_path: Path) -> None:
    file = tmp_path / "driver.launch.py"
    file.write_text(
        f"""
from launch import LaunchDescription
from launch.actions import ExecuteProcess, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

def generate_launch_description():
    profile = PythonLaunchDescriptionSource({str(SHARE / "launch/shared_memory.launch.py")!r})
    driver = ExecuteProcess(cmd=["sh", "-c", "env > {tmp_path}/environment"])
    return LaunchDescription([IncludeLaunchDescription(profile), driver])
"""
    )
    clean = {key: value for key, value in os.environ.items() if key not in PROFILES}
    launched = Launched(str(file), "", tmp_path, clean)
    try:
        launched.wait_for(lambda: launched.process.poll() is not None, "the end of the launch")
        environment = (tmp_path / "environment").read_text().splitlines()
        assert {f"{name}={SHARE}/config/fastdds.xml" for name in PROFILES} <= set(environment)
    finally:
        launched.close()
