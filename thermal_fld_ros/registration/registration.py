# SPDX-License-Identifier: Apache-2.0
"""Where a point of the thermal image lies in the RGB image.

Two cameras do not see from the same place, so where a point lies in the other image depends on its distance (docs/registration.md). A
homography holds for one distance, or for cameras that are close together; calibrated cameras hold for any distance that is given.

>>> registration = read_registration("registration.json")
>>> registration.to_rgb(points)                     # (68, 2) pixels of the thermal image
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermal_fld_ros.files import parse_json, read_bytes
from thermal_fld_ros.perception.camera import Camera
from thermal_fld_ros.perception.geometry import Affine
from thermal_fld_ros.perception.pose import estimate_pose
from thermal_fld_ros.registration.camera import camera_of, fields_of
from thermal_fld_ros.registration.views import Points


class Registration(ABC):
    """The map between the images of two cameras: pixels of the incoming images, origin at the centre of the top-left one.

    `distance` is that of the points from the thermal camera along its optical axis in metres; None takes the registration's own, and a
    homography needs none. A point that is NaN stays NaN, and one that the other camera cannot see becomes NaN: it lies behind it or
    beyond what its calibration holds for.
    """

    @abstractmethod
    def to_rgb(self, points: ArrayLike, distance: float | None = None) -> Points:
        """Pixels of the thermal image to those of the RGB image, (..., 2) -> (..., 2)."""

    @abstractmethod
    def to_thermal(self, points: ArrayLike, distance: float | None = None) -> Points:
        """Pixels of the RGB image to those of the thermal image, (..., 2) -> (..., 2)."""

    @abstractmethod
    def distance_of(self, points: NDArray[np.floating], confidence: NDArray[np.floating]) -> float | None:
        """How far a face with these 68 thermal points (68, 2) is; None where that cannot be known."""

    @abstractmethod
    def fields(self) -> dict[str, Any]:
        """The fields of the registration file."""

    def affine_at(self, box: ArrayLike, distance: float | None = None) -> Affine:
        """The affine map thermal -> RGB that is nearest to this map (least squares) in a box of the thermal image.

        Parameters
        ----------
        box : (4,)
            x, y, width, height.

        Raises
        ------
        ValueError
            The box is empty, or a part of it lies where the RGB camera cannot see.
        """
        x, y, width, height = np.asarray(box, dtype=np.float64)
        if not (width > 0.0 and height > 0.0):
            raise ValueError(f"a box has a width and a height above 0, not {width} and {height}")
        steps = np.array([(i, j) for i in (-0.5, 0.0, 0.5) for j in (-0.5, 0.0, 0.5)])
        centre, size = np.array([x + width / 2, y + height / 2]), np.array([width, height])
        mapped = self.to_rgb(centre + steps * size, distance)
        if not np.isfinite(mapped).all():
            raise ValueError("the RGB camera cannot see all of this box")
        linear = (steps.T @ mapped / (steps**2).sum(axis=0)[:, None]).T / size
        return Affine(np.column_stack([linear, mapped.mean(axis=0) - linear @ centre]))


@dataclass(frozen=True, eq=False)
class Homography(Registration):
    """Of a plane, or of cameras in one place.

    Attributes
    ----------
    matrix : (3, 3) float64
        From thermal to RGB pixels. Points whose third coordinate is not above 0 after it cannot be seen.

    Raises
    ------
    ValueError
        The matrix has no inverse.
    """

    matrix: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.matrix.shape != (3, 3) or not np.isfinite(self.matrix).all():
            raise ValueError('"homography" is not a 3 x 3 matrix of finite numbers')
        if np.linalg.cond(self.matrix) > 1e12:
            raise ValueError('"homography" has no inverse')

    def to_rgb(self, points: ArrayLike, distance: float | None = None) -> Points:
        """As of the base; the distance changes nothing."""
        return _mapped(self.matrix, points)

    def to_thermal(self, points: ArrayLike, distance: float | None = None) -> Points:
        """As of the base; the distance changes nothing."""
        return _mapped(np.asarray(np.linalg.inv(self.matrix), np.float64), points)

    def distance_of(self, points: NDArray[np.floating], confidence: NDArray[np.floating]) -> float | None:
        """None."""
        return None

    def fields(self) -> dict[str, Any]:
        """As of the base."""
        return {"homography": self.matrix.tolist()}


@dataclass(frozen=True, eq=False)
class CameraPair(Registration):
    """Two calibrated cameras.

    Attributes
    ----------
    thermal, rgb : Camera
    rotation : (3, 3) float64
    translation : (3,) float64
        x_rgb = rotation @ x_thermal + translation, metres, in the optical frames (REP-103, REP-104).
    distance : float
        At which a point is where none is given: metres along the thermal camera's optical axis.

    Raises
    ------
    ValueError
        The values do not describe this.
    """

    thermal: Camera
    rgb: Camera
    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]
    distance: float

    def __post_init__(self) -> None:
        r = self.rotation
        if r.shape != (3, 3) or not np.allclose(r @ r.T, np.eye(3), atol=1e-3) or np.linalg.det(r) < 0.0:
            raise ValueError('"rotation" is not a 3 x 3 rotation matrix')
        if self.translation.shape != (3,) or not np.isfinite(self.translation).all():
            raise ValueError('"translation" is not x, y, z in metres')
        _check_distance(self.distance)

    def to_rgb(self, points: ArrayLike, distance: float | None = None) -> Points:
        """As of the base."""
        rays = _lifted(self.thermal.rays(points))
        return self.rgb.project(self._depth(distance) * rays @ self.rotation.T + self.translation)

    def to_thermal(self, points: ArrayLike, distance: float | None = None) -> Points:
        """As of the base: where the ray of an RGB pixel meets the plane at that distance before the thermal camera."""
        direction = _lifted(self.rgb.rays(points)) @ self.rotation  # R^T d
        origin = -self.translation @ self.rotation
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = (self._depth(distance) - origin[2]) / direction[..., 2:]
        return self.thermal.project(origin + np.where(reach > 0.0, reach, np.nan) * direction)

    def distance_of(self, points: NDArray[np.floating], confidence: NDArray[np.floating]) -> float | None:
        """From the size of a generic face (`perception/pose.py`); people differ by about 10 %."""
        pose = estimate_pose(points, confidence, self.thermal)
        return float(pose.position[2]) if pose else None

    def fields(self) -> dict[str, Any]:
        """As of the base."""
        return {
            "thermal": fields_of(self.thermal),
            "rgb": fields_of(self.rgb),
            "rotation": self.rotation.tolist(),
            "translation": self.translation.tolist(),
            "distance": self.distance,
        }

    def _depth(self, distance: float | None) -> float:
        if distance is None:
            return self.distance
        _check_distance(distance)
        return distance


def read_registration(path: str | Path) -> Registration:
    """Read a JSON file of `write_registration`; docs/registration.md describes it.

    Raises
    ------
    ValueError, OSError
        Naming the file, what is wrong and what was expected.
    """
    path = Path(path)
    try:
        content = parse_json(read_bytes(path))
        if not isinstance(content, Mapping) or not ("homography" in content or "rotation" in content):
            raise ValueError(
                'expected an object with "homography", or with thermal, rgb, rotation, translation, distance'
            )
        if "homography" in content:
            return Homography(np.array(content["homography"], dtype=np.float64))
        return CameraPair(
            _camera(content, "thermal"),
            _camera(content, "rgb"),
            np.array(content["rotation"], dtype=np.float64),
            np.array(content["translation"], dtype=np.float64),
            float(content["distance"]),
        )
    except KeyError as error:
        raise ValueError(f"{path}: calibrated cameras lack {error}") from error
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from error


def write_registration(registration: Registration, path: str | Path, **about: Any) -> None:
    """Write the file that `read_registration` reads.

    Parameters
    ----------
    about
        How it was made, how good it is: kept in the file under "about", not read.
    """
    content = registration.fields() | ({"about": about} if about else {})
    Path(path).write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _camera(content: Mapping[str, Any], name: str) -> Camera:
    try:
        return camera_of(content[name])
    except ValueError as error:
        raise ValueError(f'"{name}": {error}') from error


def _check_distance(distance: float) -> None:
    if not (np.isfinite(distance) and distance > 0.0):
        raise ValueError(f"a distance is in metres and above 0, not {distance}")


def _mapped(matrix: NDArray[np.float64], points: ArrayLike) -> Points:
    mapped = _lifted(np.asarray(points, dtype=np.float64)) @ matrix.T
    return mapped[..., :2] / np.where(mapped[..., 2:] > 0.0, mapped[..., 2:], np.nan)


def _lifted(points: Points) -> Points:
    return np.concatenate([points, np.ones((*points.shape[:-1], 1))], axis=-1)
