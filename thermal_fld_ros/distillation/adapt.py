# SPDX-License-Identifier: Apache-2.0
"""The shipped landmark network becomes one for a certain camera and certain people, by a data set that `dataset` has made.

It starts from the shipped weights and learns from the labels of the split "train", each worth its confidence, while the shipped network
stays its teacher (term ``output``), so that what those faces do not show is not forgotten. With an RGB teacher the labels' knowledge comes
in two levels instead: first a thermal network of that teacher's shape (KTL), which then teaches the light one (MCL). The split
"validation" chooses the epoch; "test" only says how good the network was and is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thermal_fld_ros.datasets.pairs import INDEX, SPLITS, Pair, read_pairs
from thermal_fld_ros.datasets.renders import read_renders
from thermal_fld_ros.datasets.sample import SCHEMES, DataSet, DataSetError, LabelledFace, Sample
from thermal_fld_ros.distillation.checkpoint import load_trained
from thermal_fld_ros.distillation.config import read_config
from thermal_fld_ros.distillation.export import RENDERS, export
from thermal_fld_ros.distillation.trainer import train
from thermal_fld_ros.evaluation.given_box import given_box_errors, nme_by_test
from thermal_fld_ros.evaluation.metrics import REPORTED_SETS
from thermal_fld_ros.perception.landmarker import Landmarker
from thermal_fld_ros.perception.models import default_model_folder, load_model
from thermal_fld_ros.recordings.source import RawImage

START = "face_landmarks.pt"
HELD_OUT, CLIP = "held out", "rendered clip"

LEAST = {"train": 50, "validation": 10, "test": 10}
"""Faces of each split, below which figures and training mean nothing."""

STEPS, PASSES, ROUNDS, BATCH = 500, 6, 10, 32
"""Of the training: steps, but each face at least so many times; and how often it is looked at by "validation"."""

KEPT = ("version", "size", "crop_scale", "normalisation", "threshold", "network", "gate")
"""What the adapted network takes from the one that it starts from, where that has it."""

ANCHORED = {"task": {"weight": 1.0}, "output": {"weight": 1.0, "decay": "constant"}}
FIRST_LEVEL = {"task": {"weight": 1.0}, "forward_injection": {"weight": 1.0}, "reverse_injection": {"weight": 1.0}}
SECOND_LEVEL = {"task": {"weight": 1.0}, "feature": {"weight": 0.05}, "output": {"weight": 4.0, "decay": "constant"}}
"""The *stronger* terms of docs/distillation.md: a student that has learnt already has features of its own."""

Figures = dict[str, float]
"""NME in % by test set and set of points."""


@dataclass(frozen=True)
class Adaptation:
    """What an adaptation has come to.

    Attributes
    ----------
    model : Path or None
        The ONNX file; None where the network became no better.
    before, after : dict
        NME in % of sqrt(w h), given the box, by test set and set of points.
    faces : dict
        Of each split.
    reason : str
        Why the network is not written; empty where it is.
    """

    model: Path | None
    before: Figures
    after: Figures
    faces: dict[str, int]
    reason: str = ""


def adapt(
    folder: Path,
    out: Path,
    command: str,
    *,
    start: Path | None = None,
    teacher: Path | None = None,
    steps: int = STEPS,
    seed: int = 1,
    threads: int = 0,
    say: Callable[[str], None] = print,
) -> Adaptation:
    """Adapt a landmark network to a data set; called again it goes on where it was interrupted.

    Parameters
    ----------
    folder : Path
        With ``pairs.jsonl`` and its splits.
    out : Path
        For the ONNX file, its weights (.pt), its metadata (.json), its model card (.md), and the trainings.
    command : str
        For the model card.
    start : Path, optional
        Weights to start from; default: the shipped ones.
    teacher : Path, optional
        Checkpoint of an RGB network, for both levels of the distillation.
    steps : int
        At least, of each training.
    seed, threads : int
        See ``train``.
    say : function
        Tells what is going on.

    Raises
    ------
    DataSetError
        When the data set lacks a split, labels or faces.
    ValueError
        When ``out`` holds an adaptation with other settings, or the networks do not fit together.
    OSError
        When a file cannot be read or written.
    """
    start = start or shipped_weights()
    splits = read_splits(folder)
    config = shared_config(folder, splits, start) | {"seed": seed, **training_length(len(splits["train"]), steps)}
    tell_people(say, splits)
    tests, work = _tests(splits["test"]), out / "training"
    before = measured(start, work / "before.onnx", command, tests)
    tell(say, "before", before)

    stages = _stages(config, start, teacher, work)
    for stage, each in stages.items():
        say(f"{stage}: {each['epochs']} epochs, in {work / stage}")
        train(read_config(each, stage), work / stage, threads)
    best = work / list(stages)[-1] / "best.pt"

    after = measured(best, work / "after.onnx", command, tests)
    tell(say, "after", after)
    faces = {name: len(pairs) for name, pairs in splits.items()}
    judged = f"{HELD_OUT}, {REPORTED_SETS[0]} points"
    if not after[judged] < before[judged]:
        reason = f"NME on {judged} was {before[judged]:.3f} % and is {after[judged]:.3f} %"
        return Adaptation(None, before, after, faces, reason)
    model = out / f"{config['name']}.onnx"
    export(best, model, command, {"before": before, "after": after})
    return Adaptation(model, before, after, faces)


def _stages(config: dict[str, Any], start: Path, teacher: Path | None, work: Path) -> dict[str, dict[str, Any]]:
    """The configurations of the trainings by name, in their order: one, or with an RGB teacher both levels of the distillation."""
    if teacher is None:
        return {"adapted": config | {"teacher": str(start), "terms": ANCHORED}}
    network = load_trained(teacher)[1]["config"]["network"]
    first = config | {"start": str(teacher), "teacher": str(teacher), "terms": FIRST_LEVEL, "network": network}
    return {"ktl": first, "mcl": config | {"teacher": str(work / "ktl/best.pt"), "terms": SECOND_LEVEL}}


def read_splits(folder: Path) -> dict[str, list[Pair]]:
    """The labelled faces in thermal images by split; raises DataSetError where there are too few to adapt to."""
    splits = {}
    for split in SPLITS:
        pairs = [
            pair for pair in read_pairs(folder, split) if pair.thermal is not None and pair.face.points is not None
        ]
        if len(pairs) < LEAST[split]:
            raise DataSetError(
                f"{folder}: {len(pairs)} labelled faces in thermal images of split {split}, expected {LEAST[split]} and more"
            )
        splits[split] = pairs
    return splits


def shared_config(folder: Path, splits: dict[str, list[Pair]], start: Path) -> dict[str, Any]:
    """What the trainings have in common."""
    _, state = load_trained(start)
    before = state["config"]
    known = splits["train"]
    recordings = len({pair.episode for pair in known if pair.episode})
    about = f"{len(known)} faces of {_people(known)}" + (f" in {recordings} recordings" if recordings else "")
    return {
        "task": "distillation", "modality": "thermal", "name": f"face_landmarks_{folder.resolve().name}",
        **{key: before[key] for key in KEPT if key in before}, "start": str(start),
        "adapted_from": {"name": before["name"], "version": str(before["version"]), "git": state["git"]},
        "about_data": f"{before.get('about_data', RENDERS)}; then adapted to {about}, labelled by {_labeller(folder)}",
        "index_sha256": hashlib.sha256((folder / INDEX).read_bytes()).hexdigest(),
        "pairs": str(folder), "split": "train", "validation": str(folder), "validation_split": "validation",
        "frames": str(folder), "negatives": 0.15,
        "batch": BATCH, "learning_rate": 0.0003, "weight_decay": 0.02, "workers": 0,
    }  # fmt: skip


def training_length(faces: int, steps: int) -> dict[str, int]:
    """Epochs, and how often each face comes in one."""
    samples = max(steps * BATCH, PASSES * faces)
    repeat = max(1, round(samples / (faces * ROUNDS)))
    return {"epochs": -(-samples // (faces * repeat)), "repeat": repeat}


def _labeller(folder: Path) -> str:
    """Who labelled a data set, as its dataset.json tells."""
    file = folder / "dataset.json"
    settings = json.loads(file.read_text(encoding="utf-8")).get("settings", {}) if file.is_file() else {}
    teacher = settings.get("teacher", "an unknown teacher")
    return str(teacher.get("name", teacher)) if isinstance(teacher, dict) else str(teacher)


def _people(pairs: Iterable[Pair]) -> str:
    names = sorted({pair.face.subject for pair in pairs} - {""})
    return (
        f"{len(names)} people ({', '.join(names[:6])}{', ...' if len(names) > 6 else ''})" if names else "untold people"
    )


# --- measuring -------------------------------------------------------------------------------------------------------


def shipped_weights() -> Path:
    """The weights of the shipped landmark network."""
    return default_model_folder() / START


def _tests(pairs: list[Pair]) -> list[DataSet]:
    """The held-out faces, and what shows what is forgotten."""
    return [labelled_images(HELD_OUT, pairs), rendered_clip()]


def rendered_clip() -> DataSet:
    """The demonstration's clip of rendered people, which shows what is forgotten; raises DataSetError where it is missing."""
    clip = default_model_folder().parent / "resource/demo_clip.npz"
    if not clip.is_file():
        raise DataSetError(f"{clip} is missing, which shows what adaptation forgets. Install the package again.")
    return DataSet(**{**vars(read_renders(clip)), "name": CLIP})


def labelled_images(name: str, pairs: list[Pair]) -> DataSet:
    """The thermal images of pairs as a data set; they are upright, and hot is bright."""
    faces: dict[Any, list[LabelledFace]] = {}
    of_image = {pair.thermal if isinstance(pair.thermal, Path) else pair.name: pair for pair in pairs}
    for pair in pairs:
        faces.setdefault(pair.thermal if isinstance(pair.thermal, Path) else pair.name, []).append(pair.face)
    samples = [Sample(str(key), _reader(pair), tuple(faces[key])) for key, pair in of_image.items()]
    return DataSet(name, samples, SCHEMES["ibug68"], "transferred from RGB images", every_face=False)


def _reader(pair: Pair) -> Callable[[], RawImage]:
    return lambda: RawImage.from_array(pair.pixels("thermal"))


def measured(weights: Path, model: Path, command: str, tests: list[DataSet]) -> Figures:
    """Errors of a network on test sets by the protocol "given box" of ``evaluate``."""
    export(weights, model, command)
    landmarker = Landmarker(load_model(model, provider="cpu"))
    return nme_by_test({data.name: given_box_errors(landmarker, data) for data in tests})


def tell_people(say: Callable[[str], None], splits: dict[str, list[Pair]]) -> None:
    """Tell how many faces and people each split has, and warn where test and training show the same."""
    for name, pairs in splits.items():
        say(f"{name}: {len(pairs)} faces of {_people(pairs)}")
    if _people(splits["train"]) == _people(splits["test"]):
        say("warning: the same people are in training and test: the figures say nothing of others")


def tell(say: Callable[[str], None], when: str, figures: Figures) -> None:
    """Tell figures in one line."""
    say(f"{when}: " + "  ".join(f"{name} {nme:.3f} %" for name, nme in figures.items()))
