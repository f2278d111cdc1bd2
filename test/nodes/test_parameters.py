# SPDX-License-Identifier: Apache-2.0
"""Parameters: one table, and what changes while the node runs."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import onnx
import onnxruntime
import pytest
import yaml
from dummy_models import LANDMARKS_METADATA, with_metadata
from node_rig import FACE, Rig, centre_of
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException

from thermal_fld_ros.nodes.detector_parameters import TABLE, decoding, pipeline_options
from thermal_fld_ros.nodes.reference import generated_files
from thermal_fld_ros.perception.decoding import Decoding, Unit
from thermal_fld_ros.perception.models import DETECTOR_FILE, LANDMARKS_FILE
from thermal_fld_ros.perception.pipeline import PipelineOptions

ROOT = Path(__file__).parents[2]
DEFAULTS = {parameter.name: parameter.default for parameter in TABLE}


@pytest.mark.parametrize("path", generated_files())
def test_the_written_files_are_those_of_the_table(path: str) -> None:
    assert (ROOT / path).read_text() == generated_files()[path], "run `python -m thermal_fld_ros.nodes.reference`"


def test_the_parameter_file_is_yaml_that_sets_every_parameter() -> None:
    content = yaml.safe_load((ROOT / "config/detector.yaml").read_text())
    assert content == {"/**": {"ros__parameters": DEFAULTS}}


def test_the_node_starts_from_the_parameter_file(rig: Rig, tmp_path: Path) -> None:
    content = yaml.safe_load((ROOT / "config/detector.yaml").read_text())
    content["/**"]["ros__parameters"].update(rig.parameters, rotate=90)
    (tmp_path / "detector.yaml").write_text(yaml.safe_dump(content))
    rig.parameters.clear()
    detector = rig.start(arguments=("--params-file", str(tmp_path / "detector.yaml")))
    assert rig.state() == "active" and detector.get_parameter("rotate").value == 90


def test_the_defaults_are_those_of_the_perception() -> None:
    assert decoding(DEFAULTS) == Decoding()
    assert pipeline_options(DEFAULTS) == PipelineOptions()


@pytest.mark.parametrize("name", [field.name for field in fields(PipelineOptions)])
def test_every_option_of_the_pipeline_is_a_parameter_with_the_same_range(name: str) -> None:
    (parameter,) = (parameter for parameter in TABLE if parameter.name == name)
    for limit in (parameter.low, parameter.high):
        if limit is not None:
            assert getattr(pipeline_options({**DEFAULTS, name: limit}), name) == limit


def test_a_unit_of_ones_own() -> None:
    unit = decoding({**DEFAULTS, "unit": "custom", "unit_scale": 0.5, "unit_offset": -10.0}).unit
    assert unit == Unit("custom", 0.5, -10.0)


def test_the_node_declares_the_table(rig: Rig) -> None:
    detector = rig.start()
    for parameter in TABLE:
        descriptor = detector.describe_parameter(parameter.name)
        assert descriptor.description == parameter.description
        assert descriptor.read_only == parameter.read_only
        assert type(detector.get_parameter(parameter.name).value) is type(parameter.default)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"autostart": False}, "read-only"),
        ({"rotate": 45}, "rotate"),
        ({"rotate": "90"}, "type"),
        ({"unit": "fahrenheit"}, "unit: 'fahrenheit' is not one of counts, agc, celsius"),
        ({"unit": "custom", "unit_scale": 0.0}, "scale is 0.0 and offset 0.0, expected a scale of"),
        ({"unit": "custom", "unit_scale": 1e-320}, "expected a scale of 1e-06 to 1e+06"),
        (
            {"rows_top": 200, "rows_bottom": 40},
            "rows_top and rows_bottom are (200, 40), but the image has only 240 rows",
        ),
        ({"landmark_model": "/dev/zero"}, "/dev/zero: cannot be read: not a regular file"),
        ({"unit_offset": float("nan")}, "unit_offset"),
        ({"max_faces": 0}, "max_faces"),
        ({"min_cutoff": 0.0}, "min_cutoff"),
        ({"provider": "npu"}, "provider: 'npu' is not one of auto, cpu, cuda, tensorrt"),
        ({"image_reliability": "sometimes"}, "image_reliability: 'sometimes' is not one of best_effort, reliable"),
        ({"landmark_model": "/nowhere/model.onnx"}, "/nowhere/model.onnx: cannot be read: No such file or directory"),
        ({"no_image_timeout": 2.0, "detector_model": "/nowhere/detector.onnx"}, "/nowhere/detector.onnx"),
    ],
)
def test_a_change_is_refused_with_the_reason_and_changes_nothing(rig: Rig, values: dict, reason: str) -> None:
    detector = rig.start_connected()
    before = {name: detector.get_parameter(name).value for name in DEFAULTS}
    result = rig.set_parameters(**values)
    assert not result.successful and reason in result.reason
    assert {name: detector.get_parameter(name).value for name in DEFAULTS} == before
    assert rig.detect(rig.scene()).faces


@pytest.mark.skipif("CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="CUDA is available")
def test_a_required_provider_that_is_missing_is_refused(rig: Rig) -> None:
    rig.start_connected()
    assert rig.set_parameters(provider="cuda").successful, "falls back to the CPU"
    rig.wait_for_log("dummy landmarks runs on cpu, because cuda is not available")
    values = rig.wait_for_status(lambda status, values: "cuda is not available" in status.message)
    assert values["landmark provider"] == "cpu"
    result = rig.set_parameters(require_provider=True)
    assert not result.successful and '"cuda" is required' in result.reason


@pytest.mark.parametrize("values", [{"rotate": 45}, {"rotate": "90"}, {"unit": "fahrenheit"}, {"max_faces": 0}])
def test_a_bad_value_at_the_start_is_an_error_that_names_it(rig: Rig, values: dict) -> None:
    (name,) = values
    with pytest.raises((InvalidParameterValueException, InvalidParameterTypeException), match=name):
        rig.start(**values)


def test_another_model_is_loaded_while_the_node_runs(rig: Rig, dummy_models: Path, tmp_path: Path) -> None:
    rig.start_connected()
    first = rig.detect(rig.scene())
    other = tmp_path / "adapted.onnx"
    model = onnx.load(dummy_models / LANDMARKS_FILE)
    onnx.save(with_metadata(model, {**LANDMARKS_METADATA, "name": "adapted"}), other)
    assert rig.set_parameters(landmark_model=str(other)).successful
    second = rig.detect(rig.scene())
    assert (first.model_name, second.model_name) == ("dummy landmarks", "adapted")
    assert first.model_hash != second.model_hash
    assert second.faces[0].id == first.faces[0].id, "tracks go on"
    assert rig.wait_for_status(lambda status, values: True)["landmark model"] == f"adapted {second.model_hash}"
    assert not rig.set_parameters(landmark_model=str(dummy_models / DETECTOR_FILE)).successful


def test_a_file_that_was_replaced_is_loaded_when_its_path_is_set_again(
    rig: Rig, dummy_models: Path, tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    model = onnx.load(dummy_models / LANDMARKS_FILE)
    onnx.save(with_metadata(model, {**LANDMARKS_METADATA, "name": "first"}), path)
    rig.start_connected(landmark_model=str(path))
    first = rig.detect(rig.scene())
    onnx.save(with_metadata(model, {**LANDMARKS_METADATA, "name": "second"}), path)
    assert rig.detect(rig.scene()).model_name == "first", "until it is asked for"
    assert rig.set_parameters(landmark_model=str(path)).successful
    second = rig.detect(rig.scene())
    assert (first.model_name, second.model_name) == ("first", "second") and first.model_hash != second.model_hash
    path.write_bytes(b"cut")
    result = rig.set_parameters(landmark_model=str(path))
    assert not result.successful and f"{path}: onnxruntime cannot load it" in result.reason
    assert rig.detect(rig.scene()).model_name == "second"
    assert rig.set_parameters(max_faces=3).successful, "what does not concern the models does not look at them"


def test_changes_of_the_decoding_take_effect(rig: Rig) -> None:
    rig.start_connected(smoothing=False)
    assert rig.set_parameters(inverted=True).successful
    assert centre_of(rig.detect(60000 - rig.scene())) == pytest.approx(FACE[:2], abs=2.0)
    assert rig.set_parameters(inverted=False, rotate=180).successful
    assert centre_of(rig.detect(rig.scene())) == pytest.approx(FACE[:2], abs=2.0)
    assert rig.set_parameters(unit="counts").successful
    assert all(value != value for value in rig.detect(rig.scene()).faces[0].temperatures)
    assert rig.set_parameters(max_pixels=1000).successful
    rig.publish(rig.scene())
    rig.wait_for_log("expected at most 1000")


def test_changes_of_the_pipeline_take_effect(rig: Rig) -> None:
    rig.start_connected()
    assert rig.detect(rig.scene()).faces
    assert rig.set_parameters(min_face_size=200.0).successful
    assert not rig.detect(rig.scene()).faces
    assert rig.set_parameters(min_face_size=12.0).successful
    assert rig.detect(rig.scene()).faces
    assert rig.set_parameters(shutter=False).successful
    frozen = rig.scene()
    for _ in range(4):
        assert rig.detect(frozen).faces


def test_changes_of_the_input_and_the_diagnostics_take_effect(rig: Rig) -> None:
    rig.start_connected()
    assert rig.set_parameters(image_reliability="best_effort").successful
    rig.connect()
    assert rig.wait_for_status(lambda status, values: True)["image QoS"].startswith("best effort")
    assert rig.set_parameters(no_image_timeout=0.5).successful
    rig.wait_for_status(lambda status, values: "none of them sends" in status.message)
    assert rig.set_parameters(diagnostics_period=60.0).successful


def test_qos_is_overridden_by_parameters(rig: Rig) -> None:
    topic = f"{rig.namespace}/image"
    rig.start(**{f"qos_overrides.{topic}.subscription.depth": 7, "no_image_timeout": 0.5})
    rig.connect()
    assert rig.wait_for_status(lambda status, values: True)["image QoS"] == "reliable, volatile, keep last 7"


def test_a_bad_qos_override_fails_the_transition_and_says_why(rig: Rig) -> None:
    rig.start(**{f"qos_overrides.{rig.namespace}/image.subscription.history": "sometimes"})
    assert "sometimes" in rig.wait_for_log("activate failed")
    assert rig.state() == "inactive"


def test_a_name_that_is_no_parameter_is_told_with_the_one_that_is_meant(rig: Rig, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("/**:\n  ros__parameters:\n    detect_evry: 3\n    colour: blue\n    use_sim_time: false\n")
    rig.start(arguments=("--params-file", str(file), "-p", "untis:=kelvin"))
    rig.wait_for_log("there is no parameter detect_evry, so its value is ignored; did you mean detect_every?")
    rig.wait_for_log("there is no parameter untis, so its value is ignored; did you mean unit?")
    rig.wait_for_log("there is no parameter colour, so its value is ignored; `ros2 param list`")
    assert not any("use_sim_time" in line or "qos_overrides" in line for line in rig.logs)
