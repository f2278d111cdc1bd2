# SPDX-License-Identifier: Apache-2.0
"""Load, check and run ONNX files that carry metadata about their use.

A model carries its input size, normalisation and thresholds as a JSON object in its custom metadata; the runtime reads them
there and repeats none of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from thermal_fld_ros.files import parse_json, read_bytes
from thermal_fld_ros.options import Number
from thermal_fld_ros.perception.normalisation import Normalisation

METADATA_KEY = "thermal_fld_ros"
DETECTOR_FILE = "face_detector.onnx"
LANDMARKS_FILE = "face_landmarks.onnx"
PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}

T = TypeVar("T")

LONGEST_NAME = 100
LARGEST_INPUT = 2048
"""Pixels on a side of a network's input."""


class ModelError(RuntimeError):
    """A model that cannot be used; the message names the file and what is wrong with it."""


def default_model_folder() -> Path:
    """Where the shipped models are: in the source tree, an installed ROS workspace or a Python environment."""
    for start in (Path(__file__), Path(__file__).resolve()):  # --symlink-install: the file's place, then its origin's
        for parent in start.parents:
            for folder in (parent / "models", parent / "share" / "thermal_fld_ros" / "models"):
                if (folder / LANDMARKS_FILE).is_file():
                    return folder
    raise ModelError(
        f"found no folder models/ with {DETECTOR_FILE} and {LANDMARKS_FILE} beside the package: install the package again"
    )


class Model:
    """A loaded network.

    Attributes
    ----------
    path : Path
    name : str
    metadata : dict
        The JSON object of the file.
    sha256 : str
        Of the file's bytes.
    provider : str
        "cpu", "cuda" or "tensorrt": what really runs it.
    """

    def __init__(self, path: Path, session: ort.InferenceSession, sha256: str) -> None:
        self.path = path
        self.sha256 = sha256
        self.metadata = _read_metadata(path, session)
        self.name = self.field("name", str)
        if not self.name.isprintable() or not 0 < len(self.name) <= LONGEST_NAME:
            raise ModelError(
                f'{path}: the metadata field "name" is {self.name[:LONGEST_NAME]!r}, expected 1 to {LONGEST_NAME} printable characters'
            )
        self.provider = _short_name(session.get_providers()[0])
        self._session = session
        self._outputs = [output.name for output in session.get_outputs()]

    def run(self, **inputs: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Run the network: arrays by input name in, arrays by output name out."""
        return dict(zip(self._outputs, self._session.run(self._outputs, inputs), strict=True))

    def field(self, name: str, kind: type[T]) -> T:
        """A field of the metadata, "input.size" for one inside another; ModelError where it is missing or of another type."""
        value: Any = self.metadata
        for part in name.split("."):
            if not isinstance(value, dict) or part not in value:
                raise ModelError(f'{self.path}: the metadata lacks the field "{name}"')
            value = value[part]
        if kind is float and isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53:
            value = float(value)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise ModelError(f'{self.path}: the metadata field "{name}" is {value!r}, expected {kind.__name__}')
        return value

    def number(self, name: str, kind: type[Number], low: Number, high: Number) -> Number:
        """A field of the metadata that must be a number in a range, both ends included."""
        value = self.field(name, kind)
        if not low <= value <= high:
            raise ModelError(f'{self.path}: the metadata field "{name}" is {value!r}, expected {low:g} to {high:g}')
        return value

    def normalisation(self) -> Normalisation:
        """The metadata's field "normalisation"."""
        try:
            return Normalisation(
                self.field("normalisation.method", str),
                self.field("normalisation.low", float),
                self.field("normalisation.high", float),
            )
        except ValueError as error:
            raise ModelError(f'{self.path}: the metadata field "normalisation": {error}') from error

    def expect(self, *, task: str, inputs: set[str], outputs: set[str]) -> None:
        """Raise ModelError unless this is a model for `task` with these inputs and (at least) these outputs."""
        if self.field("task", str) != task:
            raise ModelError(f'{self.path}: the metadata field "task" is "{self.metadata["task"]}", expected "{task}"')
        found = {entry.name for entry in self._session.get_inputs()}
        if found != inputs:
            raise ModelError(f"{self.path}: the inputs are {sorted(found)}, expected {sorted(inputs)}")
        if not outputs <= set(self._outputs):
            raise ModelError(f"{self.path}: the outputs are {sorted(self._outputs)}, expected {sorted(outputs)}")

    def trial(self, shape: tuple[int, ...], expected: Mapping[str, tuple[int | None, ...]]) -> None:
        """Run once on zeros and raise ModelError unless the outputs have the `expected` shapes (None: any length).

        What does not fit the metadata shows here and not on the first image; the first run is also the slow one.
        """
        try:
            outputs = self.run(image=np.zeros(shape, dtype=np.float32))
        except Exception as error:  # onnxruntime raises many kinds, all of them mean this
            raise ModelError(f"{self.path}: a trial run on an input of shape {shape} failed: {error}") from error
        for name, lengths in expected.items():
            found = outputs[name].shape
            fits = len(found) == len(lengths) and all(
                want in (None, got) for want, got in zip(lengths, found, strict=True)
            )
            if not fits:
                raise ModelError(
                    f'{self.path}: output "{name}" has shape {found} for an input {shape}, expected {lengths}'
                )


def load_model(path: str | Path, *, provider: str = "auto", require_provider: bool = False, threads: int = 1) -> Model:
    """Load an ONNX file.

    Parameters
    ----------
    path : path
    provider : {"auto", "cpu", "cuda", "tensorrt"}
        "auto" is CUDA where this onnxruntime has it, else the CPU. TensorRT is used on request only: building its engine
        takes minutes.
    require_provider : bool
        Fail where onnxruntime would silently fall back to the CPU.
    threads : int
        Threads inside an operator; they sleep between runs.

    Raises
    ------
    ModelError
        No such file, or none that is regular; no network, no metadata, or not the provider that is required.
    """
    path = Path(path)
    try:
        content = read_bytes(path)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from error
    wanted = _providers(provider, path)
    if require_provider and provider != "auto" and wanted[0] not in ort.get_available_providers():
        raise ModelError(_not_available(path, provider, "cpu"))
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # what matters becomes an exception or is seen in the provider
    usable = [name for name in wanted if name in ort.get_available_providers()]
    try:
        session = ort.InferenceSession(content, options, providers=usable)
    except Exception as error:  # onnxruntime raises many kinds, all of them mean this
        raise ModelError(f"{path}: onnxruntime cannot load it: {error}") from error
    model = Model(path, session, hashlib.sha256(content).hexdigest())
    if require_provider and provider not in ("auto", model.provider):
        raise ModelError(_not_available(path, provider, model.provider))
    return model


def _providers(provider: str, path: Path) -> list[str]:
    if provider == "auto":
        return [PROVIDERS["cuda"], PROVIDERS["cpu"]]
    if provider not in PROVIDERS:
        raise ModelError(f'{path}: execution provider "{provider}" is unknown, expected auto, {", ".join(PROVIDERS)}')
    if provider == "cpu":
        return [PROVIDERS["cpu"]]
    return list(dict.fromkeys([PROVIDERS[provider], PROVIDERS["cuda"], PROVIDERS["cpu"]]))


def _short_name(provider: str) -> str:
    return next((short for short, name in PROVIDERS.items() if name == provider), provider)


def _not_available(path: Path, wanted: str, found: str) -> str:
    return (
        f'{path}: execution provider "{wanted}" is required, but onnxruntime {ort.__version__} would use "{found}" '
        f"(it has {', '.join(map(_short_name, ort.get_available_providers()))})"
    )


def _read_metadata(path: Path, session: ort.InferenceSession) -> dict[str, Any]:
    try:
        text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    except UnicodeDecodeError as error:
        raise ModelError(f"{path}: its metadata is not UTF-8: {error}") from error
    if text is None:
        raise ModelError(
            f'{path}: the file has no metadata property "{METADATA_KEY}"; was it exported by this package?'
        )
    try:
        metadata = parse_json(text)
    except ValueError as error:
        raise ModelError(f'{path}: the metadata property "{METADATA_KEY}" is not JSON: {error}') from error
    if not isinstance(metadata, dict):
        raise ModelError(f'{path}: the metadata property "{METADATA_KEY}" is not a JSON object')
    return metadata
