# SPDX-License-Identifier: Apache-2.0
"""Angles of the neck, and what ISO 11226 and RULA say of them.

ISO 11226:2000, Ergonomics - Evaluation of static working postures, clause 3.4 (head and neck): inclination of the head against the
reference posture up to 25 degrees is acceptable, from 25 to 85 degrees for a holding time that falls from 8 minutes to 1 minute, beyond
and in extension (without full support) not recommended, nor is an asymmetric posture. A posture is static when it is held for longer
than 4 s.

McAtamney and Corlett 1993, "RULA: a survey method for the investigation of work-related upper limb disorders", Applied Ergonomics 24(2):
the neck scores 1 up to 10 degrees of flexion, 2 up to 20, 3 beyond, 4 in extension; 1 more if it is twisted, 1 more if it is bent sideways.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ACCEPTABLE, LIMIT = 25.0, 85.0
"""Inclination in degrees up to which any time is acceptable, and beyond which none is."""
LONGEST, SHORTEST = 480.0, 60.0
"""Seconds for which these two are acceptable; between them the time falls linearly."""
RULA_STEPS = (10.0, 20.0)


class Iso11226(IntEnum):
    """The verdicts; the values are those of the message FaceErgonomics."""

    UNKNOWN = 0
    ACCEPTABLE = 1
    TIME_LIMITED = 2
    NOT_RECOMMENDED = 3


@dataclass(frozen=True)
class NeckAngles:
    """The head against its reference, degrees.

    Attributes
    ----------
    flexion
        Forwards and down; negative in extension.
    lateral_bend
        Towards the person's right shoulder.
    twist
        To the person's left.
    """

    flexion: float
    lateral_bend: float
    twist: float


def neck_angles(rotation: Array, reference: Array) -> NeckAngles:
    """The angles between two rotations (3, 3) from the head's frame (x forward, y left, z up) to any common one.

    The head is first twisted about the reference's vertical, then bent forwards, then tilted about its own forward axis.
    """
    turn = reference.T @ rotation
    return NeckAngles(
        flexion=math.degrees(math.asin(float(np.clip(-turn[2, 0], -1.0, 1.0)))),
        lateral_bend=math.degrees(math.atan2(float(turn[2, 1]), float(turn[2, 2]))),
        twist=math.degrees(math.atan2(float(turn[1, 0]), float(turn[0, 0]))),
    )


def mean_rotation(rotations: Sequence[Array]) -> Array:
    """The rotation (3, 3) nearest to all of these in the sense of least squares."""
    left, _, right = np.linalg.svd(np.sum(rotations, axis=0))
    turn: Array = left @ np.diag([1.0, 1.0, float(np.linalg.det(left @ right))]) @ right
    return turn


def upright(reference: Array, up: Array) -> Array:
    """The reference (3, 3) with its z axis turned to `up` (3,), a unit vector in the same frame; its twist stays."""
    forward = reference[:, 0] - up * float(up @ reference[:, 0])
    length = float(np.linalg.norm(forward))
    if length < 1e-6:  # a reference that looks straight up or down has no twist to keep
        forward, length = reference[:, 2] - up * float(up @ reference[:, 2]), 1.0
    forward = forward / np.linalg.norm(forward)
    return np.stack([forward, np.cross(up, forward), up], axis=1)


def turn_between(one: Array, other: Array) -> float:
    """Degrees of the rotation from one to the other, both (3, 3)."""
    return math.degrees(math.acos(float(np.clip((np.sum(one * other) - 1.0) / 2.0, -1.0, 1.0))))


def iso_11226(angles: NeckAngles, extension: float, asymmetry: float) -> tuple[Iso11226, float]:
    """The verdict on a posture, and the longest acceptable holding time in seconds (NaN where there is no limit, or no such time).

    Parameters
    ----------
    angles : NeckAngles
    extension
        Degrees of extension that do not count yet: a reference is not more exact.
    asymmetry
        Degrees of lateral bend or twist from which on a posture is asymmetric; the standard says "obviously".
    """
    if angles.flexion < -extension or angles.flexion > LIMIT:
        return Iso11226.NOT_RECOMMENDED, math.nan
    if max(abs(angles.lateral_bend), abs(angles.twist)) > asymmetry:
        return Iso11226.NOT_RECOMMENDED, math.nan
    if angles.flexion <= ACCEPTABLE:
        return Iso11226.ACCEPTABLE, math.nan
    share = (angles.flexion - ACCEPTABLE) / (LIMIT - ACCEPTABLE)
    return Iso11226.TIME_LIMITED, LONGEST + share * (SHORTEST - LONGEST)


def rula_neck_score(angles: NeckAngles, extension: float, asymmetry: float) -> int:
    """RULA's score of the neck, 1 to 6; the parameters are those of `iso_11226`."""
    score = 4 if angles.flexion < -extension else 1 + sum(angles.flexion > step for step in RULA_STEPS)
    return score + (abs(angles.twist) > asymmetry) + (abs(angles.lateral_bend) > asymmetry)


class StillnessTimer:
    """For how long a posture has been held."""

    def __init__(self) -> None:
        self._anchor: Array | None = None
        self._since = 0.0

    def __call__(self, rotation: Array, stamp: float, tolerance: float) -> float:
        """Seconds since the head last turned by more than `tolerance` degrees away from where it came to rest."""
        if self._anchor is None or turn_between(self._anchor, rotation) > tolerance:
            self._anchor, self._since = rotation, stamp
        return stamp - self._since
