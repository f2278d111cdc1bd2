# SPDX-License-Identifier: Apache-2.0
"""Labels of a thermal recording by the thermal network itself, for robots without an RGB camera.

The network looks at each face through several crops (`evaluation/consistency.py`); their mean is the label. What it is worth is the
network's confidence, lessened where the crops disagree, and where a point moves between two images otherwise than its face does.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.datasets.pairs import ABOUT, FORMAT, INDEX
from thermal_fld_ros.datasets.sample import DataSetError
from thermal_fld_ros.evaluation.consistency import Looks, many_looks, worth_of
from thermal_fld_ros.labelling.build import stored_pixels
from thermal_fld_ros.labelling.folder import split_entries
from thermal_fld_ros.perception.decoding import Decoding, ImageError
from thermal_fld_ros.perception.geometry import box_around, extent
from thermal_fld_ros.perception.pictures import write_image
from thermal_fld_ros.perception.pipeline import Pipeline
from thermal_fld_ros.provenance import git_state
from thermal_fld_ros.recordings.source import RawImage

MOTION_LIMIT = 0.06
"""The same of a point's motion apart from its face's."""

MOST_SPREAD = 0.06
"""Median disagreement of a face's points above which it is left out."""

_UNSTEADY, _NO_FACE, _UNREADABLE = "the crops disagree", "no face", "cannot be decoded"

_Entry = dict[str, Any]


def label_images(
    images: Iterator[RawImage], decoding: Decoding, pipeline: Pipeline, out: Path, episode: str, left_out: Counter[str]
) -> Iterator[_Entry]:
    """Write the images of a recording that have faces into ``out``; an index entry for each face, without its split."""
    before: dict[str, NDArray[np.float64]] = {}
    for number, image in enumerate(images):
        try:
            frame = image.decode(decoding)
            pixels = stored_pixels(frame)
        except ImageError:
            left_out[_UNREADABLE] += 1
            continue
        faces = pipeline(frame, float(number) if image.stamp is None else image.stamp)
        left_out[_NO_FACE] += not faces
        seen: dict[str, NDArray[np.float64]] = {}
        name = f"thermal/{episode}/{number:06d}.png"
        to_upright = frame.upright_to_image.inverse()
        for face in faces:
            looks = many_looks(pipeline.landmarker, frame, to_upright(face.points.astype(np.float64)))
            if np.median(looks.spread) > MOST_SPREAD:
                left_out[_UNSTEADY] += 1
                continue
            seen[face.id] = looks.points
            worth = worth_of(looks)
            if face.id in before:
                worth = worth * np.exp(-0.5 * np.square(own_motion(before[face.id], looks) / MOTION_LIMIT))
            stamp = {} if image.stamp is None else {"stamp": round(image.stamp, 6)}
            yield {
                "thermal": name,
                "points": looks.points.round(2).tolist(),
                "box": box_around(looks.points).round(2).tolist(),
                "confidence": worth.round(3).tolist(),
                "subject": episode,  # nothing else tells the people of recordings apart
                "episode": episode,
                **stamp,
            }
        if seen:
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            write_image(out / name, pixels)
        before = seen


def own_motion(before: NDArray[np.float64], looks: Looks) -> NDArray[np.float64]:
    """How far each point (68,) has moved apart from its face, in units of the face's size: what a similarity leaves."""
    there, here = (points @ np.array([1, 1j]) for points in (before, looks.points))
    around = there - there.mean()
    turn = np.vdot(around, here - here.mean()) / np.vdot(around, around).real
    return np.abs(here - here.mean() - turn * around) / extent(looks.points)


def write_data_set(
    out: Path, entries: Sequence[_Entry], shares: Sequence[float], named: Mapping[str, str], about: Mapping[str, Any]
) -> dict[str, int]:
    """Write index and dataset.json of faces from thermal recordings; faces by split.

    Splits are those of ``dataset``: by recording where there are three or more, else by time. Raises DataSetError where there is no
    face, or no recording of a name.
    """
    if not entries:
        raise DataSetError(f"{out}: no face was kept")
    decided, splits = split_entries(entries, shares, named, {})
    lines = [
        json.dumps({**entry, "split": split}, separators=(",", ":"))
        for entry, split in zip(entries, splits, strict=True)
    ]
    counts = dict(Counter(splits))
    told = {"format": FORMAT, "state": "complete", "git": git_state(), **about, "splits": decided, "counts": counts}
    (out / ABOUT).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    (out / INDEX).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return counts
