# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import pytest

from thermal_fld_ros.distillation.export import model_card
from thermal_fld_ros.perception.models import load_model

MODELS = Path(__file__).parents[2] / "models"


@pytest.mark.parametrize("name", ["face_detector", "face_landmarks", "face_landmarks_int8"])
def test_the_card_says_what_the_json_says_and_the_json_what_the_file_says(name: str) -> None:
    described = json.loads((MODELS / f"{name}.json").read_text(encoding="utf-8"))
    assert (MODELS / f"{name}.md").read_text(encoding="utf-8") == model_card(described)
    assert described["bytes"] == (MODELS / f"{name}.onnx").stat().st_size
    assert load_model(MODELS / f"{name}.onnx").metadata.items() <= described.items()
