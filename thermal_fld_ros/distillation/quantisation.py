# SPDX-License-Identifier: Apache-2.0
"""The landmark network in 8-bit integers: static quantisation by onnxruntime, calibrated on rendered crops."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from thermal_fld_ros.perception.cropping import crop_from_points
from thermal_fld_ros.perception.decoding import decode_array
from thermal_fld_ros.perception.models import Model, load_model
from thermal_fld_ros.perception.normalisation import normalise
from thermal_fld_ros.synthesis.shards import load_shards

Array = NDArray[np.float32]

CALIBRATION = 256  # crops


def crops(folder: Path, model: Model, count: int) -> tuple[Array, Array, Array]:
    """Network inputs (N, 1, S, S) at the true crops of rendered faces, their points (N, 68, 2) and sqrt(w h) (N,), crop pixels."""
    size, scale = model.field("input.size", int), model.field("input.crop_scale", float)
    normalisation = model.normalisation()
    images, labels = load_shards(folder)
    last = np.append(np.diff(labels["frame"]) > 0, True)  # the last face of an image is in front
    nearest = np.flatnonzero(last)[:count]
    inputs, points = np.empty((len(nearest), 1, size, size), np.float32), np.empty((len(nearest), 68, 2), np.float32)
    for k, row in enumerate(nearest):
        crop = crop_from_points(labels["points"][row], size, scale)
        raw = decode_array(images[labels["frame"][row]]).sample(crop, (size, size))
        normalise(raw, normalisation, out=inputs[k, 0])
        points[k] = crop.inverse()(labels["points"][row])
    return inputs, points, np.sqrt(np.prod(np.ptp(points, axis=1), axis=1))


def face_errors(model: Model, faces: Path, count: int) -> Array:
    """Errors (N, 68) of a landmark network on rendered faces at their true crops, % of sqrt(w h) of the box."""
    images, points, boxes = crops(faces, model, count)
    found = np.stack([model.run(image=image[None])["points"][0] for image in images])
    return np.linalg.norm(found - points, axis=-1) / boxes[:, None] * 100


class _Reader(CalibrationDataReader):
    """Calibration crops, one by one."""

    def __init__(self, images: Array):
        self._images: Iterator[Array] = iter(images)

    def get_next(self) -> dict[str, Array] | None:
        image = next(self._images, None)
        return None if image is None else {"image": image[None]}


def quantise(file: Path, out: Path, images: Array, operators: Sequence[str] | None = None) -> None:
    """Write the network of an ONNX file in 8-bit integers (weights S8 a channel, activations U8), metadata included.

    Parameters
    ----------
    file, out
        May be the same.
    images : (N, 1, S, S) float32
        Inputs that activations are scaled by.
    operators
        Kinds to quantise; all that can be when None.
    """
    properties = {p.key: p.value for p in onnx.load(str(file)).metadata_props}
    with tempfile.TemporaryDirectory() as scratch:
        prepared = Path(scratch) / "prepared.onnx"
        quant_pre_process(str(file), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared), str(out), _Reader(images), quant_format=QuantFormat.QDQ, per_channel=True,
            op_types_to_quantize=operators, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
        )  # fmt: skip
    network = onnx.load(str(out))
    onnx.helper.set_model_props(network, properties)
    onnx.save(network, str(out))


def quantise_export(out: Path, faces: Path, validation: Path) -> dict[str, float]:
    """Turn an exported landmark network into 8-bit integers, in place; its figures on the validation faces."""
    images, _, _ = crops(faces, load_model(out, provider="cpu"), CALIBRATION)
    quantise(out, out, images)
    error = face_errors(load_model(out, provider="cpu"), validation, 10**9)
    return {"nme": float(error.mean()), "nme51": float(error[:, 17:].mean()), "median": float(np.median(error.mean(1)))}
