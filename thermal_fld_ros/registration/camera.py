# SPDX-License-Identifier: Apache-2.0
"""A calibrated camera with the distortion models that `sensor_msgs/CameraInfo` names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermal_fld_ros.files import parse_json, read_bytes
from thermal_fld_ros.perception.geometry import Size

COEFFICIENTS = {"plumb_bob": (0, 4, 5), "rational_polynomial": (0, 8, 12, 14), "equidistant": (0, 4)}
"""Distortion models, and how many coefficients each may have, none for a pinhole."""

TOLERANCE = 0.1
"""Pixels by which a point may miss itself after distortion and back."""

CONVERGENCE = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-12)


@dataclass(frozen=True, eq=False)
class CameraModel:
    """From rays to pixels and back.

    Rays are x/z, y/z in the optical frame of REP-103: x right, y down, z forward.

    Attributes
    ----------
    matrix : (3, 3) float64
        K in pixels; the origin is the centre of the top-left pixel.
    distortion : (n,) float64
        D, as OpenCV orders it.
    size : width and height of the image that it holds for
    model
        Of `COEFFICIENTS`: "plumb_bob" or "rational_polynomial" (OpenCV's), or "equidistant" (Kannala and Brandt 2006, OpenCV's fisheye).

    Raises
    ------
    ValueError
        The values are those of no camera.
    """

    matrix: NDArray[np.float64]
    distortion: NDArray[np.float64]
    size: Size
    model: str = "plumb_bob"

    def __post_init__(self) -> None:
        k, d = self.matrix, self.distortion
        if k.shape != (3, 3) or not np.isfinite(k).all() or k[0, 0] <= 0 or k[1, 1] <= 0 or (k[2] != (0, 0, 1)).any():
            raise ValueError(
                "a camera matrix is 3 x 3 with focal lengths above 0 and last row 0 0 1; zeros mean: not calibrated"
            )
        if self.model not in COEFFICIENTS:
            raise ValueError(f'distortion model "{self.model}" is not one of {", ".join(COEFFICIENTS)}')
        if d.ndim != 1 or len(d) not in COEFFICIENTS[self.model] or not np.isfinite(d).all():
            counts = " or ".join(map(str, COEFFICIENTS[self.model]))
            raise ValueError(f"{self.model} has {counts} finite coefficients, not {d.tolist()}")
        if len(self.size) != 2 or min(self.size) <= 0:
            raise ValueError(f"the size of the image is {self.size}, expected width and height in pixels")

    def rays(self, points: ArrayLike) -> NDArray[np.float64]:
        """Pixels to rays, (..., 2) -> (..., 2); NaN where the distortion cannot be undone."""
        pixels = np.asarray(points, dtype=np.float64)
        if not pixels.size:  # which OpenCV refuses
            return pixels.copy()
        rays = self._undistorted(pixels)
        with np.errstate(invalid="ignore"):
            missed = np.abs(self._distorted(rays) - pixels).max(axis=-1) > TOLERANCE
        rays[missed] = np.nan
        return rays

    def project(self, points: ArrayLike) -> NDArray[np.float64]:
        """Points in the optical frame to pixels, (..., 3) -> (..., 2).

        NaN behind the camera, and where the distortion, which holds for the field of view only, folds back: so nothing that
        lies far outside seems to be in the image.
        """
        seen = np.asarray(points, dtype=np.float64)
        if not seen.size:
            return seen[..., :2].copy()
        depth = np.where(seen[..., 2:] > 0.0, seen[..., 2:], np.nan)
        rays = seen[..., :2] / depth
        pixels = self._distorted(rays)
        with np.errstate(invalid="ignore"):
            missed = np.abs(self._undistorted(pixels) - rays).max(axis=-1) > TOLERANCE / self.matrix[0, 0]
        pixels[missed] = np.nan
        return pixels

    def _undistorted(self, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        k = self.matrix
        if not self.distortion.any() and self.model != "equidistant":
            y = (pixels[..., 1] - k[1, 2]) / k[1, 1]
            return np.stack([(pixels[..., 0] - k[0, 2] - k[0, 1] * y) / k[0, 0], y], axis=-1)
        flat = _column(pixels)
        if self.model == "equidistant":
            rays = cv2.fisheye.undistortPoints(flat, k, self._fisheye, criteria=CONVERGENCE)
        else:
            rays = cv2.undistortPointsIter(flat, k, self.distortion, np.eye(3), np.eye(3), CONVERGENCE)
        return _like(rays, pixels)

    def _distorted(self, rays: NDArray[np.float64]) -> NDArray[np.float64]:
        flat = _column(rays)
        if self.model == "equidistant":
            return _like(cv2.fisheye.distortPoints(flat, self.matrix, self._fisheye), rays)
        lifted = cv2.convertPointsToHomogeneous(flat)
        return _like(cv2.projectPoints(lifted, np.zeros(3), np.zeros(3), self.matrix, self.distortion)[0], rays)

    @property
    def _fisheye(self) -> NDArray[np.float64]:
        return self.distortion if len(self.distortion) else np.zeros(4)


def _column(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.ascontiguousarray(points.reshape(-1, 1, 2))


def _like(points: Any, other: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(points, dtype=np.float64).reshape(other.shape)


def camera_of(content: Any) -> CameraModel:
    """The camera of a mapping; raises ValueError with what is wrong.

    Either this package's form, `{"matrix": 3 x 3, "distortion": [...], "size": [w, h], "model": "plumb_bob"}`, of which
    distortion and model may be missing, or that of ROS (camera_calibration, camera_info_manager): `image_width`, `image_height`,
    `camera_matrix: {data: [...]}`, `distortion_model`, `distortion_coefficients: {data: [...]}`.
    """
    if not isinstance(content, Mapping):
        raise ValueError(f"expected the fields of a camera, found {type(content).__name__}")
    try:
        if "camera_matrix" in content:
            return CameraModel(
                _numbers(content["camera_matrix"]["data"]).reshape(3, 3),
                _numbers(content["distortion_coefficients"]["data"]),
                (int(content["image_width"]), int(content["image_height"])),
                str(content["distortion_model"]),
            )
        width, height = content["size"]
        return CameraModel(
            _numbers(content["matrix"]),
            _numbers(content.get("distortion", [])),
            (int(width), int(height)),
            str(content.get("model", "plumb_bob")),
        )
    except KeyError as error:
        raise ValueError(f"a camera lacks {error}") from error
    except TypeError as error:
        raise ValueError(f"not a camera: {error}") from error


def camera_of_info(info: Any) -> CameraModel:
    """The camera of a `sensor_msgs/CameraInfo`, read by rosbags or rclpy; raises ValueError with what is wrong."""
    if info.binning_x > 1 or info.binning_y > 1 or info.roi.width:
        raise ValueError(
            "camera_info with binning or a region of interest is not supported: calibrate for the images as they are"
        )
    matrix, distortion = np.array(info.k, dtype=np.float64).reshape(3, 3), np.array(info.d, dtype=np.float64)
    model = info.distortion_model or "plumb_bob"
    return CameraModel(matrix, distortion, (int(info.width), int(info.height)), model)


def read_camera(path: Path) -> CameraModel:
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


def fields_of(camera: CameraModel) -> dict[str, Any]:
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
