# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest
from dummy_models import write_dummy_models
from hypothesis import HealthCheck, settings

# A busy machine is no failure.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def dummy_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a face_detector.onnx and a face_landmarks.onnx that find warm ellipses."""
    return write_dummy_models(tmp_path_factory.mktemp("models"))
