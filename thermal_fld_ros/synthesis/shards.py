# SPDX-License-Identifier: Apache-2.0
"""Rendered data sets on disk: shards of images with their labels, written by several processes, resumable.

A data set is a folder of ``images_NNNN.npy`` (n, H, W) uint16 centikelvin, of pairs also ``rgb_NNNN.npy`` (n, H, W, 3) uint8 and
``material_NNNN.npy`` (n, H, W) uint8, and ``labels_NNNN.npz`` with one row a face:

=========== ================== =========================================================================
``frame``   (M,) int32         index into the shard's images
``points``  (M, 68, 2) float32 pixels of the thermal image
``visible`` (M, 68) bool       nothing that a thermal camera cannot look through lies in front
``pose``    (M, 3) float32     yaw, pitch, roll in radians
``facing``  (M,) bool          turned by less than a profile, and not bowed until only the crown is seen
``box``     (M, 4) float32     x0, y0, x1, y1 of the points
``glasses`` (M,) bool          wears some
``mask``    (M,) bool
``to_rgb``  (M, 2, 3) float64  of pairs: from the thermal image's pixels to the colour image's
=========== ================== =========================================================================

Image k of the set is the scene of seed ``seed + k``, whatever the number of processes. ``recipe.json`` holds the `Recipe` and, as
``git``, the commits of the code that rendered.
"""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.provenance import git_state
from thermal_fld_ros.synthesis.ingredients import check_names, leave_out
from thermal_fld_ros.synthesis.morphable import load_morphable_model
from thermal_fld_ros.synthesis.scene import FaceLabel, Renderer, Rendering, Scene
from thermal_fld_ros.synthesis.sensor import centikelvin

SHARD = 500
SIZES = {"face": (160, 160), "frame": (320, 256), "pair": (128, 128)}
"""The kinds of data sets, and the usual width and height of their images."""


@dataclass(frozen=True)
class Recipe:
    """Everything that determines a rendered data set.

    Attributes
    ----------
    kind
        "face": one face in the middle; "frame": a camera's view; "pair": as "face", with the colour image and the segmentation.
    size : width, height
    misregistration
        Of pairs: how far the colour camera is off the thermal one, see `visible.sample_visible`.
    without
        Names of `ingredients.SCENE_INGREDIENTS` that are left out.

    Raises
    ------
    ValueError
        When there is no such data set.
    """

    kind: str
    count: int
    seed: int
    size: tuple[int, int]
    misregistration: float = 0.0
    without: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        width, height = self.size
        if self.kind not in SIZES:
            raise ValueError(f'kind "{self.kind}" of renders is unknown, expected one of {", ".join(SIZES)}')
        if min(width, height) < 16:
            raise ValueError(f"images of {width}x{height} pixels: expected 16 or more in each direction")
        if self.kind != "frame" and width != height:
            raise ValueError(f'images of {width}x{height} pixels: those of kind "{self.kind}" are square')
        if self.misregistration and self.kind != "pair":
            raise ValueError(f'kind "{self.kind}" has one image only, which cannot be misregistered')
        check_names(self.without)

    def scene(self, renderer: Renderer, number: int) -> Scene:
        """The scene of an image of the data set."""
        rng = np.random.default_rng(self.seed + number)
        if self.kind == "frame":
            scene = renderer.sample_frame(rng, self.size)
        elif self.kind == "pair":
            scene = renderer.sample_pair(rng, self.size[0], self.misregistration)
        else:
            scene = renderer.sample_face(rng, self.size[0])
        return leave_out(scene, self.without)


def render_shards(model: Path, out: Path, recipe: Recipe, processes: int = 1) -> Iterator[int]:
    """Render what is missing of a data set; yields the number of images done after each shard.

    More than one process are started anew: a script that asks for them needs ``if __name__ == "__main__"``.

    Raises
    ------
    ValueError
        When the folder holds a data set of another recipe.
    """
    out.mkdir(parents=True, exist_ok=True)
    note, made_by = out / "recipe.json", list[str]()
    if note.exists():
        there, made_by = _read(note)
        if there != recipe:
            raise ValueError(f"{out} holds another data set ({there}) than {recipe}: choose another folder")
    shards = {f"{s // SHARD:04d}": range(s, min(s + SHARD, recipe.count)) for s in range(0, recipe.count, SHARD)}
    todo = [name for name in shards if not (out / f"labels_{name}.npz").exists()]
    done = recipe.count - sum(len(shards[name]) for name in todo)
    if todo:
        note.write_text(json.dumps({**asdict(recipe), "git": list(dict.fromkeys([*made_by, git_state()]))}))
    if done:
        yield done
    for count in _run([(model, out, recipe, name, shards[name]) for name in todo], processes):
        done += count
        yield done


def _run(jobs: list[tuple[Path, Path, Recipe, str, range]], processes: int) -> Iterator[int]:
    if processes == 1:
        yield from (_render_shard(*job) for job in jobs)
        return
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when a process starts: one thread each
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), cv2.setNumThreads, (1,)) as pool:
        for future in as_completed([pool.submit(_render_shard, *job) for job in jobs]):
            yield future.result()


def _read(note: Path) -> tuple[Recipe, list[str]]:
    """The recipe of a data set, and the commits of the code that rendered it."""
    told: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in json.loads(note.read_text()).items()
    }
    git = list(told.pop("git", ()))
    return Recipe(**told), git


_renderers: dict[Path, Renderer] = {}  # one per process: loading the model takes seconds


def _render_shard(model: Path, out: Path, recipe: Recipe, name: str, numbers: range) -> int:
    if model not in _renderers:
        _renderers[model] = Renderer(load_morphable_model(model))
    renderer = _renderers[model]
    renderings = [renderer.render(recipe.scene(renderer, number)) for number in numbers]
    np.save(out / f"images_{name}.npy", np.stack([centikelvin(r.celsius) for r in renderings]))
    if recipe.kind == "pair":
        np.save(out / f"rgb_{name}.npy", np.stack([r.rgb for r in renderings if r.rgb is not None]))
        np.save(out / f"material_{name}.npy", np.stack([r.material for r in renderings]))
    labels = _labels(renderings, pairs=recipe.kind == "pair")
    np.savez(out / f"labels_{name}.npz", **labels)  # type: ignore[arg-type]  # last: marks the shard whole
    return len(numbers)


def _labels(renderings: list[Rendering], pairs: bool) -> dict[str, NDArray[np.generic]]:
    faces = [(k, face, rendering) for k, rendering in enumerate(renderings) for face in rendering.faces]

    def column(dtype: Any, shape: tuple[int, ...], values: list[Any]) -> NDArray[np.generic]:
        return np.array(values, dtype).reshape(-1, *shape)

    def of_face(dtype: Any, shape: tuple[int, ...], *names: str) -> NDArray[np.generic]:
        def value(face: FaceLabel) -> Any:
            return getattr(face, names[0]) if len(names) == 1 else [getattr(face, n) for n in names]

        return column(dtype, shape, [value(face) for _, face, _ in faces])

    labels = {
        "frame": column(np.int32, (), [k for k, _, _ in faces]),
        "points": of_face(np.float32, (68, 2), "points"),
        "visible": of_face(bool, (68,), "visible"),
        "pose": of_face(np.float32, (3,), "yaw", "pitch", "roll"),
        "facing": of_face(bool, (), "facing"),
        "box": of_face(np.float32, (4,), "box"),
        "glasses": of_face(bool, (), "glasses"),
        "mask": of_face(bool, (), "mask"),
    }
    if pairs:
        labels["to_rgb"] = column(np.float64, (2, 3), [rendering.to_rgb.matrix for _, _, rendering in faces])
    return labels


def load_shards(folder: Path) -> tuple[NDArray[np.uint16], dict[str, NDArray[np.generic]]]:
    """All whole shards of a data set: images (N, H, W) and labels, ``frame`` counted over the set."""
    images: NDArray[np.uint16] = load_images(folder)
    labels, offset = [], 0
    for file in _whole(folder):
        with np.load(file) as data:
            labels.append({k: data[k] for k in data.files})
        labels[-1]["frame"] = labels[-1]["frame"] + offset
        offset += len(np.load(_beside(file, "images"), mmap_mode="r"))
    return images, {k: np.concatenate([part[k] for part in labels]) for k in labels[0]}


def load_images(folder: Path, name: str = "images") -> NDArray[Any]:
    """One kind of images of all whole shards: "images" (thermal), "rgb" or "material"; (N, H, W) or (N, H, W, 3)."""
    return np.concatenate([np.load(_beside(file, name)) for file in _whole(folder)])


def open_shards(folder: Path) -> Iterator[tuple[dict[str, NDArray[Any]], dict[str, NDArray[np.generic]]]]:
    """Each whole shard: its images by kind, which stay on the disk until they are looked at, and its labels."""
    for file in _whole(folder):
        kinds = [kind for kind in ("images", "rgb") if _beside(file, kind).exists()]
        with np.load(file) as data:
            labels = {name: data[name] for name in data.files}
        yield {kind: np.load(_beside(file, kind), mmap_mode="r") for kind in kinds}, labels


def _whole(folder: Path) -> list[Path]:
    files = sorted(folder.glob("labels_*.npz"))
    if not files:
        raise FileNotFoundError(f"{folder} holds no rendered data: run `python -m thermal_fld_ros render` first")
    return files


def _beside(labels: Path, name: str) -> Path:
    return labels.with_name(labels.name.replace("labels", name)).with_suffix(".npy")
