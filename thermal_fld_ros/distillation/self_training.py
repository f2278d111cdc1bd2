# SPDX-License-Identifier: Apache-2.0
"""Adaptation to a thermal camera without any labels but the network's own: a mean teacher that labels again after each round.

`pseudo_label` makes the data set. The averaged weights of a round (the mean teacher of Tarvainen and Valpola, 2017) look at every face of
"train" and "validation" through several crops, and their means are the labels of the next round. Whether it helped nobody can tell
without labels. What can be told is whether the network agrees with itself better on people whom it has not learnt from, and what it
forgot on rendered people: both decide whether a network is written.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.datasets.pairs import ABOUT, INDEX, Pair, read_index, read_pair
from thermal_fld_ros.distillation.adapt import (
    ANCHORED,
    CLIP,
    STEPS,
    Adaptation,
    Figures,
    measured,
    read_splits,
    rendered_clip,
    shared_config,
    shipped_weights,
    tell,
    tell_people,
    training_length,
)
from thermal_fld_ros.distillation.config import read_config
from thermal_fld_ros.distillation.export import export
from thermal_fld_ros.distillation.trainer import train
from thermal_fld_ros.evaluation.consistency import many_looks, worth_of
from thermal_fld_ros.evaluation.metrics import interval
from thermal_fld_ros.perception.decoding import decode_array
from thermal_fld_ros.perception.landmarker import Landmarker
from thermal_fld_ros.perception.models import load_model

DISAGREEMENT = "held out, disagreement of crops"
SELF_TRAINING_ROUNDS = 2
MOST_FORGOTTEN = 1.0
"""By how much the NME on rendered people may rise, in percentage points."""


def is_pseudo_labelled(folder: Path) -> bool:
    """Whether a data set's labels are the thermal network's own."""
    file = folder / ABOUT
    told = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    teacher = told.get("settings", {}).get("teacher", {})
    return isinstance(teacher, dict) and bool(teacher.get("pseudo"))


def self_train(
    folder: Path,
    out: Path,
    command: str,
    *,
    start: Path | None = None,
    rounds: int = SELF_TRAINING_ROUNDS,
    steps: int = STEPS,
    seed: int = 1,
    threads: int = 0,
    say: Callable[[str], None] = print,
) -> Adaptation:
    """Adapt a landmark network to a data set of `pseudo_label`; parameters, files and errors as for `adapt`.

    Parameters
    ----------
    rounds : int
        Trainings; before each but the first the averaged weights label again.
    """
    start = start or shipped_weights()
    splits = read_splits(folder)
    tell_people(say, splits)
    work = out / "training"
    before, spread_before = _judged(start, work / "before.onnx", command, splits["test"])
    tell(say, "before", before)
    teacher, data = start, folder
    for number in range(1, rounds + 1):
        stage = work / f"round_{number}"
        if number > 1:
            data = relabelled(
                folder, Landmarker(load_model(_exported(teacher, stage, command), provider="cpu")), stage / "data"
            )
        config = shared_config(folder, splits, start) | {"seed": seed, **training_length(len(splits["train"]), steps)}
        config |= {"pairs": str(data), "validation": str(data), "teacher": str(start), "terms": ANCHORED}
        say(f"round {number}: {config['epochs']} epochs, in {stage}")
        train(read_config(config, f"round {number}"), stage, threads)
        teacher = stage / "best.pt"
    after, spread_after = _judged(teacher, work / "after.onnx", command, splits["test"])
    tell(say, "after", after)
    faces = {name: len(pairs) for name, pairs in splits.items()}
    reason = refusal(before, after, spread_after - spread_before, [p.face.subject or p.episode for p in splits["test"]])
    if reason:
        return Adaptation(None, before, after, faces, reason)
    model = out / f"{config['name']}.onnx"
    export(teacher, model, command, {"before": before, "after": after})
    return Adaptation(model, before, after, faces)


def refusal(before: Figures, after: Figures, change: NDArray[np.float64], people: list[str]) -> str:
    """Why the adapted network is not written, or nothing.

    Parameters
    ----------
    before, after : dict
        Figures, of which those of the rendered clip count.
    change : (N,)
        Of the disagreement in % of each held-out face, below 0 where it became less.
    people : list of str
        Of each face, the person or the recording.
    """
    bounds = interval(change, people)
    if bounds is None:
        worst, how = float(np.mean(change)), "mean change"
    else:
        worst, how = bounds[1], "upper bound of the mean change, 95 %, by a bootstrap over people"
    if not worst < 0:
        return f"{DISAGREEMENT} did not become less: {how} {worst:+.3f} percentage points"
    forgotten = f"{CLIP}, 68 points"
    if after[forgotten] > before[forgotten] + MOST_FORGOTTEN:
        return f"{forgotten}: NME rose from {before[forgotten]:.3f} to {after[forgotten]:.3f} %, by more than {MOST_FORGOTTEN}"
    return ""


def disagreements(landmarker: Landmarker, pairs: list[Pair]) -> NDArray[np.float64]:
    """Of each face: the mean disagreement of the crops over its points, in % of sqrt(w h) of the face's box."""
    found = []
    for pair in pairs:
        assert pair.face.points is not None
        looks = many_looks(landmarker, decode_array(pair.pixels("thermal")), pair.face.points)
        found.append(100 * float(looks.spread.mean()))
    return np.array(found)


def relabelled(folder: Path, landmarker: Landmarker, out: Path) -> Path:
    """The index of a data set with labels by this network, in a folder of its own, whose images are those of the data set."""
    out.mkdir(parents=True, exist_ok=True)
    lines = []
    for where, entry in read_index(folder):
        pair = read_pair(folder, where, entry)
        assert pair.face.points is not None
        looks = many_looks(landmarker, decode_array(pair.pixels("thermal")), pair.face.points)
        entry |= {"thermal": os.path.relpath(folder / entry["thermal"], out), "points": looks.points.round(2).tolist()}
        lines.append(json.dumps(entry | {"confidence": worth_of(looks).round(3).tolist()}))
    (out / INDEX).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return out


def _exported(weights: Path, folder: Path, command: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    model = folder / "teacher.onnx"
    export(weights, model, command)
    return model


def _judged(weights: Path, model: Path, command: str, pairs: list[Pair]) -> tuple[dict[str, Any], NDArray[np.float64]]:
    """Figures of a network that need no labels of the recordings, and the disagreement on each held-out face."""
    figures = measured(weights, model, command, [rendered_clip()])
    each = disagreements(Landmarker(load_model(model, provider="cpu")), pairs)
    return {DISAGREEMENT: round(float(each.mean()), 4), **figures}, each
