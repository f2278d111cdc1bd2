# SPDX-License-Identifier: Apache-2.0
"""Tiny ONNX models that keep the model contract, and scenes in which they find faces.

A "face" is a warm ellipse. The detector finds blobs by a blurred intensity and boxes them with one fixed size; the landmarker
lays an average face over the bright pixels' mean and spread, so that points follow the blob; its score is high when the bright
pixels are gathered and low when they fill the crop (noise, an empty scene).
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.models import DETECTOR_FILE, LANDMARKS_FILE, METADATA_KEY
from thermal_fld_ros.perception.pose import HEAD_POINTS

with contextlib.suppress(ImportError):  # the scenes need none; who asks for the models skips (conftest.py)
    import onnx
    from onnx import TensorProto, helper, numpy_helper

CROP = 64
DETECTION_SIDE = 56

COMMON = {
    "version": "0",
    "licence": "Apache-2.0",
    "normalisation": {"method": "percentile", "low": 1.0, "high": 99.0},
    "training": {"command": "none", "data": "none", "git": "none", "date": "2026-01-01"},
    "metrics": {},
}
DETECTOR_METADATA: dict[str, Any] = {
    "name": "dummy detector",
    "task": "detection",
    "input": {"max_side": 320, "multiple": 32},
    "threshold": 0.15,
    **COMMON,
}
LANDMARKS_METADATA: dict[str, Any] = {
    "name": "dummy landmarks",
    "task": "landmarks",
    "input": {"size": CROP, "crop_scale": 1.5},
    "scheme": "ibug68",
    "threshold": 0.5,
    **COMMON,
}


def write_dummy_models(folder: Path) -> Path:
    """Write both models under the names the pipeline expects and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(detector_model(), folder / DETECTOR_FILE)
    onnx.save(landmarks_model(), folder / LANDMARKS_FILE)
    return folder


def face_template() -> NDArray[np.float32]:
    """An average face seen from the front, (68, 2), its box being [-0.5, 0.5] both ways."""
    flat = np.stack([HEAD_POINTS[:, 1], -HEAD_POINTS[:, 2]], axis=1)
    low, high = flat.min(axis=0), flat.max(axis=0)
    return ((flat - low) / (high - low) - 0.5).astype(np.float32)


def face_scene(
    size: tuple[int, int],
    faces: list[tuple[float, float, float]],
    *,
    seed: int = 0,
    background: float = 29500.0,
    warmth: float = 1300.0,
    noise: float = 10.0,
) -> NDArray[np.uint16]:
    """A centikelvin image (height, width) of `size` (width, height) with a warm ellipse for each (x, y, width) of `faces`.

    The ellipse has the proportions of the template, so the landmarks' box is the ellipse's.
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[1], : size[0]]
    image = background + noise * rng.standard_normal((size[1], size[0]))
    for centre_x, centre_y, width in faces:
        height = width * face_aspect()
        inside = ((x - centre_x) / (width / 2)) ** 2 + ((y - centre_y) / (height / 2)) ** 2 <= 1.0
        image[inside] += warmth
    return np.clip(image, 0, 65535).astype(np.uint16)


def face_aspect() -> float:
    """Height over width of the average face's box."""
    return float(np.ptp(HEAD_POINTS[:, 2]) / np.ptp(HEAD_POINTS[:, 1]))


def with_metadata(model: onnx.ModelProto, metadata: dict[str, Any] | str | None) -> onnx.ModelProto:
    """The model with another metadata property: an object, any text, or none."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.metadata_props[:]
    if metadata is not None:
        text = metadata if isinstance(metadata, str) else json.dumps(metadata)
        helper.set_model_props(copy, {METADATA_KEY: text})
    return copy


def detector_model() -> onnx.ModelProto:
    graph = _Graph()
    small = graph("AveragePool", "image", kernel_shape=[4, 4], strides=[4, 4])
    bright = graph("Relu", graph("Sub", small, 0.6))
    heat = graph("Conv", bright, _gaussian(15, 4.0), pads=[7, 7, 7, 7])
    heat = graph("Clip", graph("Mul", heat, 2.5), 0.0, 1.0)
    highest = graph("MaxPool", heat, kernel_shape=[9, 9], pads=[4, 4, 4, 4], strides=[1, 1])
    is_peak = graph("Cast", graph("Equal", heat, highest), to=TensorProto.FLOAT)
    peaks = graph("Reshape", graph("Mul", heat, is_peak), [-1])
    scores, places = graph("TopK", peaks, [16], outputs=2)
    good = graph("Greater", scores, 0.02)
    scores = graph("Compress", scores, good, axis=0)
    places = graph("Compress", places, good, axis=0)
    columns = graph("Gather", graph("Shape", heat), 3)
    x, y = graph("Mod", places, columns), graph("Div", places, columns)
    centres = [graph("Add", graph("Mul", graph("Cast", axis, to=TensorProto.FLOAT), 4.0), 1.5) for axis in (x, y)]
    half = DETECTION_SIDE / 2
    edges = [graph(operation, centre, half) for operation in ("Sub", "Add") for centre in centres]
    columns_of_boxes = [graph("Unsqueeze", edge, [1]) for edge in edges]
    graph("Concat", *columns_of_boxes, axis=1, name="boxes")
    graph("Identity", scores, name="scores")
    return graph.model([1, 1, "height", "width"], {"boxes": ["count", 4], "scores": ["count"]}, DETECTOR_METADATA)


def landmarks_model() -> onnx.ModelProto:
    graph = _Graph()
    coordinates = np.arange(CROP, dtype=np.float32)
    axes = {"x": coordinates.reshape(1, 1, 1, CROP), "y": coordinates.reshape(1, 1, CROP, 1)}
    weight = graph("Relu", graph("Sub", "image", 0.6))
    mass = graph("Add", _total(graph, weight), 1e-3)
    points, spreads = [], []
    for name, template in zip("xy", face_template().T, strict=True):
        axis = axes[name]
        mean = graph("Div", _total(graph, graph("Mul", weight, axis)), mass)
        offset = graph("Sub", axis, mean)
        variance = graph("Div", _total(graph, graph("Mul", weight, graph("Mul", offset, offset))), mass)
        spread = graph("Sqrt", variance)
        extent = graph("Mul", graph("Mul", spread, 4.0), template.reshape(1, 1, 1, 68))
        points.append(graph("Reshape", graph("Add", mean, extent), [-1, 68, 1]))
        spreads.append(spread)
    graph("Concat", *points, axis=2, name="points")
    flat = [-1, 1]
    spread = graph("Reshape", graph("Max", *spreads), flat)
    gathered = graph("Mul", graph("Sub", 0.235 * CROP, spread), 1.5)
    seen = graph("Cast", graph("Greater", graph("Reshape", mass, flat), 1.0), to=TensorProto.FLOAT)
    score = graph("Mul", graph("Sigmoid", gathered), seen)
    graph("Reshape", score, [-1], name="score")
    graph("Mul", score, np.full((1, 68), 0.9), name="confidence")
    return graph.model(
        ["count", 1, CROP, CROP],
        {"points": ["count", 68, 2], "confidence": ["count", 68], "score": ["count"]},
        LANDMARKS_METADATA,
    )


def blind_landmarks_model() -> onnx.ModelProto:
    """A landmarker that sees nothing: whatever the crop shows, it answers with an average face in the middle and is sure of it."""
    graph = _Graph()
    nothing = graph("Reshape", graph("Mul", _total(graph, "image"), 0.0), [-1, 1])
    middle = face_template() * (CROP / 1.5) + (CROP - 1) / 2
    graph("Add", graph("Reshape", nothing, [-1, 1, 1]), middle.reshape(1, 68, 2), name="points")
    graph("Add", nothing, np.full((1, 68), 0.9), name="confidence")
    graph("Reshape", graph("Add", nothing, 0.9), [-1], name="score")
    return graph.model(
        ["count", 1, CROP, CROP],
        {"points": ["count", 68, 2], "confidence": ["count", 68], "score": ["count"]},
        LANDMARKS_METADATA,
    )


def _total(graph: _Graph, value: str) -> str:
    return str(graph("ReduceSum", value, [2, 3], keepdims=1))


def _gaussian(side: int, sigma: float) -> NDArray[np.float32]:
    profile = np.exp(-0.5 * ((np.arange(side) - side // 2) / sigma) ** 2)
    kernel = np.outer(profile, profile)
    return (kernel / kernel.sum()).astype(np.float32).reshape(1, 1, side, side)


class _Graph:
    """Builds an ONNX graph: a call adds a node and returns the name(s) of what comes out."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def __call__(
        self, operation: str, *inputs: Any, outputs: int = 1, name: str | None = None, **attributes: Any
    ) -> Any:
        names = [name or f"value_{len(self._nodes)}_{index}" for index in range(outputs)]
        self._nodes.append(helper.make_node(operation, [self._named(value) for value in inputs], names, **attributes))
        return names[0] if outputs == 1 else names

    def _named(self, value: Any) -> str:
        """Inputs are names, or constants: a list is a shape or an index, a float a float32."""
        if isinstance(value, str):
            return value
        kind = np.int64 if isinstance(value, (int, list)) else np.float32
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(value, dtype=kind), name))
        return name

    def model(
        self, input_shape: list[int | str], outputs: dict[str, list[int | str]], metadata: dict[str, Any]
    ) -> onnx.ModelProto:
        graph = helper.make_graph(
            self._nodes,
            "dummy",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, input_shape)],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
            self._constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        return with_metadata(model, metadata)
