# SPDX-License-Identifier: Apache-2.0
"""One person over time: observations in, what is known of posture, eyes, mouth, attention and breathing out."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.ergonomics.breathing import Breathing
from thermal_fld_ros.ergonomics.posture import (
    Array,
    Iso11226,
    NeckAngles,
    StillnessTimer,
    iso_11226,
    mean_rotation,
    neck_angles,
    rula_neck_score,
    upright,
)
from thermal_fld_ros.ergonomics.states import (
    INNER_MOUTH,
    EyeOptions,
    Eyes,
    Mouth,
    MouthOptions,
    eye_ratio,
    mouth_ratio,
)
from thermal_fld_ros.ergonomics.windows import TimeShare
from thermal_fld_ros.options import check_ranges, limited
from thermal_fld_ros.perception.face import LEFT_EYE, RIGHT_EYE
from thermal_fld_ros.perception.pose import WORST_ERROR, Pose

FIRST_SECONDS, SERVICE = 1, 2
"""Kinds of references, as in the message FaceErgonomics; 0 is none."""
APPROXIMATE = 0.5
"""Confidence of angles from a camera that is not calibrated, in shares of that from one that is."""
LONGEST_STEP = 1.0
"""Seconds that an image may stand for; a longer gap is unknown time."""
RECENT = 1.0
"""Seconds of poses that a call of the service takes the mean of."""


@dataclass(frozen=True)
class ErgonomicsOptions:
    """Everything that can be tuned.

    Attributes
    ----------
    calibration_seconds
        Of a person's poses at the beginning whose mean is the first reference.
    static_tolerance
        Degrees within which a head counts as still.
    extension_margin, asymmetry
        See `posture.iso_11226`.
    attention_angle
        Degrees between the face's direction and that to the camera within which a person counts as attentive.
    attention_window
        Seconds.
    least_confidence
        Mean confidence of an eye's or the mouth's points below which it counts as not seen.
    most_yaw
        Degrees of yaw towards the camera beyond which eyes are not looked at: the far one is hidden, the near one foreshortened.
    vital_signs
        Estimate breathing and the difference of nose and forehead.
    eyes, mouth
    """

    calibration_seconds: float = limited(3.0, 0.1, 600.0)
    static_tolerance: float = limited(10.0, 0.1, 90.0)
    extension_margin: float = limited(5.0, 0.0, 45.0)
    asymmetry: float = limited(15.0, 0.0, 90.0)
    attention_angle: float = limited(20.0, 0.0, 180.0)
    attention_window: float = limited(10.0, 0.1, 3600.0)
    least_confidence: float = limited(0.4, 0.0, 1.0)
    most_yaw: float = limited(45.0, 0.0, 90.0)
    vital_signs: bool = False
    eyes: EyeOptions = field(default_factory=EyeOptions)
    mouth: MouthOptions = field(default_factory=MouthOptions)

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True, eq=False)
class Observation:
    """A face in one image.

    Attributes
    ----------
    stamp : float
        Seconds.
    points : (68, 2)
        Pixels.
    confidence : (68,)
    pose : Pose or None
    temperatures : dict
        Region to degC.
    """

    stamp: float
    points: NDArray[np.floating]
    confidence: NDArray[np.floating]
    pose: Pose | None = None
    temperatures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Ergonomics:
    """What is known at one stamp. The fields and their units are those of the message FaceErgonomics."""

    present_time: float
    reference: int
    gravity_known: bool
    neck: NeckAngles
    neck_confidence: float
    static_time: float
    iso_11226: Iso11226
    acceptable_time: float
    rula_neck_score: int
    right_eye_opening: float
    left_eye_opening: float
    eye_confidence: float
    eyes_closed: bool
    blinks: int
    blink_rate: float
    perclos: float
    perclos_confidence: float
    mouth_opening: float
    mouth_confidence: float
    yawning: bool
    yawns: int
    speech_motion: float
    speaking: bool
    attention_angle: float
    attentive: bool
    attention_share: float
    attention_confidence: float
    breathing_rate: float
    breathing_quality: float
    nose_forehead_difference: float


UNKNOWN_NECK = NeckAngles(math.nan, math.nan, math.nan)


class PersonErgonomics:
    """The states of one face.

    Attributes
    ----------
    last_seen : float
        Stamp of the last observation.
    """

    def __init__(self, options: ErgonomicsOptions, stamp: float) -> None:
        self.options = options
        self.first_seen = self.last_seen = stamp
        self._reference: Array | None = None
        self._reference_kind = 0
        self._first: list[Array] = []
        self._first_time = 0.0
        self._recent: deque[tuple[float, Array]] = deque()
        self._stillness = StillnessTimer()
        self._eyes = Eyes(options.eyes)
        self._mouth = Mouth()
        self._attention = TimeShare(options.attention_window)
        self._breathing = Breathing()

    def calibrate(self) -> bool:
        """Take the mean posture of the last second as the reference. Returns whether there is one."""
        recent = [turn for stamp, turn in self._recent if stamp >= self.last_seen - RECENT]
        if not recent:
            return False
        self._reference, self._reference_kind = mean_rotation(recent), SERVICE
        return True

    def update(self, seen: Observation, up: Array | None = None) -> Ergonomics:
        """Take the face of the next image.

        Parameters
        ----------
        seen : Observation
        up : (3,), optional
            Unit vector against gravity in the camera's frame.
        """
        step = seen.stamp - self.last_seen
        step = step if 0.0 <= step <= LONGEST_STEP else 0.0
        self.last_seen = seen.stamp
        rotation = None if seen.pose is None else seen.pose.rotation
        yaw = math.nan
        if seen.pose is not None and rotation is not None:
            self._remember(seen.stamp, step, rotation)
            yaw = _yaw(seen.pose, rotation)
        eye_confidence = self._look_at_eyes(seen, step, yaw)
        mouth_confidence = self._look_at_mouth(seen)
        neck, trust = self._neck(seen.pose, rotation, up)
        iso, acceptable = Iso11226.UNKNOWN, math.nan
        limits = (self.options.extension_margin, self.options.asymmetry)
        if trust > 0.0:
            iso, acceptable = iso_11226(neck, *limits)
        static = (
            self._stillness(rotation, seen.stamp, self.options.static_tolerance) if rotation is not None else math.nan
        )
        angle = self._attend(seen, step, rotation)
        difference = self._breathe(seen)
        eyes, mouth = self._eyes, self._mouth
        return Ergonomics(
            present_time=seen.stamp - self.first_seen,
            reference=self._reference_kind,
            gravity_known=up is not None,
            neck=neck,
            neck_confidence=trust,
            static_time=static,
            iso_11226=iso,
            acceptable_time=acceptable,
            rula_neck_score=rula_neck_score(neck, *limits) if trust > 0.0 else 0,
            right_eye_opening=eyes.opening[0],
            left_eye_opening=eyes.opening[1],
            eye_confidence=eye_confidence,
            eyes_closed=eyes.closed,
            blinks=eyes.blinks,
            blink_rate=60.0 * eyes.blinks / eyes.seen if eyes.seen > 5.0 else math.nan,
            perclos=eyes.perclos.share if eyes.perclos.known > 0.0 else math.nan,
            perclos_confidence=eyes.perclos.known,
            mouth_opening=mouth.opening,
            mouth_confidence=mouth_confidence,
            yawning=mouth.yawning,
            yawns=mouth.yawns,
            speech_motion=mouth.motion,
            speaking=mouth.speaking,
            attention_angle=angle,
            attentive=angle <= self.options.attention_angle,
            attention_share=self._attention.share if self._attention.known > 0.0 else math.nan,
            attention_confidence=_pose_trust(seen.pose),
            breathing_rate=self._breathing.rate,
            breathing_quality=self._breathing.quality,
            nose_forehead_difference=difference,
        )

    def _remember(self, stamp: float, step: float, rotation: Array) -> None:
        self._recent.append((stamp, rotation))
        while self._recent[0][0] < stamp - RECENT:
            self._recent.popleft()
        if self._reference is None:
            self._first.append(rotation)
            self._first_time += step
            if self._first_time >= self.options.calibration_seconds:
                self._reference, self._reference_kind = mean_rotation(self._first), FIRST_SECONDS
                self._first.clear()

    def _neck(self, pose: Pose | None, rotation: Array | None, up: Array | None) -> tuple[NeckAngles, float]:
        if rotation is None or self._reference is None:
            return UNKNOWN_NECK, 0.0
        reference = self._reference if up is None else upright(self._reference, up)
        return neck_angles(rotation, reference), _pose_trust(pose)

    def _look_at_eyes(self, seen: Observation, step: float, yaw: float) -> float:
        ratios, trusts = [], []
        shortened = math.cos(yaw) if math.isfinite(yaw) else 1.0
        turned = math.isfinite(yaw) and abs(math.degrees(yaw)) > self.options.most_yaw
        for eye in (RIGHT_EYE, LEFT_EYE):
            trust = float(np.mean(seen.confidence[eye]))
            hidden = turned or trust < self.options.least_confidence
            ratios.append(math.nan if hidden else eye_ratio(seen.points, eye) * shortened)
            trusts.append(0.0 if hidden else trust)
        self._eyes.update(self.options.eyes, seen.stamp, step, (ratios[0], ratios[1]))
        return max(trusts)

    def _look_at_mouth(self, seen: Observation) -> float:
        trust = float(np.mean(seen.confidence[INNER_MOUTH]))
        hidden = trust < self.options.least_confidence
        self._mouth.update(self.options.mouth, seen.stamp, math.nan if hidden else mouth_ratio(seen.points))
        return 0.0 if hidden else trust

    def _attend(self, seen: Observation, step: float, rotation: Array | None) -> float:
        self._attention.window = self.options.attention_window
        if seen.pose is None or rotation is None:
            self._attention.forget(seen.stamp)
            return math.nan
        to_camera = -seen.pose.position / np.linalg.norm(seen.pose.position)
        angle = math.degrees(math.acos(float(np.clip(rotation[:, 0] @ to_camera, -1.0, 1.0))))
        self._attention.add(seen.stamp, step, angle <= self.options.attention_angle)
        return angle

    def _breathe(self, seen: Observation) -> float:
        if not self.options.vital_signs:
            return math.nan
        known = seen.temperatures
        skin = [known.get(name, math.nan) for name in ("right_cheek", "left_cheek", "forehead")]
        skin = [value for value in skin if math.isfinite(value)]
        nostrils = known.get("nostrils", math.nan)
        self._breathing.update(seen.stamp, nostrils - sum(skin) / len(skin) if skin else nostrils, _motion(seen.pose))
        return known.get("nose", math.nan) - known.get("forehead", math.nan)


def _pose_trust(pose: Pose | None) -> float:
    if pose is None:
        return 0.0
    return max(1.0 - pose.error / WORST_ERROR, 0.05) * (APPROXIMATE if pose.approximate else 1.0)


def _motion(pose: Pose | None) -> tuple[float, float, float, float]:
    """Where the face points and where it is in the image; NaN without a pose."""
    if pose is None:
        return math.nan, math.nan, math.nan, math.nan
    x, y, z = pose.position.tolist()
    right, down = pose.rotation[:2, 0].tolist()
    return right, down, x / z, y / z


def _yaw(pose: Pose, rotation: Array) -> float:
    """From where the camera sees the head, radians about the head's vertical."""
    forward, left, _ = (-pose.position @ rotation).tolist()
    return math.atan2(left, forward)
