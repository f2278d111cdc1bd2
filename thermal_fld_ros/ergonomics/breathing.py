# SPDX-License-Identifier: Apache-2.0
"""Breaths a minute from the temperature of the nostrils, which fall as air is drawn in and rise as it leaves.

This is an estimate for interaction, no medical measurement.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

WINDOW, LEAST_WINDOW = 30.0, 15.0
"""Seconds that are looked at, and that must have been seen."""
RATE = 8.0
"""Hz to which the signal is resampled."""
BAND = (0.1, 0.7)
"""Hz: 6 to 42 breaths a minute."""
NOISE_BAND = (0.08, 2.0)
"""Hz in which the power of all else is looked for."""
WIDTH = 0.05
"""Hz to both sides of a peak that belong to it: about the resolution of the window."""
LARGEST_GAP = 1.0
"""Seconds without a value after which all begins anew."""
EVERY = 0.5
SIZE = 2048
MOTION_RIDGE = 0.1
"""Of the regression on the head's motion, in shares of the motion's power."""
RATES_AGREE = 1.0
"""Breaths a minute by which the rates with and without what the head's motion explains may differ."""
GOOD = 0.7
"""Quality above which a rate may be used; docs/hri_accuracy.md tells by how much it is then off."""


class Breathing:
    """The breathing rate of one person.

    A head that moves makes the measured temperature swing, too. So the rate is looked for twice: in the signal as it is, and without the
    part that a ridge regression on the motion explains. Where the two differ, neither is trusted.

    Attributes
    ----------
    rate : float
        Breaths a minute; NaN while unknown.
    quality : float
        Share in [0, 1] of the power of the signal without the motion that is in the breath and its first harmonic; 0 while unknown,
        and where the head's motion may have made the rate.
    """

    def __init__(self) -> None:
        self.rate, self.quality = math.nan, 0.0
        self._values: deque[tuple[float, ...]] = deque()
        self._next = -math.inf

    def update(self, stamp: float, celsius: float, motion: Sequence[float] = ()) -> None:
        """Take an image.

        Parameters
        ----------
        stamp : float
            Seconds.
        celsius : float
            Of the nostrils, best against that of the skin around; NaN where it is unknown.
        motion : sequence of float
            What tells how the head is turned and where it is, in any units; NaN where unknown. Always of the same length.
        """
        if self._values and not 0.0 <= stamp - self._values[-1][0] <= LARGEST_GAP:
            self._values.clear()
        if math.isfinite(celsius):
            self._values.append((stamp, celsius, *motion))
        while self._values and self._values[0][0] < stamp - WINDOW:
            self._values.popleft()
        if not self._values or self._values[-1][0] - self._values[0][0] < LEAST_WINDOW:
            self.rate, self.quality, self._next = math.nan, 0.0, -math.inf
        elif stamp >= self._next:
            self._next = stamp + EVERY
            self._estimate()

    def _estimate(self) -> None:
        stamps, values, *motion = np.array(self._values).T
        rate, quality = _strongest(stamps, values)
        if motion:
            other, quality = _strongest(stamps, _without(stamps, values, np.array(motion)))
            rate, quality = ((rate + other) / 2.0, quality) if abs(rate - other) <= RATES_AGREE else (rate, 0.0)
        self.rate, self.quality = rate, quality


def _strongest(stamps: Array, values: Array) -> tuple[float, float]:
    """The strongest rate within the band in breaths a minute, and its share of the power; NaN and 0 where there is none."""
    times = np.arange(stamps[0], stamps[-1], 1.0 / RATE)
    # by means over the neighbourhood, not by single values: what is above the new Nyquist frequency must not fold back
    edges = np.searchsorted(stamps, np.append(times, times[-1] + 1.0 / RATE) - 0.5 / RATE)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    counts = np.diff(edges)
    means = np.diff(sums[edges]) / np.maximum(counts, 1)
    signal = np.where(counts > 0, means, np.interp(times, stamps, values))
    signal = signal - np.polynomial.Polynomial.fit(times, signal, 3)(times)
    power = np.abs(np.fft.rfft(signal * np.hanning(len(signal)), SIZE)) ** 2
    frequencies = np.fft.rfftfreq(SIZE, 1.0 / RATE)
    breaths = (frequencies >= BAND[0]) & (frequencies <= BAND[1])
    best = int(np.argmax(np.where(breaths, power, 0.0)))
    before, peak, after = power[best - 1 : best + 2]
    total = float(power[(frequencies >= NOISE_BAND[0]) & (frequencies <= NOISE_BAND[1])].sum())
    if not total > 0.0 or peak < max(before, after):  # the slope of something outside of the band
        return math.nan, 0.0
    bend = before - 2.0 * peak + after
    offset = float(0.5 * (before - after) / bend) if bend < 0.0 else 0.0
    frequency = (best + offset) * RATE / SIZE
    near = np.abs(frequencies - frequency) <= WIDTH
    harmonic = (np.abs(frequencies - 2.0 * frequency) <= WIDTH) & ~near
    return 60.0 * frequency, min(float(power[near | harmonic].sum()) / total, 1.0)


def _without(stamps: Array, values: Array, motion: Array) -> Array:
    """The values (N,) without what the motion (K, N) explains; what changes slowly counts on neither side."""
    place = 2.0 * (stamps - stamps.mean()) / np.ptp(stamps)
    slow, _ = np.linalg.qr(np.vander(place, 4))
    known = np.isfinite(motion)
    means = np.where(known, motion, 0.0).sum(axis=1, keepdims=True) / np.maximum(known.sum(axis=1, keepdims=True), 1)
    moves = np.where(known, motion - means, 0.0).T
    moves = moves - slow @ (slow.T @ moves)
    moves /= np.maximum(moves.std(axis=0), 1e-9)
    left = values - slow @ (slow.T @ values)
    normal = moves.T @ moves + MOTION_RIDGE * len(moves) * np.eye(moves.shape[1])
    return left - moves @ np.linalg.solve(normal, moves.T @ left)
