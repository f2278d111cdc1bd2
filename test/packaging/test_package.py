# SPDX-License-Identifier: Apache-2.0
"""The package as it is installed: by colcon, by pip, and run from the source folder."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NODES = ("capture", "demo_recorder", "detector", "film", "replay")
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv*", ".*_cache", "build", "install", "log", "runs", "demo_output", "__pycache__", "*.egg-info"
)

needs_ros = pytest.mark.skipif(importlib.util.find_spec("rclpy") is None, reason="there is no ROS 2")


def run(*command: str, cwd: Path, **environment: str) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, env={**os.environ, **environment})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def python(code: str, cwd: Path, **environment: str) -> str:
    return run(sys.executable, "-c", code, cwd=cwd, **environment)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources, so that nothing is built in the tree."""
    return Path(shutil.copytree(ROOT, tmp_path_factory.mktemp("src") / "thermal_fld_ros", ignore=LEFT_OUT))


# --- one package of messages and modules -----------------------------------------------------------------------------

BOTH = "import thermal_fld_ros.perception; from thermal_fld_ros.msg import FaceLandmarks, FaceLandmarksArray"


@needs_ros
@pytest.mark.parametrize("folder", [ROOT, Path("/")], ids=["repository", "elsewhere"])
def test_messages_and_modules_import_together(folder: Path) -> None:
    python(BOTH, folder)


@needs_ros
def test_points_travel_as_a_flat_float32_array() -> None:
    code = """
import array
import numpy as np
from thermal_fld_ros.msg import FaceLandmarks
face = FaceLandmarks(points=array.array("f", range(136)))
assert np.asarray(face.points).dtype == np.float32
assert np.asarray(face.points).reshape(-1, 2)[67].tolist() == [134.0, 135.0]
"""
    python(code, ROOT)


@pytest.mark.parametrize(
    ("package", "unwanted"),
    [
        ("perception", ("rclpy", "torch", "numba")),
        ("capture", ("rclpy", "torch", "numba")),
        ("labelling", ("rclpy", "torch", "numba", "mediapipe")),
        ("registration", ("rclpy", "torch", "numba", "mediapipe")),
        ("nodes", ("torch", "numba", "onnx")),
    ],
)
def test_layers_keep_apart(package: str, unwanted: tuple[str, ...]) -> None:
    if package == "nodes" and importlib.util.find_spec("rclpy") is None:
        pytest.skip("there is no ROS 2")
    code = f"""
import importlib, pkgutil, sys
import thermal_fld_ros.{package} as package
for module in pkgutil.iter_modules(package.__path__):
    importlib.import_module(f"{{package.__name__}}.{{module.name}}")
print(*(name for name in {unwanted} if name in sys.modules))
"""
    assert python(code, ROOT).split() == []


@pytest.mark.parametrize(("pattern", "megabytes"), [("models/**/*", 10), ("resource/*", 3)])
def test_what_is_shipped_is_small(pattern: str, megabytes: int) -> None:
    assert sum(path.stat().st_size for path in ROOT.glob(pattern) if path.is_file()) < megabytes * 1e6


# --- colcon ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def installed(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package built with a plain `colcon build`; its install prefix."""
    if importlib.util.find_spec("rclpy") is None or shutil.which("colcon") is None:
        pytest.skip("there is no ROS 2 or no colcon")
    workspace = tmp_path_factory.mktemp("workspace")
    # In this workspace nothing of the environment's own build of the package may be seen.
    prefixes = [path for path in os.environ["AMENT_PREFIX_PATH"].split(":") if not path.endswith("/thermal_fld_ros")]
    command = ["colcon", "build", "--base-paths", str(checkout), "--cmake-args", "-DBUILD_TESTING=OFF"]
    command += [f"-DPython3_EXECUTABLE={sys.executable}", f"-DPYTHON_EXECUTABLE={sys.executable}"]
    generator = "Ninja" if shutil.which("ninja") else "Unix Makefiles"  # a bare machine has no make
    run(*command, cwd=workspace, AMENT_PREFIX_PATH=":".join(prefixes), CMAKE_PREFIX_PATH=":".join(prefixes),
        CMAKE_GENERATOR=generator)  # fmt: skip
    return workspace / "install/thermal_fld_ros"


@pytest.mark.slow
def test_colcon_installs_modules_messages_and_nodes(checkout: Path, installed: Path) -> None:
    (package,) = installed.glob("**/python3*/*-packages/thermal_fld_ros")
    assert (package / "msg/__init__.py").is_file()
    for module in (checkout / "thermal_fld_ros").rglob("*.py"):
        assert (package / module.relative_to(checkout / "thermal_fld_ros")).is_file()
    assert not any(path.is_symlink() for path in package.rglob("*.py"))
    for node in NODES:
        assert os.access(installed / "lib/thermal_fld_ros" / node, os.X_OK)
    share = installed / "share/thermal_fld_ros"
    sources = {
        file.relative_to(checkout) for name in ("config", "launch", "models") for file in (checkout / name).rglob("*")
    }
    wanted = {
        file for file in sources if (checkout / file).is_file() and not {"training", "distillation"} & {*file.parts}
    }
    assert {file for file in sources if (share / file).is_file()} == wanted
    assert os.access(installed / "bin/thermal-fld", os.X_OK)


@pytest.mark.slow
def test_installed_package_works_without_the_sources(installed: Path) -> None:
    (site,) = installed.glob("**/python3*/*-packages")
    libraries = f"{installed / 'lib'}:{os.environ.get('LD_LIBRARY_PATH', '')}"
    code = BOTH + "; import thermal_fld_ros; print(*thermal_fld_ros.__path__)"
    paths = python(code, Path("/"), PYTHONPATH=str(site), LD_LIBRARY_PATH=libraries).split()
    assert paths[0] == str(site / "thermal_fld_ros")


def test_ros2_sees_a_package_of_messages(checkout: Path) -> None:
    if shutil.which("colcon") is None:
        pytest.skip("there is no colcon")
    listed = run("colcon", "list", "--base-paths", str(checkout), cwd=checkout.parent)
    assert listed.split() == ["thermal_fld_ros", str(checkout), "(ros.ament_cmake)"]


# --- pip -------------------------------------------------------------------------------------------------------------


def test_wheel_is_the_part_without_ros(checkout: Path, tmp_path: Path) -> None:
    run(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(tmp_path),
        ".",
        cwd=checkout,
    )
    (wheel,) = tmp_path.glob("thermal_fld_ros-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        archive.extractall(tmp_path / "site")
    for module in (checkout / "thermal_fld_ros").rglob("*.py"):
        assert str(module.relative_to(checkout)) in names
    for model in (checkout / "models").glob("*.onnx"):
        assert f"thermal_fld_ros/models/{model.name}" in names
    assert "thermal_fld_ros/resource/demo_clip.npz" in names, "adaptation is measured on it"
    (entry_points,) = (name for name in names if name.endswith("entry_points.txt"))
    assert "thermal-fld = thermal_fld_ros.__main__:main" in (tmp_path / "site" / entry_points).read_text()

    # -I: neither this folder nor the ROS workspace can be what is imported.
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path / "site")!r})
import thermal_fld_ros.perception.pipeline
from thermal_fld_ros.perception.models import default_model_folder
assert (default_model_folder().parent / "resource/demo_clip.npz").is_file()
assert "rclpy" not in sys.modules
"""
    run(sys.executable, "-I", "-c", code, cwd=Path("/"))


WITHOUT = """
import sys
sys.modules.update(dict.fromkeys(("onnx", "numba", "torch", "matplotlib", "tensorboard")))
import pytest
sys.exit(pytest.main(["-q", "-rs", "--collect-only", *sys.argv[1:]]))
"""


def test_tests_of_what_rosdep_does_not_bring_are_skipped_with_the_reason() -> None:
    """As `colcon test` finds them after `rosdep install`."""
    command = [sys.executable, "-c", WITHOUT, "test/synthesis", "test/nodes/test_parameters.py", "test/perception"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "numba is not installed: pip install '.[dev]'" in done.stdout
    assert "test_temperature.py::" in done.stdout, "what needs none of them is collected"
