# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image

from thermal_fld_ros.nodes.messages import array_from_image
from thermal_fld_ros.nodes.replay import ReplayNode
from thermal_fld_ros.recordings.source import SourceError

GENEROUS = 30.0
FRAMES = np.random.default_rng(0).integers(0, 65536, (5, 6, 8), dtype=np.uint16)


class Stage:
    """A replay and a subscriber, spun together."""

    def __init__(self, clip: Path, **parameters: Any) -> None:
        values = {"input": str(clip), "wait_for_subscribers": 1, **parameters}
        self.received: list[Image] = []
        self.replay = ReplayNode(parameter_overrides=[Parameter(name, value=value) for name, value in values.items()])
        self.viewer = rclpy.create_node("viewer")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.replay)
        self._executor.add_node(self.viewer)

    def look(self) -> None:
        self.viewer.create_subscription(Image, "image", self.received.append, qos_profile_sensor_data)

    def spin_until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + GENEROUS
        while not condition():
            assert time.monotonic() < end, f"{len(self.received)} images arrived"
            self._executor.spin_once(timeout_sec=0.05)

    def spin_some(self, times: int) -> None:
        for _ in range(times):
            self._executor.spin_once(timeout_sec=0.01)

    def close(self) -> None:
        self._executor.shutdown()
        self.replay.destroy_node()
        self.viewer.destroy_node()


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    np.savez(tmp_path / "clip.npz", frames=FRAMES, fps=40.0)
    return tmp_path / "clip.npz"


@pytest.fixture
def stage(ros: None, clip: Path) -> Iterator[Callable[..., Stage]]:
    stages: list[Stage] = []

    def make(**parameters: Any) -> Stage:
        stages.append(Stage(clip, **parameters))
        return stages[-1]

    yield make
    for made in stages:
        made.close()


def test_images_arrive_as_they_were_recorded_in_their_order(stage: Callable[..., Stage]) -> None:
    play = stage(frame_id="thermal_optical")
    assert play.replay.rate == 40.0
    play.look()
    play.spin_until(lambda: play.replay.finished)
    assert play.replay.published == 5
    assert [image.encoding for image in play.received] == ["mono16"] * 5
    assert {image.header.frame_id for image in play.received} == {"thermal_optical"}
    np.testing.assert_array_equal([array_from_image(image) for image in play.received], FRAMES)
    stamps = [(image.header.stamp.sec, image.header.stamp.nanosec) for image in play.received]
    assert stamps == sorted(set(stamps))


def test_nothing_is_played_before_somebody_looks(stage: Callable[..., Stage]) -> None:
    play = stage(rate=1000.0)
    play.spin_some(50)
    assert play.replay.published == 0
    play.look()
    play.spin_until(lambda: len(play.received) == 5)


def test_a_loop_goes_on_from_the_beginning(stage: Callable[..., Stage]) -> None:
    play = stage(loop=True, rate=100.0)
    play.look()
    play.spin_until(lambda: len(play.received) >= 11)
    np.testing.assert_array_equal(array_from_image(play.received[10]), FRAMES[0])
    assert not play.replay.finished


def test_an_input_that_is_not_there_is_named(ros: None, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nothing\.npz"):
        Stage(tmp_path / "nothing.npz")


def test_without_an_input_nothing_is_played(ros: None) -> None:
    with pytest.raises(SourceError, match="the parameter input is empty"):
        Stage(Path(), input="")


def test_every_image_has_a_camera_info_of_the_assumed_field_of_view(stage: Callable[..., Stage]) -> None:
    play = stage(field_of_view=60.0)
    infos: list[CameraInfo] = []
    play.viewer.create_subscription(CameraInfo, "camera_info", infos.append, qos_profile_sensor_data)
    play.look()
    play.spin_until(lambda: play.replay.finished)
    assert infos and {info.header.stamp.nanosec for info in infos} <= {i.header.stamp.nanosec for i in play.received}
    assert (infos[0].width, infos[0].height) == (8, 6)
    assert infos[0].k[0] == pytest.approx(4 / np.tan(np.radians(30))) and infos[0].k[2] == 3.5
