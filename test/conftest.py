# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# DDS stays on this host, in a domain of this run's own, and of each of its workers: they must not hear each other.
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
if os.environ.get("ROS_DISTRO") == "humble":
    os.environ["ROS_LOCALHOST_ONLY"] = "1"
domain = int(os.environ.get("ROS_DOMAIN_ID") or random.randint(10, 99))
worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
os.environ["ROS_DOMAIN_ID"] = str(10 + (domain - 10 + worker) % 90)

# Tests that run in a shell's background, or under nohup, are deaf to signals, and so would be the processes that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# A busy machine is no failure.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--slow", action="store_true", help="also the tests marked slow: whole trainings and loops, long fuzz"
    )
    parser.addoption(
        "--long", action="store_true", help="fuzz, faults and soaks at full length, which takes an hour; implies --slow"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not (config.getoption("--slow") or config.getoption("--long")):
        for item in items:
            if item.get_closest_marker("slow"):
                item.add_marker(pytest.mark.skip(reason="slow: run with --slow"))


@pytest.fixture(scope="session")
def effort(pytestconfig: pytest.Config) -> Callable[[int, int], int]:
    """How often to try: the first number, or the second with --long."""
    return lambda short, long: long if pytestconfig.getoption("--long") else short


@pytest.fixture(scope="session")
def ros() -> Iterator[None]:
    """ROS 2, once for all tests."""
    import rclpy

    rclpy.init()
    yield
    rclpy.try_shutdown()


@pytest.fixture(scope="session")
def dummy_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a face_detector.onnx and a face_landmarks.onnx that find warm ellipses."""
    pytest.importorskip("onnx", reason="the dummy models are made with onnx: pip install '.[dev]'")
    from dummy_models import write_dummy_models

    return write_dummy_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def interfaces(pytestconfig: pytest.Config) -> None:
    """hri_msgs, tf2_msgs and foxglove_msgs: the installed ones, or their like built for the tests."""
    from optional_interfaces import provide

    assert pytestconfig.cache is not None
    provide(pytestconfig.cache.mkdir("interfaces"))


OPTIONAL = ("matplotlib", "numba", "onnx", "tensorboard", "torch", "tqdm")
"""What rosdep does not bring, or brings on wish only: a test module that needs one of these is skipped where it is missing."""


class OptionalModule(pytest.Module):
    """A test module that is skipped, with the reason, where an optional library is not installed."""

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        try:
            return list(super().collect())
        except pytest.Collector.CollectError as error:
            missing = error.__cause__
            if isinstance(missing, ModuleNotFoundError) and (missing.name or "").split(".")[0] in OPTIONAL:
                pytest.skip(f"{missing.name} is not installed: pip install '.[dev]'", allow_module_level=True)
            raise


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module:
    return OptionalModule.from_parent(parent, path=module_path)
