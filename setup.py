# SPDX-License-Identifier: Apache-2.0
"""The part that needs no ROS, for a laptop: `pip install .`, then `thermal-fld` or `python -m thermal_fld_ros`.

colcon builds the ROS package by CMakeLists.txt and does not read this file.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
RUNTIME = [
    line.partition("#")[0].strip()
    for line in (ROOT / "scripts/requirements/runtime.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
TRAIN = ["matplotlib>=3.7", "numba>=0.60", "onnx>=1.16", "pyyaml>=5.4", "tensorboard>=2.14", "torch>=2.3"]
# The last MediaPipe whose wheel carries its models; it wants numpy below 2, so an environment of its own may be needed.
TEACHER = ["mediapipe==0.10.21"]
# Temperatures of FLIR's radiometric JPEG files; EUPL-1.2, so it is no part of what this package needs.
FLIR = ["flyr>=3.3"]
COMPLETION = ["argcomplete>=3.1"]
DOCS = ["latex2mathml>=3.77", "mkdocs>=1.6", "mkdocs-material>=9.5.30", "mkdocstrings[python]>=0.26"]
DEV = [
    "argcomplete>=3.1",
    "catkin_pkg>=1.0",
    "check-jsonschema>=0.30",
    "hypothesis>=6.80",
    "mcap>=1.1",
    "mypy>=1.10",
    "pytest>=7.4",
    "pytest-xdist>=3.5",
    "ruff>=0.9",
    "types-PyYAML",
]

setup(
    name="thermal_fld_ros",
    version=re.search(r"<version>(.+)</version>", (ROOT / "package.xml").read_text(encoding="utf-8"))[1],
    description="Facial landmarks in thermal images, for ROS 2 and without it",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=[
        *find_packages(include=["thermal_fld_ros", "thermal_fld_ros.*"]),
        "thermal_fld_ros.models",
        "thermal_fld_ros.resource",
    ],
    package_dir={"thermal_fld_ros.models": "models", "thermal_fld_ros.resource": "resource"},
    package_data={
        "thermal_fld_ros.models": ["*.onnx", "*.md", "*.pt"],
        "thermal_fld_ros.labelling": ["*.html"],
        "thermal_fld_ros.perception": ["*.json"],
        "thermal_fld_ros.resource": ["demo_clip.npz"],
    },
    entry_points={"console_scripts": ["thermal-fld = thermal_fld_ros.__main__:main"]},
    install_requires=RUNTIME,
    extras_require={
        "train": TRAIN,
        "teacher": TEACHER,
        "timm": [*TRAIN, "timm>=1.0"],
        "flir": FLIR,
        "completion": COMPLETION,
        "docs": DOCS,
        "dev": [*DEV, *DOCS, *FLIR, *TRAIN],
    },
)
