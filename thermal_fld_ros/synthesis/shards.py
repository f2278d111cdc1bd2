# SPDX-License-Identifier: Apache-2.0
"""Rendered data sets on disk: shards of images with their labels, written by several processes, resumable.

A data set is a folder of pairs ``images_NNNN.npy`` (n, H, W) uint16 centikelvin and ``labels_NNNN.npz`` with one row a
face: ``frame`` (M,) index into the images, ``points`` (M, 68, 2) float32 pixels, ``visible`` (M, 68) bool,
``pose`` (M, 3) float32 yaw, pitch, roll in radians, ``facing`` (M,) bool. Image k of the set is the scene of seed
``seed + k``, whatever the number of processes.
"""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.synthesis.morphable import load_morphable_model
from thermal_fld_ros.synthesis.scene import Renderer
from thermal_fld_ros.synthesis.sensor import centikelvin

SHARD = 500


@dataclass(frozen=True)
class Recipe:
    """What a rendered data set is made of. ``kind``: "face", one face in the middle, or "frame", a camera's view."""

    kind: str
    count: int
    seed: int
    size: tuple[int, int]  # width, height


def render_shards(model: Path, out: Path, recipe: Recipe, processes: int = 1) -> Iterator[int]:
    """Render what is missing of a data set; yields the number of images done after each shard.

    Raises
    ------
    ValueError
        When the folder holds a data set of another recipe.
    """
    out.mkdir(parents=True, exist_ok=True)
    wanted = json.dumps(asdict(recipe))
    note = out / "recipe.json"
    if note.exists() and json.loads(note.read_text()) != json.loads(wanted):
        raise ValueError(f"{out} holds another data set ({note.read_text()}), not {wanted}: choose another folder")
    note.write_text(wanted)
    shards = {f"{s // SHARD:04d}": range(s, min(s + SHARD, recipe.count)) for s in range(0, recipe.count, SHARD)}
    todo = [name for name in shards if not (out / f"labels_{name}.npz").exists()]
    done = recipe.count - sum(len(shards[name]) for name in todo)
    if done:
        yield done
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when a process starts: one thread each
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), cv2.setNumThreads, (1,)) as pool:
        for future in as_completed(
            [pool.submit(_render_shard, model, out, recipe, name, shards[name]) for name in todo]
        ):
            done += future.result()
            yield done


_renderers: dict[Path, Renderer] = {}  # one per process: loading the model takes seconds


def _render_shard(model: Path, out: Path, recipe: Recipe, name: str, numbers: range) -> int:
    if model not in _renderers:
        _renderers[model] = Renderer(load_morphable_model(model))
    renderer = _renderers[model]
    width, height = recipe.size
    images = np.empty((len(numbers), height, width), np.uint16)
    rows: dict[str, list[object]] = {k: [] for k in ("frame", "points", "visible", "pose", "facing")}
    for k, number in enumerate(numbers):
        rng = np.random.default_rng(recipe.seed + number)
        scene = renderer.sample_face(rng, width) if recipe.kind == "face" else renderer.sample_frame(rng, recipe.size)
        rendering = renderer.render(scene)
        images[k] = centikelvin(rendering.celsius)
        for face in rendering.faces:
            rows["frame"].append(k)
            rows["points"].append(face.points)
            rows["visible"].append(face.visible)
            rows["pose"].append((face.yaw, face.pitch, face.roll))
            rows["facing"].append(face.facing)
    shapes = {"frame": (-1,), "points": (-1, 68, 2), "visible": (-1, 68), "pose": (-1, 3), "facing": (-1,)}
    types = {"frame": np.int32, "points": np.float32, "visible": bool, "pose": np.float32, "facing": bool}
    labels = {k: np.array(v, types[k]).reshape(shapes[k]) for k, v in rows.items()}
    np.save(out / f"images_{name}.npy", images)
    np.savez(out / f"labels_{name}.npz", **labels)  # type: ignore[arg-type]  # last: marks the shard whole
    return len(numbers)


def load_shards(folder: Path) -> tuple[NDArray[np.uint16], dict[str, NDArray[np.generic]]]:
    """All whole shards of a data set: images (N, H, W) and labels, ``frame`` counted over the set."""
    files = sorted(folder.glob("labels_*.npz"))
    if not files:
        raise FileNotFoundError(f"{folder} holds no rendered data: run `python -m thermal_fld_ros render` first")
    images, labels, offset = [], [], 0
    for file in files:
        images.append(np.load(file.with_name(file.name.replace("labels", "images")).with_suffix(".npy")))
        with np.load(file) as data:
            labels.append({k: data[k] for k in data.files})
        labels[-1]["frame"] = labels[-1]["frame"] + offset
        offset += len(images[-1])
    return np.concatenate(images), {k: np.concatenate([part[k] for part in labels]) for k in labels[0]}
