# SPDX-License-Identifier: Apache-2.0
"""Eyes and mouth over time, from landmarks.

The openings are ratios of distances, so that they hold for near and far faces: the eyes' is the eye aspect ratio (Soukupova and Cech 2016,
"Real-time eye blink detection using facial landmarks"), freed of the shortening by yaw; the mouth's is the gap between the inner lips in
lengths of the nose. PERCLOS is the share of time in which the eyes are closed by at least 80 % (Wierwille et al. 1994).
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.ergonomics.windows import TimeShare
from thermal_fld_ros.options import check_ranges, limited

UPPER_LIP, LOWER_LIP = np.array([61, 62, 63]), np.array([67, 66, 65])
INNER_MOUTH = np.arange(60, 68)
NOSE = (27, 33)
PERCLOS_OPENING = 0.2
OPEN_QUANTILE, OPEN_RATE = 0.75, 0.06
"""A person's open eyes are at this quantile of the ratio, which is followed by this much a second."""
SPEECH_WINDOW, SPEECH_CROSSINGS = 2.0, 6
"""Seconds that are looked at, and how often the lips must have crossed their mean in them."""


def eye_ratio(points: NDArray[np.floating], eye: NDArray[np.intp]) -> float:
    """Mean gap of the lids over the width of the eye, whose points are numbered from its corner on the left of an upright image."""
    a, b, c, d, e, f = points[eye].astype(np.float64)
    width = float(np.hypot(*(d - a)))
    gap = float(np.hypot(*(b - f)) + np.hypot(*(c - e)))
    return gap / (2.0 * width) if width > 0.0 else math.nan


def mouth_ratio(points: NDArray[np.floating]) -> float:
    """Mean gap between the inner lips over the length of the nose (points 27 to 33)."""
    gaps = np.linalg.norm((points[UPPER_LIP] - points[LOWER_LIP]).astype(np.float64), axis=1)
    nose = float(np.linalg.norm((points[NOSE[0]] - points[NOSE[1]]).astype(np.float64)))
    return float(gaps.mean()) / nose if nose > 0.0 else math.nan


@dataclass(frozen=True)
class EyeOptions:
    """Thresholds for closed eyes and blinks.

    Attributes
    ----------
    eye_open
        Ratio of open eyes until the person's own is known.
    eye_closed
        Ratio at which eyes count as closed, in shares of that of open ones: what the landmark network makes of closed lids.
    blink_opening
        Opening below which a blink begins; it ends above 1.5 times this.
    blink_seconds
        A closure that lasts longer is no blink.
    perclos_window
        Seconds.
    """

    eye_open: float = limited(0.32, 0.05, 1.0)
    eye_closed: float = limited(0.59, 0.0, 0.95)
    blink_opening: float = limited(0.4, 0.01, 0.6)
    blink_seconds: float = limited(0.5, 0.05, 5.0)
    perclos_window: float = limited(60.0, 1.0, 3600.0)

    def __post_init__(self) -> None:
        check_ranges(self)


class Eyes:
    """Openings, blinks and PERCLOS of one person.

    Attributes
    ----------
    opening : (right, left)
        0 is closed, 1 as open as usual; NaN where unknown.
    closed : bool
    blinks : int
    perclos : TimeShare
    seen : float
        Seconds in which the eyes were seen.
    """

    def __init__(self, options: EyeOptions) -> None:
        self.opening = (math.nan, math.nan)
        self.closed = False
        self.blinks = 0
        self.seen = 0.0
        self.perclos = TimeShare(options.perclos_window)
        self._usual = options.eye_open
        self._shut_since: float | None = None

    def update(self, options: EyeOptions, stamp: float, seconds: float, ratios: tuple[float, float]) -> None:
        """Take the ratios (right, left) of one image, `seconds` after the last; NaN where an eye is not seen."""
        known = [ratio for ratio in ratios if math.isfinite(ratio)]
        self.opening = (self._opening(options, ratios[0]), self._opening(options, ratios[1]))
        if not known:
            self.perclos.forget(stamp)
            self._shut_since, self.closed = None, False
            return
        ratio = sum(known) / len(known)
        self._usual += OPEN_RATE * seconds * (OPEN_QUANTILE - (ratio < self._usual)) * 2.0 * options.eye_open
        self.seen += seconds
        opening = self._opening(options, ratio)
        self.closed = opening < PERCLOS_OPENING
        self.perclos.window = options.perclos_window
        self.perclos.add(stamp, seconds, self.closed)
        if self._shut_since is None:
            if opening < options.blink_opening:
                self._shut_since = stamp
        elif opening > 1.5 * options.blink_opening:
            self.blinks += stamp - self._shut_since <= options.blink_seconds
            self._shut_since = None

    def _opening(self, options: EyeOptions, ratio: float) -> float:
        closed = options.eye_closed * self._usual
        return min(max((ratio - closed) / (self._usual - closed), 0.0), 1.5) if math.isfinite(ratio) else math.nan


@dataclass(frozen=True)
class MouthOptions:
    """Thresholds for yawns and speech.

    Attributes
    ----------
    yawn_opening
        Lengths of the nose.
    yawn_seconds
        For how long the mouth is that wide open.
    speech_motion
        Standard deviation of the opening over two seconds, in lengths of the nose.
    """

    yawn_opening: float = limited(0.20, 0.05, 2.0)
    yawn_seconds: float = limited(1.5, 0.1, 30.0)
    speech_motion: float = limited(0.015, 0.0, 1.0)

    def __post_init__(self) -> None:
        check_ranges(self)


class Mouth:
    """Opening, yawns and speech-like motion of one person.

    Attributes
    ----------
    opening : float
        Lengths of the nose; NaN where unknown.
    yawning : bool
    yawns : int
    motion : float
        Of the last two seconds; NaN where they are not known.
    speaking : bool
    """

    def __init__(self) -> None:
        self.opening = self.motion = math.nan
        self.yawning = self.speaking = False
        self.yawns = 0
        self._wide_since: float | None = None
        self._recent: deque[tuple[float, float]] = deque()

    def update(self, options: MouthOptions, stamp: float, opening: float) -> None:
        """Take the opening in one image; NaN where the mouth is not seen."""
        self.opening = opening
        while self._recent and self._recent[0][0] < stamp - SPEECH_WINDOW:
            self._recent.popleft()
        if not math.isfinite(opening):
            self._wide_since, self.yawning, self.motion, self.speaking = None, False, math.nan, False
            return
        self._recent.append((stamp, opening))
        if opening < options.yawn_opening:
            self._wide_since, self.yawning = None, False
        else:
            self._wide_since = stamp if self._wide_since is None else self._wide_since
            wide = stamp - self._wide_since >= options.yawn_seconds
            self.yawns += wide and not self.yawning
            self.yawning = wide
        self._move(options)

    def _move(self, options: MouthOptions) -> None:
        stamps, openings = np.array(self._recent).T
        if len(stamps) < 5 or stamps[-1] - stamps[0] < 0.5 * SPEECH_WINDOW:
            self.motion, self.speaking = math.nan, False
            return
        trend = np.polynomial.Polynomial.fit(stamps, openings, 2)(stamps)  # a slow opening is no speech
        swing = openings - trend
        self.motion = float(swing.std())
        signs = np.sign(swing[np.abs(swing) > 0.3 * self.motion])
        crossings = int(np.count_nonzero(np.diff(signs)))
        self.speaking = self.motion > options.speech_motion and crossings >= SPEECH_CROSSINGS and not self.yawning
