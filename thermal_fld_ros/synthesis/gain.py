# SPDX-License-Identifier: Apache-2.0
"""Grey values as cameras make them from temperatures: automatic gain control, detail enhancement, JPEG, polarity."""

from __future__ import annotations

import cv2
import numpy as np

from thermal_fld_ros.synthesis.morphable import Array


def gain_control(image: Array, rng: np.random.Generator) -> Array:
    """Grey values as some camera makes them: linear, window, gamma, plateau equalisation, 8 bit, JPEG, polarity."""
    low, high = np.percentile(image[::3, ::3], [0.5, 99.5])
    span = max(high - low, 1e-3)
    kind = rng.random()
    if kind < 0.2:  # a fixed window: the skin or the background saturates
        low, high = low + span * rng.uniform(-0.3, 0.45), high - span * rng.uniform(-0.3, 0.35)
    grey = np.clip((image - low) / max(high - low, 1e-3), 0, 1)
    if 0.2 < kind < 0.45:
        grey = grey ** np.float32(np.exp(rng.normal(0, 0.45)))
    elif 0.45 < kind < 0.7:
        mix = np.float32(rng.uniform(0.2, 1))
        grey = (1 - mix) * grey + mix * _equalise(grey, rng.uniform(1.5, 8))
    if rng.random() < 0.12:
        detail = grey - cv2.GaussianBlur(grey, (0, 0), rng.uniform(1.5, 5))
        grey = np.clip(grey + np.float32(rng.uniform(0.3, 2)) * detail, 0, 1)
    if rng.random() < 0.05:
        grey = 1 - grey
    if rng.random() < 0.25:
        eight = (grey * 255).astype(np.uint8)
        if rng.random() < 0.5:
            _, data = cv2.imencode(".jpg", eight, [cv2.IMWRITE_JPEG_QUALITY, int(rng.uniform(25, 95))])
            eight = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
        grey = eight.astype(np.float32) / 255
    return grey.astype(np.float32)


def _equalise(grey: Array, plateau: float) -> Array:
    """Plateau histogram equalisation: bins are clipped at ``plateau`` times the mean count."""
    bins = np.bincount((grey * 255).astype(np.uint8).ravel(), minlength=256)
    table = np.cumsum(np.minimum(bins, plateau * grey.size / 256))
    return (table / table[-1]).astype(np.float32)[(grey * 255).astype(np.uint8)]
