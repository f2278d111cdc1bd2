# SPDX-License-Identifier: Apache-2.0
import copy
import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from dummy_models import CROP, DETECTOR_METADATA, LANDMARKS_METADATA, detector_model, landmarks_model, with_metadata

from thermal_fld_ros.perception.detector import Detector
from thermal_fld_ros.perception.landmarker import Landmarker
from thermal_fld_ros.perception.models import DETECTOR_FILE, LANDMARKS_FILE, ModelError, load_model

HAS_CUDA = "CUDAExecutionProvider" in onnxruntime.get_available_providers()


def save(model: onnx.ModelProto, folder: Path) -> Path:
    path = folder / "model.onnx"
    onnx.save(model, path)
    return path


def changed(field: str, value: Any) -> dict[str, Any]:
    """The landmark model's metadata with another value (None: without the field), "input.size" being one inside another."""
    metadata = copy.deepcopy(LANDMARKS_METADATA)
    *groups, last = field.split(".")
    place = metadata
    for group in groups:
        place = place[group]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return metadata


def test_a_model_knows_its_file_and_runs(dummy_models: Path) -> None:
    path = dummy_models / LANDMARKS_FILE
    model = load_model(path)
    assert model.name == "dummy landmarks"
    assert model.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert model.metadata["input"] == {"size": CROP, "crop_scale": 1.5}
    outputs = model.run(image=np.zeros((3, 1, CROP, CROP), np.float32))
    assert outputs["points"].shape == (3, 68, 2)


@pytest.mark.skipif(HAS_CUDA, reason="this onnxruntime runs on CUDA")
def test_auto_is_the_cpu_where_there_is_nothing_else(dummy_models: Path) -> None:
    assert load_model(dummy_models / DETECTOR_FILE, provider="auto", require_provider=True).provider == "cpu"


@pytest.mark.skipif(HAS_CUDA, reason="this onnxruntime runs on CUDA")
@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_a_missing_provider_falls_back_or_fails_as_told(dummy_models: Path, provider: str) -> None:
    path = dummy_models / DETECTOR_FILE
    assert load_model(path, provider=provider).provider == "cpu"
    with pytest.raises(
        ModelError, match=f'face_detector.onnx: execution provider "{provider}" is required, .* use "cpu"'
    ):
        load_model(path, provider=provider, require_provider=True)


def test_an_unknown_provider_is_refused(dummy_models: Path) -> None:
    with pytest.raises(ModelError, match='"gpu" is unknown, expected auto, cpu, cuda, tensorrt'):
        load_model(dummy_models / DETECTOR_FILE, provider="gpu")


def test_files_that_are_no_models_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"absent.onnx: cannot be read: No such file"):
        load_model(tmp_path / "absent.onnx")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a network")
    with pytest.raises(ModelError, match=r"broken.onnx: onnxruntime cannot load it"):
        load_model(broken)


@pytest.mark.parametrize(
    ("metadata", "text"),
    [
        (None, 'no metadata property "thermal_fld_ros"'),
        ("{", "is not JSON"),
        ("[1]", "is not a JSON object"),
        (changed("name", None), 'lacks the field "name"'),
        (changed("input.size", None), 'lacks the field "input.size"'),
        (changed("input.size", "64"), "\"input.size\" is '64', expected int"),
        (changed("input.size", 0), '"input.size" is 0, expected 1 to 2048'),
        (changed("input.size", 100_000), '"input.size" is 100000, expected 1 to 2048'),
        (changed("input.size", 10**400), '"input.size" is 1000.*, expected 1 to 2048'),
        (changed("input.crop_scale", float("inf")), '"input.crop_scale" is inf, expected 0.5 to 10'),
        (changed("input.crop_scale", 1e9), '"input.crop_scale" is 1000000000.0, expected 0.5 to 10'),
        (changed("input.crop_scale", 10**400), '"input.crop_scale" is 1000.*, expected float'),
        (changed("threshold", float("nan")), '"threshold" is nan, expected 0 to 1'),
        (changed("threshold", -5), '"threshold" is -5.0, expected 0 to 1'),
        (changed("threshold", 1e9), '"threshold" is 1000000000.0, expected 0 to 1'),
        (changed("normalisation.low", float("nan")), 'field "normalisation": .* low < high'),
        (changed("name", "a\nb"), "\"name\" is 'a.*b', expected 1 to 100 printable characters"),
        (changed("name", "\ud800"), '"name" is .*, expected 1 to 100 printable characters'),
        ("[" * 100_000, "is not JSON: nested too deeply"),
        (changed("input.size", 96), "a trial run on an input of shape .* failed"),
        (changed("input", 64), 'lacks the field "input.size"'),
        (changed("scheme", "wflw98"), '"scheme" is "wflw98", expected "ibug68"'),
        (changed("task", "detection"), '"task" is "detection", expected "landmarks"'),
        (changed("threshold", None), 'lacks the field "threshold"'),
        (changed("threshold", True), '"threshold" is True, expected float'),
        (changed("normalisation.method", "fixed"), 'field "normalisation": .* "fixed" is unknown'),
        (changed("normalisation.low", 99.5), 'field "normalisation": .* low < high'),
    ],
)
def test_metadata_that_does_not_fit_is_named(tmp_path: Path, metadata: Any, text: str) -> None:
    path = save(with_metadata(landmarks_model(), metadata), tmp_path)
    with pytest.raises(ModelError, match=text) as error:
        Landmarker(load_model(path))
    assert str(path) in str(error.value)


def test_metadata_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    path = save(with_metadata(landmarks_model(), '{"name": "é"}'), tmp_path)
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\xf7\xa9"))
    with pytest.raises(ModelError, match="metadata is not UTF-8"):
        load_model(path)


def test_models_in_the_wrong_place_are_refused(dummy_models: Path) -> None:
    with pytest.raises(ModelError, match='"task" is "landmarks", expected "detection"'):
        Detector(load_model(dummy_models / LANDMARKS_FILE))
    with pytest.raises(ModelError, match='"task" is "detection", expected "landmarks"'):
        Landmarker(load_model(dummy_models / DETECTOR_FILE))


def test_outputs_that_do_not_fit_are_named(tmp_path: Path) -> None:
    model = with_metadata(detector_model(), LANDMARKS_METADATA)
    with pytest.raises(
        ModelError, match=r"outputs are \['boxes', 'scores'\], expected \['confidence', 'points', 'score'\]"
    ):
        Landmarker(load_model(save(model, tmp_path)))


def test_whole_numbers_do_for_fractions(tmp_path: Path) -> None:
    metadata = changed("input.crop_scale", 2)
    assert Landmarker(load_model(save(with_metadata(landmarks_model(), metadata), tmp_path))).crop_scale == 2.0


@pytest.mark.parametrize("field", ["input.max_side", "input.multiple"])
@pytest.mark.parametrize("value", [0, -32, 1_000_000])
def test_a_detectors_input_has_limits(tmp_path: Path, field: str, value: int) -> None:
    metadata = copy.deepcopy(DETECTOR_METADATA)
    metadata["input"][field.removeprefix("input.")] = value
    with pytest.raises(ModelError, match=f'"{field}" is {value}, expected 1 to 2048'):
        Detector(load_model(save(with_metadata(detector_model(), metadata), tmp_path)))


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    """Opening a pipe waits for a writer, and reading a device may never end."""
    pipe = tmp_path / "pipe.onnx"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(ModelError, match=f"{path}: cannot be read: not a regular file"):
            load_model(path)
    with pytest.raises(ModelError, match="cannot be read: Is a directory"):
        load_model(tmp_path)
    huge = tmp_path / "huge.onnx"
    with huge.open("wb") as file:
        file.truncate(10**12)
    with pytest.raises(ModelError, match="it has 1000000000000 bytes, expected at most"):
        load_model(huge)
