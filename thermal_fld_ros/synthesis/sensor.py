# SPDX-License-Identifier: Apache-2.0
"""From degC on the focal plane to what a camera delivers: blur, NETD, fixed pattern; centikelvin or 8-bit AGC."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.synthesis.morphable import Array


@dataclass(frozen=True)
class Sensor:
    """One camera. Lengths in pixels, temperatures in kelvin.

    Attributes
    ----------
    blur : standard deviation of the point spread function
    motion : (2,) smear while the bolometer integrates
    netd : temporal noise, standard deviation
    stripes : column and row noise, standard deviation
    drift : slow gradient over the image, peak
    sharpen : strength of the camera's detail enhancement (dark halos around hot edges)
    """

    blur: float
    motion: tuple[float, float]
    netd: float
    stripes: float
    drift: float
    sharpen: float


def sample_sensor(rng: np.random.Generator) -> Sensor:
    """From a good cooled camera to a cheap 160x120 one."""
    moving = rng.random() < 0.2
    return Sensor(
        blur=float(rng.choice([rng.uniform(0.3, 0.8), rng.uniform(0.6, 1.6)])),
        motion=(float(rng.normal(0, 2.0 * moving)), float(rng.normal(0, 0.7 * moving))),
        netd=float(rng.exponential(0.06) + 0.01),
        stripes=float(rng.exponential(0.04)),
        drift=float(rng.exponential(0.25)),
        sharpen=float(rng.choice([0.0, rng.uniform(0, 1.5)])),
    )


def expose(celsius: Array, sensor: Sensor, pattern: np.random.Generator, noise: np.random.Generator) -> Array:
    """Image in degC, (H, W) float32, as the sensor sees the scene ``celsius`` of the same size.

    ``pattern`` draws what stays from frame to frame (stripes, drift), ``noise`` what does not.
    """
    height, width = celsius.shape
    image = cv2.GaussianBlur(celsius, (0, 0), sensor.blur)
    length = float(np.hypot(*sensor.motion))
    if length > 0.5:
        image = cv2.filter2D(image, -1, _motion_kernel(sensor.motion), borderType=cv2.BORDER_REPLICATE)
    if sensor.sharpen > 0:
        image = image + sensor.sharpen * (image - cv2.GaussianBlur(image, (0, 0), 1.5))
    columns, rows = pattern.standard_normal(width, np.float32), pattern.standard_normal((height, 1), np.float32)
    fixed = sensor.stripes * (columns + 0.5 * rows)
    corner = pattern.normal(0, sensor.drift, (2, 2)).astype(np.float32)
    fixed = fixed + cv2.resize(corner, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(image + fixed, np.float32) + np.float32(sensor.netd) * noise.standard_normal(
        (height, width), np.float32
    )


def _motion_kernel(motion: tuple[float, float]) -> Array:
    radius = int(np.ceil(max(abs(motion[0]), abs(motion[1])) / 2)) + 1
    kernel = np.zeros((2 * radius + 1, 2 * radius + 1), np.float32)
    for s in np.linspace(-0.5, 0.5, 21):
        kernel[round(radius + s * motion[1]), round(radius + s * motion[0])] += 1
    return kernel / kernel.sum()


def centikelvin(celsius: Array) -> NDArray[np.uint16]:
    """Radiometric 16-bit output, 0.01 K a count."""
    return np.clip((celsius + 273.15) * 100 + 0.5, 0, 65535).astype(np.uint16)
