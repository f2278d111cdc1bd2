# SPDX-License-Identifier: Apache-2.0
"""The figures of one model on one data set, as plain numbers that go into a JSON file.

Only faces that are required to be found are scored. Errors are in percent of the root of the area of `DataSet.extent`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.datasets.sample import JAW, DataSet, LabelledFace, Scheme
from thermal_fld_ros.evaluation import metrics
from thermal_fld_ros.evaluation.calibration import RIGHT_LIMIT, reliability
from thermal_fld_ros.evaluation.detection import (
    SIZE_BINS,
    average_precision,
    centre_inside,
    match,
    outcomes_of,
    overlaps,
    size_name,
)
from thermal_fld_ros.evaluation.openings import INNER_LIPS, LIPS_AND_LIDS, agreement, opening
from thermal_fld_ros.evaluation.protocols import Found, Run
from thermal_fld_ros.evaluation.video import (
    STILL,
    lag,
    opening_agreement,
    picture_motion,
    step_motion,
)
from thermal_fld_ros.perception.face import POINTS

Array = NDArray[np.float64]
RIGHT_BELOW = 10.0  # percent: the published score is the probability of a mean error below this
RIGHT_IOU = 0.3
MatchedFace = tuple[LabelledFace, Found | None]


def data_figures(data: DataSet) -> dict[str, Any]:
    """What a data set is."""
    faces = [face for sample in data.samples for face in sample.faces]
    return {
        "about": data.about,
        "labels": data.labels,
        "scheme": data.scheme.name if data.scheme else None,
        "images": len(data.samples),
        "sequences": len({sample.sequence for sample in data.samples} - {None}),
        "faces": sum(face.required for face in faces),
        "faces_not_required": sum(not face.required for face in faces),
        "left_out": data.left_out,
    }


def run_figures(data: DataSet, run: Run, point_sets: Mapping[str, Sequence[int]], least_iou: float) -> dict[str, Any]:
    """Everything that can be said of a model on a data set.

    Parameters
    ----------
    data : DataSet
    run : Run
    point_sets : mapping from a name to iBUG indices
        Those whose points are all labelled are scored.
    least_iou : float
        Overlap from which a found face is a labelled one.
    """
    result: dict[str, Any] = {"models": run.about}
    if run.given is not None and data.scheme is not None:
        given = list(_given_pairs(data, run.given))
        result["given_box"] = landmark_figures(data, given, point_sets)
        if any(found is not None and found.confidence is not None for _, found in given):
            result["calibration"] = calibration_figures(data, given)
    if run.found is not None:
        matches = [
            match([face.box for face in found], [face.box for face in sample.faces], least_iou)
            for sample, found in zip(data.samples, run.found, strict=True)
        ]
        result["detection"] = detection_figures(data, run.found, matches)
        if data.every_face and any(face.score is not None for faces in run.found for face in faces):
            result["published"] = published_figures(data, run.found)
        if data.scheme is not None:
            result["pipeline"] = landmark_figures(data, list(_found_pairs(data, run.found, matches)), point_sets)
        if data.has_sequences and run.unsmoothed is not None:
            result["video"] = video_figures(data, run.found, run.unsmoothed, matches)
            if data.scheme is not None:
                result["mouth"] = mouth_figures(data, run.found, matches)
    if run.detections is not None and data.every_face:
        result["detector"] = detector_figures(data, run, least_iou)
    return result


# --- landmarks -------------------------------------------------------------------------------------------------------


def _given_pairs(data: DataSet, given: list[list[Found | None]]) -> Iterable[MatchedFace]:
    for sample, answers in zip(data.samples, given, strict=True):
        for face, found in zip(sample.faces, answers, strict=True):
            if face.required and face.points is not None:
                yield face, found


def _found_pairs(data: DataSet, found: list[list[Found]], matches: list[list[int]]) -> Iterable[MatchedFace]:
    for sample, faces, pairs in zip(data.samples, found, matches, strict=True):
        for index, face in enumerate(sample.faces):
            if face.required and face.points is not None:
                yield face, faces[pairs.index(index)] if index in pairs else None


def landmark_figures(
    data: DataSet, pairs: Sequence[MatchedFace], point_sets: Mapping[str, Sequence[int]]
) -> dict[str, Any]:
    """Errors of landmarks by set of points, region, yaw and glasses; how far the jaw line is off; openings of mouth and eyes."""
    scheme = data.scheme
    assert scheme is not None
    faces, errors, eyes = [], [], []
    sets = _available(data, point_sets)
    after_shift: dict[str, list[float]] = {name: [] for name in sets}
    for face, found in pairs:
        assert face.points is not None
        size = metrics.box_size(data.extent(face))
        predicted = scheme.select(found.points) if found else np.full_like(face.points, np.inf)
        faces.append(face)
        errors.append(metrics.point_errors(predicted, face.points, size))
        eyes.append(_eye_distance(scheme, face) / size * 100.0)
        for name, columns in sets.items():
            moved = metrics.shifted(predicted[columns], face.points[columns])
            after_shift[name].append(
                float(_face_means(metrics.point_errors(moved, face.points[columns], size)[None])[0])
            )
    table = np.array(errors).reshape(len(errors), len(scheme))
    main = next(iter(sets))
    by_face = {name: _face_means(table[:, columns]) for name, columns in sets.items()}
    people = _people(data, faces)
    result: dict[str, Any] = {"main": main, "people": len(set(people)), "points": {}}
    for name, values in by_face.items():
        result["points"][name] = metrics.error_summary(values) | {
            "interval": metrics.interval(values, people),
            "nme_shifted": metrics.mean_error(after_shift[name]),
        }
    if np.isfinite(eyes).any():
        for name, values in by_face.items():
            relative = values / np.array(eyes) * 100.0
            result["points"][name]["nme_interocular"] = metrics.mean_error(relative)
    result["regions"] = {
        region: metrics.mean_error(table[:, columns])
        for region, indices in metrics.FACE_PARTS.items()
        if (columns := data.places(indices))
    }
    result["jaw_line"] = _jaw_line(data, pairs)
    result["openings"] = _openings(data, pairs)
    result["yaw"] = _groups(faces, by_face[main], lambda face: None if face.yaw is None else metrics.yaw_bin(face.yaw))
    for name in ("glasses", "mask"):
        result[name] = _groups(faces, by_face[main], lambda face, name=name: _told(getattr(face, name)))
    return {key: value for key, value in result.items() if value is not None and value != {}}


def _face_means(table: Array) -> Array:
    """Mean of each face's labelled points; infinity where the face was not found, NaN where no point is labelled."""
    labelled = ~np.isnan(table)
    counts = labelled.sum(axis=1)
    sums = np.where(labelled, table, 0.0).sum(axis=1)
    return np.divide(sums, counts, out=np.full(len(table), np.nan), where=counts > 0)


def _people(data: DataSet, faces: Sequence[LabelledFace]) -> list[str]:
    """Who each face is of: its subject, else its sequence, else somebody of its own."""
    sequences = {id(face): sample.sequence for sample in data.samples for face in sample.faces}
    return [face.subject or sequences.get(id(face)) or f"face {k}" for k, face in enumerate(faces)]


def _jaw_line(data: DataSet, pairs: Sequence[MatchedFace]) -> float | None:
    """Mean distance of the found jaw points from the labelled jaw line: where along the line they lie is a matter of convention."""
    scheme = data.scheme
    assert scheme is not None
    columns = data.places(JAW)
    if len(columns) < len(JAW):
        return None
    distances = [
        metrics.line_distances(scheme.select(found.points)[columns], face.points[columns]).mean()
        / metrics.box_size(data.extent(face))
        * 100.0
        for face, found in pairs
        if found is not None and face.points is not None and np.isfinite(face.points[columns]).all()
    ]
    return metrics.mean_error(distances)


def _openings(data: DataSet, pairs: Sequence[MatchedFace]) -> dict[str, Any]:
    """How found openings of mouth and eyes follow the labelled ones, where the labels do not say that something hides them."""
    scheme = data.scheme
    assert scheme is not None
    result = {}
    for name, lids in LIPS_AND_LIDS.items():
        indices = sorted({index for pair in lids for index in pair})
        columns = data.places(indices)
        if len(columns) < len(indices):
            continue
        both = []
        for face, found in pairs:
            seen = face.visible is None or bool(face.visible[columns].all())
            if found is not None and face.points is not None and seen:
                truth = np.full((POINTS, 2), np.nan)
                truth[indices] = face.points[columns]
                size = metrics.box_size(data.extent(face))
                both.append((opening(found.points, size, lids), opening(truth, size, lids)))
        result[name] = agreement([mine for mine, _ in both], [theirs for _, theirs in both])
    return result


def _available(data: DataSet, point_sets: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
    """Of the sets of points those that are scored, with their places; all labelled points where there is none."""
    places = {name: data.places(indices) for name, indices in point_sets.items()}
    found = {name: columns for name, columns in places.items() if len(columns) == len(set(point_sets[name]))}
    everything = list(range(len(data.scheme or ()))) if data.scored is None else data.places()
    return found or {str(len(everything)): everything}


def _eye_distance(scheme: Scheme, face: LabelledFace) -> float:
    columns = scheme.places(metrics.OUTER_EYE_CORNERS)
    if len(columns) < 2 or face.points is None:
        return float("nan")
    right, left = face.points[columns]
    return float(np.linalg.norm(right - left))


def _groups(faces: Sequence[LabelledFace], errors: Array, group: Any) -> dict[str, Any]:
    """Figures of the faces of each group; `group` gives its name, or None."""
    names = [group(face) for face in faces]
    rows = {}
    for name in sorted({name for name in names if name is not None}):
        figures = metrics.error_summary(errors[[other == name for other in names]])
        rows[name] = {key: figures[key] for key in ("faces", "missed", "nme", "failure_10")}
    return rows


def _told(value: bool | None) -> str | None:
    return None if value is None else "with" if value else "without"


def calibration_figures(data: DataSet, pairs: Iterable[MatchedFace]) -> dict[str, Any]:
    """Whether confidences are probabilities, and what they are for visible and hidden points."""
    scheme = data.scheme
    assert scheme is not None
    single = data.places()
    indices = [scheme.groups[k][0] for k in single]
    stated, right, visible = [], [], []
    for face, found in pairs:
        if found is None or found.confidence is None or face.points is None:
            continue
        errors = metrics.point_errors(scheme.select(found.points), face.points, metrics.box_size(data.extent(face)))[
            single
        ]
        known = ~np.isnan(errors)
        stated.append(found.confidence[indices][known])
        right.append(errors[known] < RIGHT_LIMIT)
        if face.visible is not None:
            visible.append(face.visible[single][known])
    if not stated:
        return {}
    confidence, correct = np.concatenate(stated), np.concatenate(right)
    result = {"all": reliability(confidence, correct)}
    if len(visible) == len(stated):
        seen = np.concatenate(visible)
        result["visible"] = reliability(confidence[seen], correct[seen])
        result["hidden"] = reliability(confidence[~seen], correct[~seen])
    return result


# --- faces -----------------------------------------------------------------------------------------------------------


def detection_figures(data: DataSet, found: list[list[Found]], matches: list[list[int]]) -> dict[str, Any]:
    """Recall, precision and false faces of the pipeline's output.

    Data sets mean different things by a box. So two more counts ask only for the place: the faces in whose box the centre of a
    found one lies (`located`), and the false faces whose centre lies in no labelled face (`elsewhere`).
    """
    required = _required_faces(data, found, matches)
    false = _false_faces(data, found, matches)
    result: dict[str, Any] = {
        "images": len(data.samples),
        "faces": len(required),
        "found": sum(face.found for face in required),
        "recall": _share([face.found for face in required]),
        "located": _share([face.located for face in required]),
    }
    if data.every_face:
        right = [sample.faces[pair].required for sample, pairs in zip(data.samples, matches, strict=True)
                 for pair in pairs if pair >= 0]  # fmt: skip
        result |= _false_counts(data, false, sum(right))
    if any(sample.traps for sample in data.samples):
        in_traps = [
            centre_inside(box, sample.traps) for sample, boxes in zip(data.samples, false, strict=True) for box in boxes
        ]
        result["in_traps"] = sum(in_traps)
    if required:
        names, iou = ("p5", "median", "p95"), np.percentile([face.iou for face in required], (5, 50, 95))
        result["iou"] = dict(zip(names, (round(float(value), 3) for value in iou), strict=True))
        result["by_size"] = _by_size(np.array([f.size for f in required]), np.array([f.found for f in required]))
    return result


class _RequiredFace(NamedTuple):
    """What became of a face that is required to be found; ``iou`` is the largest with any found face."""

    size: float
    found: bool
    located: bool
    iou: float


def _required_faces(data: DataSet, found: list[list[Found]], matches: list[list[int]]) -> list[_RequiredFace]:
    result = []
    for sample, faces, pairs in zip(data.samples, found, matches, strict=True):
        boxes = [face.box for face in faces]
        table = overlaps([face.box for face in sample.faces], boxes)
        for index, face in enumerate(sample.faces):
            if face.required:
                located = any(centre_inside(box, face.box) for box in boxes)
                best = float(table[index].max(initial=0.0))
                result.append(_RequiredFace(metrics.box_size(face.box), index in pairs, located, best))
    return result


def _false_faces(data: DataSet, found: list[list[Found]], matches: list[list[int]]) -> list[list[Array]]:
    """By image the boxes of found faces that are no labelled one; what lies in a face that need not be found is excused."""
    result = []
    for sample, faces, pairs in zip(data.samples, found, matches, strict=True):
        excused = [face.box for face in sample.faces if not face.required]
        result.append([
            face.box for face, pair in zip(faces, pairs, strict=True) if pair < 0 and not centre_inside(face.box, excused)
        ])  # fmt: skip
    return result


def _false_counts(data: DataSet, false: list[list[Array]], right: int) -> dict[str, Any]:
    """Of a data set in which every face is labelled: how many found faces are false, beside ``right`` ones."""
    count, elsewhere = sum(map(len, false)), 0
    for sample, boxes in zip(data.samples, false, strict=True):
        labelled = [face.box for face in sample.faces]
        elsewhere += sum(not centre_inside(box, labelled) for box in boxes)
    return {
        "precision": round(right / (right + count), 4) if right + count else None,
        "false_faces": count,
        "elsewhere": elsewhere,
        "images_with_false_faces": sum(bool(boxes) for boxes in false),
        "false_per_image": round(count / len(data.samples), 4),
    }


def _share(values: list[bool]) -> float | None:
    return round(float(np.mean(values)), 4) if values else None


def published_figures(data: DataSet, found: list[list[Found]]) -> dict[str, Any]:
    """Whether the score of what is published is the probability that it is right.

    A found face is right when its mean error from some labelled face is below `RIGHT_BELOW`; where faces have boxes only, when it
    overlaps one by `RIGHT_IOU`.
    """
    scores, right = [], []
    for sample, faces in zip(data.samples, found, strict=True):
        for face in faces:
            scores.append(1.0 if face.score is None else face.score)
            right.append(any(_is_right(data, face, label) for label in sample.faces))
    wrong = len(right) - sum(right)
    figures = reliability(scores, right)
    share = round(wrong / len(right), 4) if right else None
    return {"faces": len(right), "wrong": wrong, "wrong_share": share, "score": figures}


def _is_right(data: DataSet, face: Found, label: LabelledFace) -> bool:
    if label.turned_away:
        return False
    if label.points is None or data.scheme is None:
        return bool(overlaps([face.box], [label.box])[0, 0] >= RIGHT_IOU)
    errors = metrics.point_errors(data.scheme.select(face.points), label.points, metrics.box_size(data.extent(label)))
    return bool(np.nanmean(errors) < RIGHT_BELOW)


def _by_size(sizes: Array, hits: NDArray[np.bool_]) -> dict[str, Any]:
    rows = {}
    for low, high in SIZE_BINS:
        mine = (sizes >= low) & (sizes < high)
        if mine.any():
            rows[size_name(low, high)] = {"faces": int(mine.sum()), "recall": round(float(hits[mine].mean()), 4)}
    return rows


def detector_figures(data: DataSet, run: Run, least_iou: float) -> dict[str, Any]:
    """Average precision of the detector alone, over all faces and by their size."""
    ranges = {"all": (0.0, float("inf"))} | {size_name(*sizes): sizes for sizes in SIZE_BINS}
    result: dict[str, Any] = {}
    for name, sizes in ranges.items():
        outcomes, positives = [], 0
        for sample, detections in zip(data.samples, run.detections or [], strict=True):
            boxes = [face.box for face in sample.faces]
            counted = [face.required and sizes[0] <= metrics.box_size(face.box) < sizes[1] for face in sample.faces]
            positives += sum(counted)
            outcomes += outcomes_of(detections.boxes, detections.scores, boxes, counted, least_iou, sizes)
        if positives:
            result[name] = {"faces": positives, "ap": round(average_precision(outcomes, positives), 4)}
    return result


# --- sequences -------------------------------------------------------------------------------------------------------


def video_figures(
    data: DataSet, found: list[list[Found]], unsmoothed: list[list[Found]], matches: list[list[int]]
) -> dict[str, Any]:
    """Jitter while the head is still, and lag, smoothed and raw; of labelled faces only."""
    found = [
        [face for face, pair in zip(faces, pairs, strict=True) if pair >= 0]
        for faces, pairs in zip(found, matches, strict=True)
    ]
    still: dict[str, list[float]] = {"smoothed": [], "raw": []}
    pairs = 0
    for before, after in pairwise(range(len(data.samples))):
        if data.samples[before].sequence is None or data.samples[before].sequence != data.samples[after].sequence:
            continue
        for track in {face.track for face in found[before]} & {face.track for face in found[after]}:
            old, new = _of_track(found[before], track), _of_track(found[after], track)
            raw_old, raw_new = _of_track(unsmoothed[before], track), _of_track(unsmoothed[after], track)
            if old is None or new is None or raw_old is None or raw_new is None:
                continue
            pairs += 1
            if picture_motion(data.samples[before].frame(), data.samples[after].frame(), old.box) <= STILL:
                still["smoothed"].append(step_motion(old.points, new.points, old.box))
                still["raw"].append(step_motion(raw_old.points, raw_new.points, raw_old.box))
    return {
        "pairs": pairs,
        "still_pairs": len(still["raw"]),
        "jitter": {name: _spread(values) for name, values in still.items()},
        "lag_frames": _lags(data, found, unsmoothed),
    }


def _of_track(faces: list[Found], track: str) -> Found | None:
    return next((face for face in faces if face.track == track), None)


def _spread(values: list[float]) -> dict[str, float] | None:
    if not values:
        return None
    return {"mean": round(float(np.mean(values)), 4), "p95": round(float(np.percentile(values, 95)), 4)}


def _lags(data: DataSet, found: list[list[Found]], unsmoothed: list[list[Found]]) -> dict[str, float]:
    """Lag by sequence, of the face that is there in the most frames."""
    lags = {}
    for sequence in sorted({sample.sequence for sample in data.samples if sample.sequence is not None}):
        frames = [k for k, sample in enumerate(data.samples) if sample.sequence == sequence]
        tracks = [face.track for k in frames for face in found[k]]
        if not tracks:
            continue
        track = max(sorted(set(tracks)), key=tracks.count)
        both = [(_of_track(found[k], track), _of_track(unsmoothed[k], track)) for k in frames]
        together = [(late, early) for late, early in both if late is not None and early is not None]
        if not together:
            continue
        size = float(np.mean([metrics.box_size(early.box) for _, early in together]))
        trailing = lag(
            np.array([late.points for late, _ in together]), np.array([early.points for _, early in together]), size
        )
        if trailing is not None:
            lags[sequence] = trailing
    return lags


def mouth_figures(data: DataSet, found: list[list[Found]], matches: list[list[int]]) -> dict[str, Any]:
    """How the opening of the mouth follows the labels, by sequence."""
    scheme = data.scheme
    assert scheme is not None
    lips = scheme.places(INNER_LIPS[0])
    if len(lips) < 2:
        return {}
    openings: dict[str, list[tuple[float, float]]] = {}
    for sample, faces, pairs in zip(data.samples, found, matches, strict=True):
        for face, pair in zip(faces, pairs, strict=True):
            if pair < 0 or sample.sequence is None or sample.faces[pair].points is None:
                continue
            label = sample.faces[pair]
            upper, lower = np.asarray(label.points)[lips]
            labelled = float(np.linalg.norm(upper - lower)) / metrics.box_size(data.extent(label))
            openings.setdefault(sample.sequence, []).append(
                (opening(face.points, metrics.box_size(face.box)) / 100.0, labelled)
            )
    return {
        sequence: opening_agreement([mine for mine, _ in rows], [theirs for _, theirs in rows])
        for sequence, rows in openings.items()
    }
