# SPDX-License-Identifier: Apache-2.0
"""RGB portraits -> pairs for training: labels that two teachers agree on, and the face as a thermal camera might have seen it."""

from __future__ import annotations

import json
import multiprocessing
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.datasets.colour import Rgb, sampled_colour
from thermal_fld_ros.datasets.pairs import INDEX
from thermal_fld_ros.labelling.teachers import MediaPipe, NetworkTeacher
from thermal_fld_ros.perception.cropping import crop_from_points, roll_from_points
from thermal_fld_ros.perception.geometry import Affine, box_around, extent
from thermal_fld_ros.perception.pictures import write_image
from thermal_fld_ros.photographs.pseudo import Portrait, pseudo_thermal
from thermal_fld_ros.synthesis.morphable import MIRROR68, load_morphable_model
from thermal_fld_ros.synthesis.scene import Renderer
from thermal_fld_ros.synthesis.sensor import centikelvin

PortraitPoints = NDArray[np.float64]

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
PAIR_SIZE = 192
"""Side of the stored crops, pixels."""
PAIR_SCALE = 2.4
"""Side of the stored crops over the longer side of the face's box: turned and shifted crops of 1.5 still find pixels."""
LOOKS = 5  # crops that the network looks at
AGREED, APART = 0.03, 0.06
"""Distance of the two teachers' points, of the face's size, up to which a point is trusted and from which on it is not."""
JAW_SLACK = 2.0  # points slide along the jaw line: both distances are as many times larger there
TEST_PERSON = 4
"""One person of so many with hand marks is kept for measuring."""
LEAST_SEEN = 0.8  # of the points within the face, in the mask of the person
PERSPECTIVE = 0.05  # by how much of the crop's side its corners are moved about

# Where MediaPipe has iBUG's points against where people click them: to the right and down, thousandths of the face's size, in the
# face's own upright frame. Medians over the portraits marked by hand of the training split (London Set, Canada Set; CC BY 4.0); most of
# the jaw and the nose is not marked, there over what the package's own network finds. The left half mirrors the right.
CONVENTION = {
    0: (8, 38), 1: (9, 18), 2: (0, -1), 3: (-7, -9), 4: (-21, -40), 5: (10, 20), 6: (-1, 7), 7: (-11, 11), 8: (0, -16),
    17: (11, -39), 18: (-14, -22), 19: (-35, -29), 20: (-39, -39), 21: (-7, -66), 27: (0, -5), 28: (0, 0), 29: (0, 23),
    30: (0, -10), 31: (10, -16), 32: (-4, -6), 33: (0, 8), 36: (-5, -3), 37: (-23, 4), 38: (-20, -9), 39: (1, -4), 40: (-4, 1),
    41: (-9, -1), 48: (6, -1), 49: (11, -8), 50: (1, 2), 51: (0, 0), 57: (0, -6), 58: (20, -2), 59: (31, 9), 60: (-5, -22),
    61: (37, -1), 62: (0, -2), 66: (0, -2), 67: (37, 0),
}  # fmt: skip


class PortraitLabel(NamedTuple):
    """Points (68, 2) in pixels of the photograph, and what each is worth (68,), 0 to 1."""

    points: PortraitPoints
    confidence: NDArray[np.float64]


@dataclass(frozen=True)
class Settings:
    """What every process needs to know; ``teacher`` is the checkpoint, ``python`` has MediaPipe."""

    folder: Path
    out: Path
    face_model: Path
    teacher: Path
    python: str
    draws: int = 4
    seed: int = 0
    marks: Mapping[str, PortraitPoints] = field(default_factory=dict)


class NoFaceError(ValueError):
    """A photograph of which no pair can be made; the message says why."""


def photographs(folder: Path) -> list[str]:
    """Paths of the images in a folder and below it, relative to it, in order; raises ValueError where there are none."""
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder, expected one with photographs")
    names = sorted(str(f.relative_to(folder)) for f in folder.rglob("*") if f.suffix.lower() in SUFFIXES)
    if not names:
        raise ValueError(f"{folder}: no photographs ({', '.join(SUFFIXES)})")
    return names


def subject_of(name: str) -> str:
    """The person in a photograph, told by its file's name up to the first underscore."""
    return Path(name).stem.partition("_")[0]


def splits_of(names: Sequence[str], marked: Mapping[str, Any]) -> dict[str, str]:
    """The split of each photograph: "test" for some of the people with hand marks, always the same ones, else "train"."""
    people = {subject_of(name) for name in marked}
    held = {person for person in people if zlib.crc32(person.encode()) % TEST_PERSON == 0}
    return {name: "test" if subject_of(name) in held else "train" for name in names}


class PortraitTeacher:
    """MediaPipe and the package's RGB network together.

    MediaPipe finds the faces; its points, moved to where people click them, are the labels of all but the jaw, which is the network's.
    A point is trusted as far as both agree.
    """

    def __init__(self, python: str, checkpoint: Path):
        self.network = NetworkTeacher(checkpoint)
        self.mediapipe = MediaPipe(python)

    def __call__(self, image: Rgb) -> PortraitLabel:
        """The label of the largest face (RGB image, uint8); raises NoFaceError."""
        faces = [face.points for face in self.mediapipe(image) if face is not None]
        if not faces:
            raise NoFaceError("no face is found")
        mesh = in_convention(max(faces, key=extent))
        own = self.network_points(image, mesh)
        size = extent(own)
        apart = np.linalg.norm(mesh - own, axis=1) / size
        slack = np.where(np.arange(68) < 17, JAW_SLACK, 1.0)
        confidence = np.clip((APART - apart / slack) / (APART - AGREED), 0, 1)
        mean = float((apart / slack).mean())
        if mean > APART:
            raise NoFaceError(f"the teachers are {100 * mean:.0f} % apart")
        return PortraitLabel(np.where(np.arange(68)[:, None] < 17, own, mesh), confidence)

    def network_points(self, image: Rgb, points: PortraitPoints) -> PortraitPoints:
        """The network's points (68, 2), mean of several crops about given ones."""
        box, rng = box_around(points), np.random.default_rng(0)
        side = float(max(box[2:]))
        boxes = [box + side * np.concatenate([rng.normal(0, 0.04, 2), rng.normal(0, 0.06, 2)]) for _ in range(LOOKS)]
        return np.mean([face.points for face in self.network(image, boxes) if face is not None], axis=0)

    def close(self) -> None:
        """End MediaPipe's process."""
        self.mediapipe.close()


def in_convention(mesh: PortraitPoints) -> PortraitPoints:
    """MediaPipe's points (68, 2) moved to where people click iBUG's."""
    offset = np.zeros((68, 2))
    for k, (x, y) in CONVENTION.items():
        offset[MIRROR68[k]] = -x, y
        offset[k] = x, y
    level = Affine.similarity(extent(mesh) / 1000, roll_from_points(mesh), (0, 0), (0, 0))
    return mesh - level(offset)


def read_photograph(file: Path) -> Rgb:
    """An image (H, W, 3) RGB, uint8; raises NoFaceError where it cannot be read."""
    image = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if image is None:
        raise NoFaceError("cannot be read as an image")
    return np.ascontiguousarray(image[:, :, ::-1])


class Maker:
    """Makes the pairs of photographs, one process' share."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.teacher = PortraitTeacher(settings.python, settings.teacher)
        self.renderer = Renderer(load_morphable_model(settings.face_model), supersample=1)

    def __call__(self, name: str) -> list[dict[str, Any]]:
        """Write the images of a photograph's pairs and return their lines of the index; raises NoFaceError."""
        image = read_photograph(self.settings.folder / name)
        points = self.settings.marks.get(name, np.full((68, 2), np.nan))
        marked: NDArray[np.bool_] = np.isfinite(points[:, 0])
        confidence = np.ones(68)
        if not marked.all():  # what is marked by hand comes before what the teachers say
            label = self.teacher(image)
            points = np.where(marked[:, None], points, label.points)
            confidence = np.where(marked, 1.0, label.confidence)
        crop = crop_from_points(points, PAIR_SIZE, PAIR_SCALE)
        rgb = np.ascontiguousarray(sampled_colour(image, crop, (PAIR_SIZE, PAIR_SIZE)))
        portrait = Portrait(rgb, self.teacher.mediapipe.person(rgb), crop.inverse()(points))
        seen = _share_seen(portrait)
        if seen < LEAST_SEEN:
            raise NoFaceError(f"the segmentation takes {100 * (1 - seen):.0f} % of the face for background")
        return [self._draw(name, portrait, confidence, number) for number in range(self.settings.draws)]

    def _draw(self, name: str, portrait: Portrait, confidence: NDArray[np.float64], number: int) -> dict[str, Any]:
        rng = np.random.default_rng([self.settings.seed, zlib.crc32(name.encode()), number])
        seen = warped(portrait, rng) if number else portrait
        celsius = pseudo_thermal(self.renderer, seen, rng)
        stem = f"{name.replace('/', '-').rpartition('.')[0]}-{number}"
        files = {"thermal": f"thermal/{stem}.png", "rgb": f"rgb/{stem}.jpg"}
        write_image(self.settings.out / files["thermal"], centikelvin(celsius))
        write_image(self.settings.out / files["rgb"], seen.rgb[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
        return {
            **files, "points": seen.points.round(2).tolist(), "box": box_around(seen.points).round(2).tolist(),
            "confidence": confidence.round(3).tolist(), "subject": subject_of(name), "episode": str(Path(name).parent),
        }  # fmt: skip


def _share_seen(portrait: Portrait) -> float:
    """How much of the face the mask takes for a person, at the points within the face."""
    inner = np.clip(portrait.points[17:].round().astype(int), 0, len(portrait.rgb) - 1)
    return float((portrait.person[inner[:, 1], inner[:, 0]] > 0.5).mean())


def warped(portrait: Portrait, rng: np.random.Generator) -> Portrait:
    """The portrait from another side, as far as a plane can show it: a random perspective map, the face a little wider or higher."""
    size = len(portrait.rgb)
    corners = np.array([(0, 0), (size, 0), (size, size), (0, size)], np.float32)
    stretch = np.exp(rng.normal(0, 0.04, 2))
    moved = (corners - size / 2) * stretch + size / 2 + rng.normal(0, PERSPECTIVE * size / 2, (4, 2))
    matrix = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    rgb, person = (
        cv2.warpPerspective(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for image in (portrait.rgb, portrait.person)
    )
    points = cv2.perspectiveTransform(portrait.points[None], matrix)[0]
    return Portrait(np.asarray(rgb, np.uint8), np.asarray(person, np.float32), np.asarray(points, np.float64))


@dataclass
class Made:
    """What became of the photographs."""

    pairs: int = 0
    photographs: int = 0
    left_out: dict[str, str] = field(default_factory=dict)  # reasons by photograph


def make_pairs(settings: Settings, processes: int = 1) -> Iterator[Made]:
    """Make a folder of pairs, as ``datasets.pairs`` reads it; yields what has become of the photographs so far.

    An interrupted run goes on: what was made stands in the index' part, ``pairs.jsonl.part``.

    Raises
    ------
    ValueError
        When there are no photographs, or none of them shows a face, or ``out`` holds pairs already.
    TeacherError, MorphableModelError, OSError
    """
    names = photographs(settings.folder)
    unknown = sorted(set(settings.marks) - set(names))
    if unknown:
        raise ValueError(f"{settings.folder}: no photograph {unknown[0]}, of which there are hand marks")
    index = settings.out / INDEX
    if index.exists():
        raise ValueError(f"{settings.out}: holds pairs already, expected a new folder")
    for kind in ("thermal", "rgb"):
        (settings.out / kind).mkdir(parents=True, exist_ok=True)
    splits = splits_of(names, settings.marks)
    part = index.with_name(INDEX + ".part")
    entries = [json.loads(line) for line in part.read_text(encoding="utf-8").splitlines()] if part.exists() else []
    done = {entry["name"]: entry for entry in entries}
    made = Made()
    with part.open("a", encoding="utf-8") as file:
        for entry in _entries(settings, [name for name in names if name not in done], processes):
            done[entry["name"]] = entry
            file.write(json.dumps(entry) + "\n")
            file.flush()
            made = _count(done)
            yield made
    made = _count(done)
    if not made.pairs:
        raise ValueError(f"{settings.folder}: no face in {len(names)} photographs: {next(iter(made.left_out.items()))}")
    lines = [{**line, "split": splits[name]} for name in names for line in done[name]["lines"]]
    part.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    part.replace(index)
    yield made


def _count(done: Mapping[str, dict[str, Any]]) -> Made:
    left_out = {name: entry["reason"] for name, entry in sorted(done.items()) if entry["reason"]}
    return Made(sum(len(entry["lines"]) for entry in done.values()), len(done), left_out)


def _entries(settings: Settings, names: Sequence[str], processes: int) -> Iterator[dict[str, Any]]:
    if not names:
        return
    if processes == 1:
        _begin(settings)
        yield from map(_entry, names)
        _maker[0].teacher.close()
        return
    with multiprocessing.get_context("spawn").Pool(processes, _begin, (settings,)) as pool:
        yield from pool.imap_unordered(_entry, names)


_maker: list[Maker] = []  # of this process


def _begin(settings: Settings) -> None:
    cv2.setNumThreads(1)
    _maker[:] = [Maker(settings)]


def _entry(name: str) -> dict[str, Any]:
    try:
        return {"name": name, "lines": _maker[0](name), "reason": ""}
    except NoFaceError as error:
        return {"name": name, "lines": [], "reason": str(error)}
