# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from face_model import write_face_model

with contextlib.suppress(ModuleNotFoundError):  # numba; the tests' own imports skip them with the reason
    from thermal_fld_ros.synthesis.morphable import MorphableModel, load_morphable_model
    from thermal_fld_ros.synthesis.scene import Renderer


@pytest.fixture(scope="session")
def face_model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_face_model(tmp_path_factory.mktemp("face") / "FaceXModel")


@pytest.fixture(scope="session")
def face_model(face_model_folder: Path) -> MorphableModel:
    return load_morphable_model(face_model_folder)


@pytest.fixture(scope="session")
def renderer(face_model: MorphableModel) -> Renderer:
    return Renderer(face_model)
