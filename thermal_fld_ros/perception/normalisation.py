# SPDX-License-Identifier: Apache-2.0
"""From sampled pixels to a network's input: the one function that training and inference share.

Percentiles of the crop itself do not depend on the unit, the camera's range or its gain control, so the same network reads
centikelvin, Planck counts and 8-bit AGC.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# A regular subsample of this many pixels is enough for percentiles, however large the image.
MAX_SAMPLES = 4096

# Below, single precision cannot hold the factor that makes the range 1.
LEAST_RANGE = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class Normalisation:
    """How pixels become network input; stored in the model's metadata.

    Attributes
    ----------
    method : str
        Only "percentile" so far.
    low, high : float
        The percentiles (0 to 100) that become 0 and 1; what lies outside is clipped.
    """

    method: str = "percentile"
    low: float = 1.0
    high: float = 99.0

    def __post_init__(self) -> None:
        if self.method != "percentile":
            raise ValueError(f'normalisation method "{self.method}" is unknown, expected "percentile"')
        if not 0.0 <= self.low < self.high <= 100.0:
            raise ValueError(f"normalisation percentiles must be 0 <= low < high <= 100, not {self.low}, {self.high}")


def normalise(
    raw: NDArray[Any],
    normalisation: Normalisation,
    inverted: bool = False,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Normalise one image.

    Parameters
    ----------
    raw : (H, W) of any real dtype
        Pixels as the camera delivered them, finite.
    normalisation : Normalisation
    inverted : bool
        The image shows warm as dark ("black hot"): turn it round.
    out : (H, W) float32, optional
        Written instead of a new array.

    Returns
    -------
    (H, W) float32 in [0, 1], warm is bright. A flat image becomes 0.5 everywhere.
    """
    low, high = value_range(raw, normalisation)
    if out is None:
        out = np.empty(raw.shape, dtype=np.float32)
    if not high - low >= LEAST_RANGE:
        out.fill(0.5)
        return out
    if inverted:
        low, high = high, low
    np.subtract(raw, low, out=out, dtype=np.float32, casting="unsafe")
    np.multiply(out, np.float32(1.0 / (high - low)), out=out)
    np.maximum(out, np.float32(0.0), out=out)
    np.minimum(out, np.float32(1.0), out=out)
    return out


def value_range(raw: NDArray[Any], normalisation: Normalisation) -> tuple[float, float]:
    """The raw values that become 0 and 1: order statistics of a regular subsample of at most `MAX_SAMPLES` pixels."""
    step = max(1, math.ceil(math.sqrt(raw.size / MAX_SAMPLES)))
    samples = raw[step // 2 :: step, step // 2 :: step].ravel()
    last = samples.size - 1
    first_rank, last_rank = round(last * normalisation.low / 100.0), round(last * normalisation.high / 100.0)
    samples = np.partition(samples, (first_rank, last_rank))
    return float(samples[first_rank]), float(samples[last_rank])
