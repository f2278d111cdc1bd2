# SPDX-License-Identifier: Apache-2.0
"""Message packages that a full ROS 2 has and the wheels on PyPI have not, as far as the tests need them.

The installed ones are taken where there are any. Else packages of the same names and fields are built with colcon: hri_msgs by the field
lists of REP-155, tf2_msgs, and foxglove_msgs by the fields of its ImageAnnotations.
"""

from __future__ import annotations

import ctypes
import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DEFINITIONS: dict[str, dict[str, str]] = {
    "hri_msgs": {
        "IdsList": "std_msgs/Header header\nstring[] ids\n",
        "NormalizedPointOfInterest2D": "float32 x\nfloat32 y\nfloat32 c\n",
        "NormalizedRegionOfInterest2D": (
            "std_msgs/Header header\nfloat32 xmin\nfloat32 ymin\nfloat32 xmax\nfloat32 ymax\nfloat32 c\n"
        ),
        "FacialLandmarks": (
            "std_msgs/Header header\nuint8 RIGHT_EYE_BOTTOM_1=41\nuint8 RIGHT_EYE_BOTTOM_2=40\nuint8 MENTON=8\n"
            "uint8 RIGHT_PUPIL=68\nuint8 LEFT_PUPIL=69\n"
            "hri_msgs/NormalizedPointOfInterest2D[70] landmarks\nuint32 height\nuint32 width\n"
        ),
    },
    "tf2_msgs": {"TFMessage": "geometry_msgs/TransformStamped[] transforms\n"},
    "foxglove_msgs": {
        "Color": "float64 r\nfloat64 g\nfloat64 b\nfloat64 a\n",
        "Point2": "float64 x\nfloat64 y\n",
        "CircleAnnotation": (
            "builtin_interfaces/Time timestamp\nfoxglove_msgs/Point2 position\nfloat64 diameter\nfloat64 thickness\n"
            "foxglove_msgs/Color fill_color\nfoxglove_msgs/Color outline_color\n"
        ),
        "PointsAnnotation": (
            "builtin_interfaces/Time timestamp\nuint8 POINTS=1\nuint8 LINE_LOOP=2\nuint8 LINE_STRIP=3\nuint8 LINE_LIST=4\n"
            "uint8 type\nfoxglove_msgs/Point2[] points\nfoxglove_msgs/Color outline_color\n"
            "foxglove_msgs/Color[] outline_colors\nfoxglove_msgs/Color fill_color\nfloat64 thickness\n"
        ),
        "TextAnnotation": (
            "builtin_interfaces/Time timestamp\nfoxglove_msgs/Point2 position\nstring text\nfloat64 font_size\n"
            "foxglove_msgs/Color text_color\nfoxglove_msgs/Color background_color\n"
        ),
        "ImageAnnotations": (
            "builtin_interfaces/Time timestamp\nfoxglove_msgs/CircleAnnotation[] circles\n"
            "foxglove_msgs/PointsAnnotation[] points\nfoxglove_msgs/TextAnnotation[] texts\n"
        ),
    },
}
DEPENDENCIES = ("builtin_interfaces", "geometry_msgs", "std_msgs")

CMAKE = """cmake_minimum_required(VERSION 3.16)
project({name})
find_package(ament_cmake REQUIRED)
find_package(rosidl_default_generators REQUIRED)
{found}
rosidl_generate_interfaces({name} {files} DEPENDENCIES {dependencies})
ament_package()
"""
MANIFEST = """<package format="3"><name>{name}</name><version>0.0.0</version><description>for tests</description>
<maintainer email="nobody@example.com">nobody</maintainer><license>Apache-2.0</license>
<buildtool_depend>ament_cmake</buildtool_depend><buildtool_depend>rosidl_default_generators</buildtool_depend>
{depend}<member_of_group>rosidl_interface_packages</member_of_group>
<export><build_type>ament_cmake</build_type></export></package>
"""


def provide(folder: Path) -> None:
    """Make the packages importable in this process; skip where they can be neither found nor built.

    What is built stays in the folder, and is used again as long as the definitions and the environment are the same.
    """
    missing = [name for name in DEFINITIONS if importlib.util.find_spec(name) is None]
    if not missing:
        return
    if shutil.which("colcon") is None:
        pytest.skip(f"{', '.join(missing)} are not installed, and there is no colcon to build them")
    key = repr((DEFINITIONS, missing, sys.executable, os.environ["AMENT_PREFIX_PATH"]))
    built = folder / "built.txt"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of several workers one builds, the others wait
        if not built.is_file() or built.read_text() != key:
            shutil.rmtree(folder)
            _build(folder, missing)
            built.write_text(key)
    install = folder / "install"
    (site,) = install.glob("**/python3*/*-packages")
    sys.path.append(str(site))
    os.environ["AMENT_PREFIX_PATH"] = f"{install}:{os.environ['AMENT_PREFIX_PATH']}"
    # For processes that are started from here; this one's loader has read the variable already, so load by path.
    os.environ["LD_LIBRARY_PATH"] = f"{install / 'lib'}:{os.environ.get('LD_LIBRARY_PATH', '')}"
    os.environ["PYTHONPATH"] = f"{site}:{os.environ.get('PYTHONPATH', '')}"
    _load(sorted((install / "lib").glob("*.so")))


def _build(folder: Path, names: list[str]) -> None:
    for name in names:
        _write(folder / "src" / name, name)
    command = ["colcon", "build", "--merge-install", "--cmake-args", "-DBUILD_TESTING=OFF"]
    command += [f"-DPython3_EXECUTABLE={sys.executable}", f"-DPYTHON_EXECUTABLE={sys.executable}"]
    generator = "Ninja" if shutil.which("ninja") else "Unix Makefiles"
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env={**os.environ, "CMAKE_GENERATOR": generator}
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _write(folder: Path, name: str) -> None:
    (folder / "msg").mkdir(parents=True)
    for message, text in DEFINITIONS[name].items():
        (folder / "msg" / f"{message}.msg").write_text(text)
    files = " ".join(f"msg/{message}.msg" for message in DEFINITIONS[name])
    found = "\n".join(f"find_package({each} REQUIRED)" for each in DEPENDENCIES)
    cmake = CMAKE.format(name=name, files=files, found=found, dependencies=" ".join(DEPENDENCIES))
    (folder / "CMakeLists.txt").write_text(cmake)
    depend = "".join(f"<depend>{each}</depend>" for each in DEPENDENCIES)
    (folder / "package.xml").write_text(MANIFEST.format(name=name, depend=depend))


def _load(libraries: list[Path]) -> None:
    """Load libraries that need one another, whatever their order."""
    while libraries:
        left = []
        for library in libraries:
            try:
                ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
            except OSError:
                left.append(library)
        assert len(left) < len(libraries), f"cannot be loaded: {left}"
        libraries = left
