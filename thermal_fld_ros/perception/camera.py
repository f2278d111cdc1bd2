# SPDX-License-Identifier: Apache-2.0
"""A calibrated camera with the distortion models that `sensor_msgs/CameraInfo` names."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermal_fld_ros.perception.geometry import Size

COEFFICIENTS = {"plumb_bob": (0, 4, 5, 8, 12, 14), "rational_polynomial": (0, 4, 5, 8, 12, 14), "equidistant": (0, 4)}
"""Distortion models, and how many coefficients each may have; without any, the first two are a pinhole."""

OTHER_NAMES = {"": "plumb_bob", "radtan": "plumb_bob", "fisheye": "equidistant", "kannala_brandt": "equidistant"}
"""Names that calibrators give the models: kalibr, OpenCV, and drivers that name none."""

UNKNOWN_SIZE: Size = (0, 0)

PIXEL_TOLERANCE = 0.1
"""Pixels by which a point may miss itself after distortion and back."""

CONVERGENCE = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-12)


@dataclass(frozen=True, eq=False)
class Camera:
    """From rays to pixels and back.

    Rays are x/z, y/z in the optical frame of REP-103: x right, y down, z forward.

    Attributes
    ----------
    matrix : (3, 3) float64
        K in pixels; the origin is the centre of the top-left pixel.
    distortion : (n,) float64
        D, as OpenCV orders it.
    size : (int, int)
        Width and height of the image that it holds for; `UNKNOWN_SIZE`: not told.
    model : str
        Of `COEFFICIENTS`: "plumb_bob" or "rational_polynomial" (OpenCV's), or "equidistant" (Kannala and Brandt 2006, OpenCV's fisheye).
    approximate : bool
        Not calibrated: the focal length is that of an assumed field of view.

    Raises
    ------
    ValueError
        The values are those of no camera.
    """

    matrix: NDArray[np.float64]
    distortion: NDArray[np.float64]
    size: Size = UNKNOWN_SIZE
    model: str = "plumb_bob"
    approximate: bool = False

    @classmethod
    def from_field_of_view(cls, size: Size, degrees: float) -> Camera:
        """The camera whose longer image side, of an image of `size` (width, height), spans `degrees`; it is `approximate`."""
        focal = max(size) / 2 / math.tan(math.radians(degrees) / 2)
        middle = ((size[0] - 1) / 2, (size[1] - 1) / 2)
        matrix = np.array([[focal, 0.0, middle[0]], [0.0, focal, middle[1]], [0.0, 0.0, 1.0]])
        return cls(matrix, np.empty(0), size, approximate=True)

    def __post_init__(self) -> None:
        k, d = self.matrix, self.distortion
        if k.shape != (3, 3) or not np.isfinite(k).all() or k[0, 0] <= 0 or k[1, 1] <= 0 or (k[2] != (0, 0, 1)).any():
            raise ValueError(
                "the camera matrix must be 3 x 3, with focal lengths above 0 and the last row 0 0 1 "
                "(all zeros mean that the camera is not calibrated)"
            )
        if self.model not in COEFFICIENTS:
            raise ValueError(f'distortion model "{self.model}" is not one of {", ".join(COEFFICIENTS)}')
        if d.ndim != 1 or len(d) not in COEFFICIENTS[self.model]:
            counts = " or ".join(map(str, COEFFICIENTS[self.model]))
            raise ValueError(f"D has {len(d)} coefficients, {self.model} has {counts}")
        if not np.isfinite(d).all():
            raise ValueError(f"D is not finite: {d.tolist()}")
        if tuple(self.size) != UNKNOWN_SIZE and (len(self.size) != 2 or min(self.size) <= 0):
            raise ValueError(f"the size of the image is {self.size}, expected width and height in pixels")

    def rays(self, points: ArrayLike) -> NDArray[np.float64]:
        """Pixels to rays, (..., 2) -> (..., 2); NaN where the distortion cannot be undone."""
        pixels = np.asarray(points, dtype=np.float64)
        if not pixels.size:  # which OpenCV refuses
            return pixels.copy()
        rays = self._undistorted(pixels)
        if self._plain:
            return rays
        with np.errstate(invalid="ignore"):
            missed = np.abs(self._distorted(rays) - pixels).max(axis=-1) > PIXEL_TOLERANCE
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
            missed = np.abs(self._undistorted(pixels) - rays).max(axis=-1) > PIXEL_TOLERANCE / self.matrix[0, 0]
        pixels[missed] = np.nan
        return pixels

    def part(self, offset: tuple[float, float], binning: tuple[int, int], size: Size) -> Camera:
        """The camera of a part of the image, whose pixels are averaged by these factors.

        Parameters
        ----------
        offset : (float, float)
            x and y of the part's first pixel in the whole image; negative where rows were added before it.
        binning : (int, int)
            Pixels that become one, across and down.
        size : (int, int)
            Width and height of the result.

        Notes
        -----
        The middle of the first binned pixel lies between those that it is made of, so a coordinate x becomes
        (x - offset + 0.5) / binning - 0.5. (image_geometry leaves out the halves, which differs by less than half a binned pixel.)
        """
        scale = np.array([[1.0 / binning[0]], [1.0 / binning[1]], [1.0]])
        matrix = self.matrix.copy()
        matrix[:2, 2] += 0.5 - np.asarray(offset, np.float64)
        matrix *= scale
        matrix[:2, 2] -= 0.5
        return replace(self, matrix=matrix, size=size)

    def _undistorted(self, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        k = self.matrix
        if self._plain:
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
    def _plain(self) -> bool:
        """Whether nothing is distorted."""
        return self.model != "equidistant" and not self.distortion.any()

    @property
    def _fisheye(self) -> NDArray[np.float64]:
        return self.distortion if len(self.distortion) else np.zeros(4)


def _column(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.ascontiguousarray(points.reshape(-1, 1, 2))


def _like(points: Any, other: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(points, dtype=np.float64).reshape(other.shape)


def camera_of_info(info: Any) -> Camera:
    """The camera of a `sensor_msgs/CameraInfo`, read by rosbags or rclpy, for the image that it comes with.

    K and D are those of the sensor's full resolution, `width` x `height`; the image is the region of interest of it, if that is set,
    after binning (sensor_msgs/CameraInfo, REP-104). Raises ValueError with what is wrong.
    """
    matrix, distortion = np.array(info.k, dtype=np.float64).reshape(3, 3), np.array(info.d, dtype=np.float64)
    if not (np.isfinite(matrix).all() and np.isfinite(distortion).all()):
        raise ValueError("K or D is not finite")
    model = OTHER_NAMES.get(info.distortion_model, info.distortion_model)
    if not distortion.any() and model not in COEFFICIENTS:
        model, distortion = "plumb_bob", np.empty(0)
    whole = Camera(matrix, distortion, (int(info.width), int(info.height)), model)
    roi, binning = info.roi, (max(int(info.binning_x), 1), max(int(info.binning_y), 1))
    size = (int(roi.width), int(roi.height)) if roi.width and roi.height else whole.size
    if size == whole.size and binning == (1, 1):
        return whole
    if size != whole.size and not (
        roi.x_offset + roi.width <= whole.size[0] and roi.y_offset + roi.height <= whole.size[1]
    ):
        raise ValueError(
            f"the region of interest, {roi.width} x {roi.height} px from {roi.x_offset}, {roi.y_offset} on, does not lie in "
            f"{whole.size[0]} x {whole.size[1]} px"
        )
    offset = (float(roi.x_offset), float(roi.y_offset)) if size != whole.size else (0.0, 0.0)
    return whole.part(offset, binning, (size[0] // binning[0], size[1] // binning[1]))
