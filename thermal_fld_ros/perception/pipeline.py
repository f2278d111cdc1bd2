# SPDX-License-Identifier: Apache-2.0
"""From frames to faces: the one way that node, command line, evaluation and demo all take.

>>> pipeline = Pipeline()
>>> frame = decode_array(centikelvin, Decoding(unit=UNITS["centikelvin"]))
>>> faces = pipeline(frame, stamp)
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.options import check_ranges, limited
from thermal_fld_ros.perception.camera import Camera
from thermal_fld_ros.perception.cropping import crop_from_points, look_twice
from thermal_fld_ros.perception.cuts import CutDetector
from thermal_fld_ros.perception.decoding import ThermalFrame
from thermal_fld_ros.perception.detector import Detector
from thermal_fld_ros.perception.face import Face
from thermal_fld_ros.perception.gate import LEAST_DETECTION, read_gate
from thermal_fld_ros.perception.geometry import Affine, Size, box_around, iou
from thermal_fld_ros.perception.landmarker import Landmarker, Landmarks
from thermal_fld_ros.perception.models import DETECTOR_FILE, LANDMARKS_FILE, Model, default_model_folder, load_model
from thermal_fld_ros.perception.motion import MotionDetector
from thermal_fld_ros.perception.pose import estimate_pose
from thermal_fld_ros.perception.shutter import ShutterDetector, ShutterState
from thermal_fld_ros.perception.temperature import Surface, region_temperatures
from thermal_fld_ros.perception.timing import Timing
from thermal_fld_ros.perception.tracking import Track, Tracker, plausible

__all__ = ["SEARCH_PERIOD", "Camera", "Face", "Pipeline", "PipelineOptions", "Statistics"]

NOMINAL_STEP = 1.0 / 30.0
"""Seconds between frames until stamps tell."""

SUPPORT_IOU = 0.3
"""Overlap from which a detection speaks for a followed face."""

SEARCH_PERIOD = 0.3
"""Seconds after which a scene without faces is searched again even though nothing has moved in it."""

LOST_PERIOD = 0.1
"""Seconds between searches for a lost face while others are followed; each takes about as long as following two."""

JITTER = 0.01
"""Seconds by which a frame may come early and is searched still."""

MOST_OFFSET, MOST_ZOOM = 0.1, 1.15
"""How far (in sides of the crop) and by which factor a crop may miss its face before the face is looked at once more."""


@dataclass(frozen=True)
class PipelineOptions:
    """Everything that can be tuned; `Pipeline.update` changes it between frames.

    Attributes
    ----------
    detector_model, landmark_model : str
        ONNX files; empty: the shipped ones.
    provider : str
        "auto", "cpu", "cuda" or "tensorrt".
    require_provider : bool
        Fail rather than fall back to the CPU.
    threads : int
        Threads of each network.
    detection_threshold : float
        Minimum score of a detection; 0: the threshold in the detector's metadata.
    score_threshold : float
        Least score of a new face: the probability that its points are right; 0: the landmark model's own threshold.
    keep_threshold : float
        Minimum score of a face that is already tracked.
    patience : float
        Seconds for which a followed face may stay below `score_threshold`.
    max_faces : int
        Faces that are tracked at once.
    min_face_size : float
        Least longer side of a face in pixels of the image.
    detect_every : int
        Frames between detections while every known face is seen. A detection also tells whether what is followed still is a
        face. A face that gets lost is searched in each frame, but while others are seen at once and then every 0.1 s. A scene
        without faces is searched at once where something has moved or where the last search found what may be a face, otherwise
        after `detect_every` frames or 0.3 s, whichever comes first.
    nms_iou : float
        Faces that overlap more than this are one.
    keep_lost : float
        Seconds for which a lost face keeps its id.
    smoothing : bool
    min_cutoff : float
        Hz, see `smoothing.OneEuro`.
    beta : float
        Hz per face size per second.
    shutter : bool
        Find no faces in frames of a closed shutter, and the last ones in frames that the camera repeats.
    emissivity, reflected_temperature : float
        See `temperature.Surface`.
    """

    detector_model: str = ""
    landmark_model: str = ""
    provider: str = "auto"
    require_provider: bool = False
    threads: int = limited(1, 1, 64)
    detection_threshold: float = limited(0.0, 0.0, 1.0)
    score_threshold: float = limited(0.0, 0.0, 1.0)
    keep_threshold: float = limited(0.3, 0.0, 1.0)
    patience: float = limited(0.5, 0.0, 3600.0)
    max_faces: int = limited(8, 1, 100)
    min_face_size: float = limited(12.0, 1.0, 10_000.0)
    detect_every: int = limited(10, 1, 10_000)
    nms_iou: float = limited(0.4, 0.0, 1.0)
    keep_lost: float = limited(1.0, 0.0, 3600.0)
    smoothing: bool = True
    min_cutoff: float = limited(1.0, 0.001, 1000.0)
    beta: float = limited(20.0, 0.0, 10_000.0)
    shutter: bool = True
    emissivity: float = limited(1.0, 0.5, 1.0)
    reflected_temperature: float = limited(22.0, -100.0, 200.0)

    def __post_init__(self) -> None:
        check_ranges(self)

    @property
    def models(self) -> tuple[str, str, str, bool, int]:
        """The options that require the models to be loaded again when they change."""
        return self.detector_model, self.landmark_model, self.provider, self.require_provider, self.threads


@dataclass(frozen=True)
class Statistics:
    """Counts since the start, for diagnostics."""

    detections: int
    shutter_frames: int
    tracks_created: int
    tracks_lost: int
    tracks_merged: int
    cuts: int


class Pipeline:
    """Finds, follows and smooths faces in the frames of one camera. Safe to update from another thread.

    Parameters
    ----------
    options : PipelineOptions
    id_prefix : str
        What the ids of all faces begin with.

    Attributes
    ----------
    options : PipelineOptions
    detector, landmarker
        With their `.model`: name, sha256, provider in use.
    last_timing : dict
        Seconds by stage of the last frame.
    shutter_state : ShutterState
        Of the last frame.
    """

    def __init__(self, options: PipelineOptions = PipelineOptions(), id_prefix: str = "f") -> None:
        self.options = options
        self.detector, self.landmarker = _load(options)
        self._gate = read_gate(self.landmarker.model)
        self.last_timing: dict[str, float] = {}
        self.shutter_state = ShutterState.LIVE
        self._faces: list[Face] = []
        self._detections = self._shutter_frames = self._cuts = 0
        self._lock = threading.Lock()
        self._tracker = Tracker(id_prefix)
        self._layout: tuple[Size, int] | None = None
        self._restart()

    def __call__(self, frame: ThermalFrame, stamp: float, camera: Camera | None = None) -> list[Face]:
        """Faces of the next frame.

        Parameters
        ----------
        frame : ThermalFrame
        stamp : float
            Seconds. Where it repeats or goes back, the usual time between frames is assumed to have passed.
        camera : Camera, optional
            For head poses.

        Returns
        -------
        list of Face, the longest known first, in pixels of the incoming image. Of an image that the camera sends once more
        (`shutter_state` is REPEATED) they are those of the last call.
        """
        with self._lock:
            timing = Timing()
            layout = (frame.upright_size, frame.rotation)
            if layout != self._layout:
                self._restart()
                self._layout = layout
            now = self._clock.advance(stamp)
            if self._shutter_closed(frame, now, timing):
                self.last_timing = timing.stages
                self._faces = []
                return []
            if self.shutter_state is ShutterState.REPEATED:  # nothing new to see: the same faces once more
                self.last_timing = timing.stages
                return list(self._faces)
            step = self._clock.lap()
            if self._cut.update(frame):
                self._cuts += 1
                self._tracker.clear()
                self._motion = MotionDetector()
            timing.lap("cut")
            self._follow(frame, step, timing)
            if self._detection_is_due(frame):
                self._detect(frame, timing)
            self._tracker.forget(now, self.options.keep_lost)
            self._faces = [self._face(track, frame, step, camera, timing) for track in self._tracker.seen]
            self.last_timing = timing.stages
            return list(self._faces)

    def update(self, options: PipelineOptions, *, reload: bool = False) -> None:
        """Change options from the next frame on; tracks go on. On ModelError everything stays as it was.

        With `reload` the models are loaded anew even where their paths are the same: the files may be others by now.
        """
        same = options.models == self.options.models and not reload
        loaded = (self.detector, self.landmarker) if same else _load(options)
        gate = read_gate(loaded[1].model)
        with self._lock:
            self.options = options
            self.detector, self.landmarker = loaded
            self._gate = gate

    @property
    def statistics(self) -> Statistics:
        """What happened so far."""
        tracker = self._tracker
        return Statistics(
            self._detections, self._shutter_frames, tracker.created, tracker.losses, tracker.merges, self._cuts
        )

    def reset(self) -> None:
        """Forget all faces, as for a new camera or recording. Ids are not used again."""
        with self._lock:
            self._restart()

    def _restart(self) -> None:
        self._tracker.tracks.clear()
        self._clock = _Clock()
        self._shutter = ShutterDetector()
        self._cut = CutDetector()
        self._motion = MotionDetector()
        self._faces = []
        self._since_detection = 0
        self._searched_at = -math.inf
        self._undecided = False

    def _shutter_closed(self, frame: ThermalFrame, now: float, timing: Timing) -> bool:
        self.shutter_state = self._shutter.update(frame, now) if self.options.shutter else ShutterState.LIVE
        timing.lap("shutter")
        closed = self.shutter_state.closed
        self._shutter_frames += closed
        return closed

    def _follow(self, frame: ThermalFrame, step: float, timing: Timing) -> None:
        """Look for every seen face where it is by now."""
        self._tracker.limit(self.options.max_faces)
        tracks = self._tracker.seen
        crops = [self._crop(track.expected(step)) for track in tracks]
        timing.lap("crop")
        found = self._looked_again(frame, crops, self.landmarker(frame, crops, timing), timing)
        for track, landmarks in zip(tracks, found, strict=True):
            score = 0.0 if landmarks is None else self._gate(track.detection, landmarks.score)
            if self._stays(track, score) and landmarks is not None:
                self._tracker.follow(track, landmarks, score, step)
            else:
                self._tracker.lose(track, self._clock.now)
        self._tracker.merge(self.options.nms_iou)
        timing.lap("track")

    def _looked_again(
        self, frame: ThermalFrame, crops: list[Affine], found: list[Landmarks], timing: Timing
    ) -> list[Landmarks | None]:
        """Landmarks of crops, None where they are no face's; of a second look where they lie askew in the crop or are doubtful."""
        result: list[Landmarks | None] = [None] * len(found)
        second: dict[int, Affine] = {}
        for index, (crop, landmarks) in enumerate(zip(crops, found, strict=True)):
            if self._plausible(landmarks, crop, frame):
                result[index] = landmarks
                centred = self._crop(landmarks.points)
                if landmarks.score < self._threshold or _askew(crop, centred, self.landmarker.size):
                    second[index] = centred
        again = self.landmarker(frame, list(second.values()), timing)
        for (index, crop), landmarks in zip(second.items(), again, strict=True):
            if landmarks.score >= found[index].score:
                result[index] = landmarks if self._plausible(landmarks, crop, frame) else None
        return result

    def _stays(self, track: Track, score: float) -> bool:
        """Whether a followed face with that score is published still: not too doubtful, and not for too long."""
        if score >= self._threshold:
            track.sure_at = self._clock.now
        return score >= self.options.keep_threshold and self._clock.now - track.sure_at <= self.options.patience

    def _detection_is_due(self, frame: ThermalFrame) -> bool:
        """Whether to search this frame; `PipelineOptions.detect_every` says when."""
        self._since_detection += 1
        seen, lost, now = len(self._tracker.seen), self._tracker.lost, self._clock.now
        since = now - self._searched_at + JITTER
        if self._since_detection >= self.options.detect_every:
            return True
        if lost and seen < self.options.max_faces:
            just_lost = any(track.lost_since == now for track in lost)
            if just_lost or seen == 0 or since >= LOST_PERIOD:
                return True
        if seen > 0:
            return False
        return since >= SEARCH_PERIOD or self._undecided or self._motion.moved(frame)

    def _detect(self, frame: ThermalFrame, timing: Timing) -> None:
        """Look for new and lost faces in the whole frame, and whether the detector agrees with what is followed."""
        options, tracker = self.options, self._tracker
        self._since_detection = 0
        self._searched_at = self._clock.now
        self._detections += 1
        boxes, scores = self.detector(
            frame,
            threshold=LEAST_DETECTION,
            nms_iou=options.nms_iou,
            min_size=options.min_face_size,
            timing=timing,
        )
        self._support(boxes, scores)
        room = options.max_faces - len(tracker.seen)
        least = options.detection_threshold or self.detector.threshold
        fresh = [
            (box, float(score))
            for box, score in zip(boxes, scores, strict=True)
            if score >= least and not tracker.covers(box, options.nms_iou)
        ][:room]
        found = look_twice(
            lambda crops: self.landmarker(frame, crops, timing),
            [box for box, _ in fresh],
            self.landmarker.size,
            self.landmarker.crop_scale,
            lambda crop, landmarks: self._plausible(landmarks, crop, frame),
        )
        for result, (_, detection) in zip(found, fresh, strict=True):
            if result is None:
                continue
            crop, landmarks = result
            score = self._gate(detection, landmarks.score)
            if score >= self._threshold and self._plausible(landmarks, crop, frame):
                tracker.add(landmarks, score, detection, self._clock.now)
        tracker.merge(options.nms_iou)
        self._undecided = len(fresh) > 0
        if not tracker.seen:
            self._motion.remember(frame)
        timing.lap("track")

    def _support(self, boxes: NDArray[np.float64], scores: NDArray[np.float64]) -> None:
        """Give every followed face the score of its detection, and lose those that are too doubtful with it."""
        for track in self._tracker.seen:
            overlap = iou(track.box, boxes) if len(boxes) else np.zeros(0)
            track.detection = float(scores[overlap >= SUPPORT_IOU].max(initial=LEAST_DETECTION))
            track.score = self._gate(track.detection, track.landmarks.score)
            if not self._stays(track, track.score):
                self._tracker.lose(track, self._clock.now)

    def _crop(self, points: NDArray[np.float64]) -> Affine:
        return crop_from_points(points, self.landmarker.size, self.landmarker.crop_scale)

    @property
    def _threshold(self) -> float:
        return self.options.score_threshold or self.landmarker.threshold

    def _plausible(self, landmarks: Landmarks, crop: Affine, frame: ThermalFrame) -> bool:
        return plausible(landmarks, crop, self.landmarker.size, frame.upright_size, self.options.min_face_size)

    def _face(self, track: Track, frame: ThermalFrame, step: float, camera: Camera | None, timing: Timing) -> Face:
        points, options = track.landmarks.points, self.options
        if options.smoothing:
            points = track.smoother(points, track.size, step, min_cutoff=options.min_cutoff, beta=options.beta)
        else:
            track.smoother.reset()
        timing.lap("smooth")
        in_image = frame.upright_to_image(points)
        confidence = track.landmarks.confidence
        if camera:
            track.pose = estimate_pose(in_image, confidence, camera, track.pose)
            timing.lap("pose")
        else:
            track.pose = None
        face = Face(
            id=track.id,
            score=track.score,
            roi=box_around(in_image).astype(np.float32),
            points=in_image.astype(np.float32),
            confidence=confidence.astype(np.float32, copy=True),
            pose=track.pose,
            regions=region_temperatures(frame, in_image, Surface(options.emissivity, options.reflected_temperature)),
        )
        timing.lap("measure")
        return face


def _askew(crop: Affine, centred: Affine, size: int) -> bool:
    """Whether a crop misses the face that ``centred`` is about by more than the network has learnt to see daily."""
    middle = (size - 1) / 2
    (a, b, x), (c, d, y) = (crop.matrix - centred.matrix).tolist()
    offset = math.hypot((a + b) * middle + x, (c + d) * middle + y) / (centred.scale * size)
    zoom = max(crop.scale / centred.scale, centred.scale / crop.scale)
    return offset > MOST_OFFSET or zoom > MOST_ZOOM


class _Clock:
    """Time that never goes back, from stamps that may."""

    def __init__(self) -> None:
        self.now = 0.0
        self._lap_began = 0.0
        self._stamp: float | None = None
        self._step = NOMINAL_STEP

    def advance(self, stamp: float) -> float:
        """The time of the next frame in seconds since the start."""
        step = stamp - self._stamp if self._stamp is not None else self._step
        self._stamp = stamp
        if math.isfinite(step) and step > 0.0:
            self._step = min(step, 1.0)  # a pause says nothing of the usual time between frames
        else:
            step = self._step
        self.now += step
        return self.now

    def lap(self) -> float:
        """Seconds since the last lap."""
        seconds, self._lap_began = self.now - self._lap_began, self.now
        return seconds


def _load(options: PipelineOptions) -> tuple[Detector, Landmarker]:
    def load(given: str, shipped: str) -> Model:
        return load_model(
            given or default_model_folder() / shipped,
            provider=options.provider,
            require_provider=options.require_provider,
            threads=options.threads,
        )

    detector = Detector(load(options.detector_model, DETECTOR_FILE))
    return detector, Landmarker(load(options.landmark_model, LANDMARKS_FILE))


def with_models(options: PipelineOptions, folder: str | Path) -> PipelineOptions:
    """The options with both models from another folder, under their usual names."""
    folder = Path(folder)
    return replace(options, detector_model=str(folder / DETECTOR_FILE), landmark_model=str(folder / LANDMARKS_FILE))
