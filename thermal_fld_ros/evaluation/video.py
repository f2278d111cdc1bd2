# SPDX-License-Identifier: Apache-2.0
"""What only a sequence shows: jitter on a still head, the lag of smoothing, a mouth that opens."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermal_fld_ros.evaluation.metrics import box_size
from thermal_fld_ros.perception.decoding import ThermalFrame
from thermal_fld_ros.perception.geometry import Affine

Array = NDArray[np.float64]

STILL = 0.3
"""A head is still between two frames when its picture moves by at most this, in percent of the root of its box's area."""
REGION_SIDE, REGION_SCALE, RIM = 64, 1.2, 8
"""The picture's motion is measured in a square of this many pixels, this many times the box's longer side, without its rim."""
LARGEST_LAG, LAG_STEP = 5.0, 0.05  # frames
LEAST_MOTION = 1.0  # percent; less shows no lag
WIDE_OPEN = 0.1  # of the root of the box's area: the inner lips of a yawn are farther apart


def picture_motion(before: ThermalFrame, after: ThermalFrame, box: ArrayLike) -> float:
    """How far the picture of a face moves between two frames, measured without any landmark.

    A square about the box is fetched from both frames at the same place, stretched to 8 bits between the first one's percentiles
    1 and 99, and the length of the dense optical flow between them (Farneback, "Two-frame motion estimation based on polynomial
    expansion", SCIA 2003) is averaged. So turning heads and talking count as motion, too.

    Parameters
    ----------
    before, after : ThermalFrame
    box : (4,)
        Of the face in image pixels.

    Returns
    -------
    Percent of the root of the box's area.
    """
    x, y, width, height = np.asarray(box, dtype=np.float64).tolist()
    scale = REGION_SCALE * max(width, height) / REGION_SIDE
    middle = (REGION_SIDE - 1) / 2
    to_image = Affine.similarity(scale, 0.0, (middle, middle), (x + width / 2, y + height / 2))
    to_upright = before.upright_to_image.inverse() @ to_image
    first, second = (
        frame.sample(to_upright, (REGION_SIDE, REGION_SIDE)).astype(np.float64) for frame in (before, after)
    )
    low, high = np.percentile(first, (1, 99))
    grey = [(np.clip((p - low) / max(high - low, 1e-9), 0, 1) * 255).astype(np.uint8) for p in (first, second)]
    flow = cv2.calcOpticalFlowFarneback(
        grey[0], grey[1], np.zeros((REGION_SIDE, REGION_SIDE, 2), np.float32),
        pyr_scale=0.5, levels=2, winsize=15, iterations=3, poly_n=7, poly_sigma=1.5, flags=0,
    )  # fmt: skip
    inner = flow[RIM:-RIM, RIM:-RIM]
    return float(np.hypot(inner[..., 0], inner[..., 1]).mean()) * scale / box_size(box) * 100.0


def step_motion(before: ArrayLike, after: ArrayLike, box: ArrayLike) -> float:
    """Mean distance that points (K, 2) go between two frames, in percent of the root of the box's area.

    Its mean over the pairs of frames between which the head is still (`picture_motion` at most `STILL`) is the jitter.
    """
    steps = np.linalg.norm(np.asarray(after, dtype=np.float64) - np.asarray(before, dtype=np.float64), axis=-1)
    return float(steps.mean()) / box_size(box) * 100.0


def lag(smoothed: ArrayLike, raw: ArrayLike, size: float) -> float | None:
    """By how many frames smoothed points (T, K, 2) trail the raw ones (T, K, 2).

    The shift k in frames (of `LAG_STEP`, linear between frames) for which the squared distance of smoothed(t) and raw(t - k) is
    least. None where the sequence is too short, or the face hardly moves (its points' mean by less than `LEAST_MOTION` % of `size`
    in standard deviation).
    """
    late, early = np.asarray(smoothed, dtype=np.float64), np.asarray(raw, dtype=np.float64)
    first = int(LARGEST_LAG)
    if len(early) < 3 * first or np.linalg.norm(early.mean(axis=1).std(axis=0)) < LEAST_MOTION / 100.0 * size:
        return None
    times = np.arange(first, len(early))
    shifts = np.arange(0.0, LARGEST_LAG, LAG_STEP)
    costs = []
    for shift in shifts:
        whole = np.floor(times - shift).astype(int)
        part = (times - shift - whole)[:, None, None]
        shifted = early[whole] * (1 - part) + early[np.minimum(whole + 1, len(early) - 1)] * part
        costs.append(((late[times] - shifted) ** 2).mean())
    return round(float(shifts[int(np.argmin(costs))]), 3)


def opening_agreement(predicted: ArrayLike, labelled: ArrayLike) -> dict[str, Any]:
    """How the opening of the mouth over a sequence (T,) follows the labelled one (T,).

    Returns
    -------
    dict with `frames`, Pearson's `correlation`, the range between the 5th and the 95th percentile of both (`predicted_range`,
    `labelled_range`), and where the labelled mouth opens wide (beyond `WIDE_OPEN`) the mean opening inside and outside of these
    frames (`predicted_rise`, `labelled_rise`: their difference), else None.
    """
    found, truth = np.asarray(predicted, dtype=np.float64), np.asarray(labelled, dtype=np.float64)
    known = np.isfinite(found) & np.isfinite(truth)
    found, truth = found[known], truth[known]
    if len(truth) < 3:
        return {"frames": len(truth)}
    spread = float(found.std() * truth.std())
    covariance = float(((found - found.mean()) * (truth - truth.mean())).mean())
    wide = truth > WIDE_OPEN
    rises = wide.any() and not wide.all()
    return {
        "frames": len(truth),
        "correlation": round(covariance / spread, 3) if spread > 1e-12 else None,
        "predicted_range": round(float(np.subtract(*np.percentile(found, (95, 5)))), 4),
        "labelled_range": round(float(np.subtract(*np.percentile(truth, (95, 5)))), 4),
        "predicted_rise": round(float(found[wide].mean() - found[~wide].mean()), 4) if rises else None,
        "labelled_rise": round(float(truth[wide].mean() - truth[~wide].mean()), 4) if rises else None,
    }
