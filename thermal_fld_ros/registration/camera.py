# SPDX-License-Identifier: Apache-2.0
"""Cameras in files: this package's form, and that of camera_calibration and camera_info_manager."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.files import parse_json, read_bytes
from thermal_fld_ros.perception.camera import OTHER_NAMES, UNKNOWN_SIZE, Camera


def camera_of(content: Any) -> Camera:
    """The camera of a mapping; raises ValueError with what is wrong.

    Either this package's form, `{"matrix": 3 x 3, "distortion": [...], "size": [w, h], "model": "plumb_bob"}`, of which
    distortion and model may be missing, or that of ROS (camera_calibration, camera_info_manager): `image_width`, `image_height`,
    `camera_matrix: {data: [...]}`, `distortion_model`, `distortion_coefficients: {data: [...]}`.
    """
    if not isinstance(content, Mapping):
        raise ValueError(f"expected the fields of a camera, found {type(content).__name__}")
    camera = _from_fields(content)
    if camera.size == UNKNOWN_SIZE:
        raise ValueError("the size of the image is 0 x 0, expected width and height in pixels")
    return camera


def _from_fields(content: Mapping[str, Any]) -> Camera:
    try:
        if "camera_matrix" in content:
            return Camera(
                _numbers(content["camera_matrix"]["data"]).reshape(3, 3),
                _numbers(content["distortion_coefficients"]["data"]),
                (int(content["image_width"]), int(content["image_height"])),
                OTHER_NAMES.get(str(content["distortion_model"]), str(content["distortion_model"])),
            )
        width, height = content["size"]
        return Camera(
            _numbers(content["matrix"]),
            _numbers(content.get("distortion", [])),
            (int(width), int(height)),
            str(content.get("model", "plumb_bob")),
        )
    except KeyError as error:
        raise ValueError(f"a camera lacks {error}") from error
    except TypeError as error:
        raise ValueError(f"not a camera: {error}") from error


def read_camera(path: Path) -> Camera:
    """The camera of a YAML or JSON file as `camera_of` takes it; raises ValueError or OSError that names the file."""
    try:
        documents = read_fields(path)
        if len(documents) != 1:
            raise ValueError(f"expected one camera, found {len(documents)} documents")
        return camera_of(documents[0])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def read_fields(path: Path) -> list[Any]:
    """The documents of a YAML file, or what a JSON file holds as the only one; raises ValueError or OSError."""
    text = read_bytes(path).decode("utf-8")
    if path.suffix.lower() == ".json":
        return [parse_json(text)]
    from ruamel.yaml import YAML  # as rosbags, which brings it
    from ruamel.yaml.error import YAMLError

    try:
        return [document for document in YAML(typ="safe").load_all(text) if document is not None]
    except YAMLError as error:
        raise ValueError(f"not YAML: {error}") from error


def fields_of(camera: Camera) -> dict[str, Any]:
    """What `camera_of` takes."""
    return {
        "matrix": camera.matrix.tolist(),
        "distortion": camera.distortion.tolist(),
        "size": list(camera.size),
        "model": camera.model,
    }


def _numbers(values: Any) -> NDArray[np.float64]:
    array: NDArray[np.float64] = np.array(values, dtype=np.float64)
    return array
