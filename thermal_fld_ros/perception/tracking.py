# SPDX-License-Identifier: Apache-2.0
"""Which face is which: identities over time.

A track is *seen* while the landmark network recognises a face in its crop, *lost* after that, and forgotten when it stays
lost for too long. A new face near a lost track takes up that track's identity.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.geometry import Affine, Size, iou
from thermal_fld_ros.perception.landmarker import Landmarks
from thermal_fld_ros.perception.pose import Pose
from thermal_fld_ros.perception.smoothing import OneEuro

# A face's points fill two thirds of its crop's side. Far from that the network has lost hold.
LEAST_CROP_SHARE, MOST_CROP_SHARE = 0.25, 1.5
LEAST_INSIDE = 0.3

LONGEST_GUESS = 0.5
LEAST_SHIFT = 0.05
"""Movement between two frames, in face sizes, below which a face counts as at rest: less is noise of the points."""


@dataclass(eq=False)
class Track:
    """One face over time, in upright pixels.

    Attributes
    ----------
    id : str
        The tracker's prefix and a number that counts up from 1 and is never used again.
    landmarks : Landmarks
        The last that were seen, not smoothed.
    box : (4,) float64
        Around their points.
    score : float
        Probability in [0, 1] that this is a face and its points are right.
    detection : float
        The detector's score of it, of the last frame with a detection.
    sure_at : float
        When the score was last that of a new face, in the tracker's seconds.
    velocity : (2,) float64
        Of the box's centre, pixels a second.
    lost_since : float or None
        When the face was lost, in the tracker's seconds; None while it is seen.
    smoother : OneEuro
    pose : Pose or None
        Of the head in the frame before.
    """

    id: str
    landmarks: Landmarks
    box: NDArray[np.float64]
    score: float
    detection: float
    sure_at: float
    velocity: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    lost_since: float | None = None
    smoother: OneEuro = field(default_factory=OneEuro)
    pose: Pose | None = None

    @property
    def size(self) -> float:
        """Root of the box's area in pixels."""
        return math.sqrt(float(self.box[2] * self.box[3]))

    def expected(self, step: float) -> NDArray[np.float64]:
        """The points (68, 2) after `step` seconds of the face's present motion; a face at rest does not move.

        After more than `LONGEST_GUESS` seconds nobody knows, and they are taken to be where they were.
        """
        shift = self.velocity * step
        length = float(np.linalg.norm(shift))
        if length < LEAST_SHIFT * self.size or step > LONGEST_GUESS:
            return self.landmarks.points
        return self.landmarks.points + shift * min(1.0, self.size / length)


class Tracker:
    """The tracks of a camera.

    Parameters
    ----------
    prefix : str
        What all ids begin with.

    Attributes
    ----------
    tracks : list of Track
        Seen and lost ones, oldest first.
    created, losses, merges : int
        Counts since the start.
    """

    def __init__(self, prefix: str = "f") -> None:
        self._prefix = prefix
        self.tracks: list[Track] = []
        self.created = 0
        self.losses = 0
        self.merges = 0

    @property
    def seen(self) -> list[Track]:
        """Tracks whose face was recognised in the last frame."""
        return [track for track in self.tracks if track.lost_since is None]

    @property
    def lost(self) -> list[Track]:
        """Tracks whose face is currently not visible."""
        return [track for track in self.tracks if track.lost_since is not None]

    def follow(self, track: Track, landmarks: Landmarks, score: float, step: float) -> None:
        """The face was seen again `step` seconds after the last time."""
        box = landmarks.box
        if step > 0.0:
            moved = (box[:2] + box[2:] / 2) - (track.box[:2] + track.box[2:] / 2)
            track.velocity = 0.5 * (track.velocity + moved / step)
        track.landmarks, track.box, track.score = landmarks, box, score

    def lose(self, track: Track, now: float) -> None:
        """The face was not where it was looked for; `now` in the tracker's seconds."""
        track.lost_since = now
        self.losses += 1

    def add(self, landmarks: Landmarks, score: float, detection: float, now: float) -> Track:
        """A face was found by detection: a lost one that is back, or a new one."""
        box = landmarks.box
        near = [(_distance(track.box, box), track) for track in self.lost]
        best = min(near, key=lambda pair: pair[0], default=(math.inf, None))
        if best[1] is not None and best[0] < 1.0:
            track = best[1]
            track.lost_since = None
            track.smoother.reset()
            track.pose = None
            track.velocity = np.zeros(2)
            track.landmarks, track.box, track.score = landmarks, box, score
            track.detection, track.sure_at = detection, now
        else:
            self.created += 1
            track = Track(f"{self._prefix}{self.created:04d}", landmarks, box, score, detection, now)
            self.tracks.append(track)
        return track

    def clear(self) -> None:
        """Forget all tracks: what comes next shows another scene."""
        self.losses += len(self.seen)
        self.tracks.clear()

    def merge(self, overlap: float) -> None:
        """Of tracks that have run into one face the oldest stays."""
        kept: list[Track] = []
        for track in self.seen:
            if kept and iou(track.box, [other.box for other in kept]).max() > overlap:
                self.tracks.remove(track)
                self.merges += 1
            else:
                kept.append(track)

    def limit(self, most: int) -> None:
        """Drop the youngest seen tracks, should there be more than `most`."""
        for track in self.seen[most:]:
            self.tracks.remove(track)

    def forget(self, now: float, keep_lost: float) -> None:
        """Drop tracks that have been lost for longer than `keep_lost` seconds."""
        self.tracks = [
            track for track in self.tracks if track.lost_since is None or now - track.lost_since <= keep_lost
        ]

    def covers(self, box: NDArray[np.float64], overlap: float) -> bool:
        """Whether a detected box (4,) belongs to a face that is seen already."""
        centre = box[:2] + box[2:] / 2
        return any(
            bool(((centre >= track.box[:2]) & (centre <= track.box[:2] + track.box[2:])).all())
            or iou(box, track.box)[0] > overlap
            for track in self.seen
        )


def plausible(landmarks: Landmarks, crop: Affine, crop_size: int, upright_size: Size, min_size: float) -> bool:
    """Whether points are a face's: finite, of a size that fits their crop, and enough of them in the image."""
    x, y, width, height = landmarks.box.tolist()
    if not (math.isfinite(width) and math.isfinite(height)):  # nor are all points
        return False
    size, side = max(width, height), crop.scale * crop_size
    if size < min_size or not LEAST_CROP_SHARE * side <= size <= MOST_CROP_SHARE * side:
        return False
    inside = _common(x, width, upright_size[0]) * _common(y, height, upright_size[1])
    return inside >= LEAST_INSIDE * width * height > 0.0


def _common(start: float, length: float, limit: int) -> float:
    """Length of [start, start + length] inside an image of `limit` pixels."""
    return max(0.0, min(start + length, limit - 0.5) - max(start, -0.5))


def _distance(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Between two boxes, below 1 if they may be the same face: centres within a face's size, sizes within a factor of 2."""
    size_one, size_other = float(one[2:].max()), float(other[2:].max())
    if not 0.5 <= size_one / size_other <= 2.0:
        return math.inf
    gap = (one[:2] + one[2:] / 2) - (other[:2] + other[2:] / 2)
    return math.hypot(*gap.tolist()) / max(size_one, size_other)
