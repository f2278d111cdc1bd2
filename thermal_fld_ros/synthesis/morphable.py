# SPDX-License-Identifier: Apache-2.0
"""The ICT-FaceKit morphable face: reading its public OBJ folder, morphing, the 68 iBUG landmarks on its surface."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

WHERE_TO_GET = (
    "clone https://github.com/ICT-VGL/ICT-FaceKit (MIT) and give its folder FaceXModel, or an .npz file cached from it"
)

# Of the 100 identity modes the first; the later ones hardly move a vertex.
IDENTITY_MODES = 60

# Vertex ranges of the ICT topology that are rendered; gums, lacrimal fluid, occlusion and lash cards are left out.
PARTS = {"face": (0, 9409), "head": (9409, 11248), "mouth": (11248, 13294), "socket": (13294, 14062),
         "teeth": (17039, 21451), "eye": (21451, 24591)}  # fmt: skip

# Vertex of each iBUG point (vertex_indices.json of ICT-FaceKit, idx_to_landmark_verts).
LANDMARK_VERTICES = (
    1225, 1888, 1052, 367, 1719, 1722, 2199, 1447, 966, 3661, 4390, 3927, 3924, 2608, 3272, 4088, 3443,
    268, 493, 1914, 2044, 1401, 3615, 4240, 4114, 2734, 2509, 978, 4527, 4942, 4857, 1140, 2075, 1147, 4269, 3360,
    1507, 1542, 1537, 1528, 1518, 1511, 3742, 3751, 3756, 3721, 3725, 3732,
    5708, 5695, 2081, 0, 4275, 6200, 6213, 6346, 6461, 5518, 5957, 5841, 5702, 5711, 5533, 6216, 6207, 6470, 5517, 5966,
)  # fmt: skip

# The model's own landmark vertices are not where annotators click. Moved along the surface by these offsets (cm, model's x
# right, y up; for the right half of the face, the left one mirrors it) to the nearest vertex, the neutral face has the layout of
# the mean of hand-marked neutral portraits (Face Research Lab London Set and Canada Set, DeBruine and Jones, CC BY 4.0): the
# brow's middle line instead of its upper edge, the corner of the eye at the end of the caruncle, lid points at a third and two
# thirds of the lid, the visible border of the lips and their corner, and the rim of the nostrils.
# benchmarks/landmark_layout.py lays it beside the mean of 300-W.
ANNOTATOR_OFFSETS = {
    17: (0.05, -0.90), 18: (0.10, -0.95), 19: (0.10, -0.85), 20: (-0.20, -1.00), 21: (-0.22, -0.95),
    28: (0.0, -0.15), 29: (0.0, -0.20), 30: (0.0, -0.20), 31: (0.0, 0.15), 32: (0.0, 0.05),
    36: (0.08, 0.0), 37: (0.30, 0.02), 38: (0.20, -0.03), 39: (0.17, -0.04), 40: (0.12, -0.02), 41: (0.28, -0.02),
    48: (0.10, 0.10), 49: (0.0, -0.10), 50: (0.0, -0.10), 51: (0.0, -0.12), 57: (0.0, 0.15), 58: (0.0, 0.15), 59: (0.0, 0.12),
}  # fmt: skip


# Index of each iBUG point's mirror image.
MIRROR68 = np.array([*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31, 45, 44, 43, 42, 47, 46, 39, 38,
                     37, 36, 41, 40, 54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65])  # fmt: skip


class MorphableModelError(ValueError):
    """The morphable model's folder or cache is not what it should be."""


@dataclass(frozen=True)
class MorphableModel:
    """A face that can be morphed: ``vertices = neutral + identity . w + expression . e``.

    Units centimetres, y up, face towards +z, origin between the ears.

    Attributes
    ----------
    neutral : (V, 3) float32
    triangles : (T, 3) int32, counter-clockwise seen from outside
    part : (V,) uint8
        Index into ``PARTS`` of each vertex.
    identity : (I, V, 3) float32
        Modes, weights about N(0, 1).
    expression : (E, V, 3) float32
        Modes, weights in [0, 1].
    expression_names : tuple of str
    landmarks : (68,) int64
        Vertex of each iBUG point, in the annotators' convention.
    """

    neutral: Array
    triangles: NDArray[np.int32]
    part: NDArray[np.uint8]
    identity: Array
    expression: Array
    expression_names: tuple[str, ...]
    landmarks: NDArray[np.int64]

    def morph(self, identity: Array, expression: Array) -> Array:
        """Vertices (V, 3) float32 of a face with the given weights (I,) and (E,)."""
        shape = self.neutral.reshape(-1).copy()
        for weights, modes in ((identity, self.identity), (expression, self.expression)):
            shape += weights.astype(np.float32) @ modes.reshape(len(modes), -1)
        return shape.reshape(-1, 3)

    @cached_property
    def surfaces(self) -> dict[str, NDArray[np.int32]]:
        """Triangles of each material: skin, mouth, teeth, eye."""
        names = list(PARTS)
        corner_part = self.part[self.triangles].max(1)
        groups = {"skin": ("face", "head"), "mouth": ("mouth",), "teeth": ("teeth",), "eye": ("eye", "socket")}
        return {m: self.triangles[np.isin(corner_part, [names.index(p) for p in g])] for m, g in groups.items()}


def load_morphable_model(path: str | Path) -> MorphableModel:
    """Read the model from ICT-FaceKit's ``FaceXModel`` folder, or from an .npz cached from it.

    A folder is parsed once (some 150 OBJ files) and cached beside it as ``ict_face.npz`` if that place is writable.

    Parameters
    ----------
    path
        Folder of OBJ files, or npz with neutral, triangles, identity, expression, expression_names.

    Raises
    ------
    MorphableModelError
        When the path does not hold the model; the message says where to get it.
    """
    path = Path(path)
    cache = path / "ict_face.npz" if path.is_dir() else path
    if path.is_dir() and not cache.exists():
        raw = _read_obj_folder(path)
        with contextlib.suppress(OSError):  # a read-only folder is parsed again next time
            part = cache.with_name("ict_face.part.npz")
            np.savez(part, **raw)  # type: ignore[arg-type]
            part.replace(cache)  # an interrupted first reading leaves no half cache
    elif cache.suffix == ".npz" and cache.exists():
        with np.load(cache) as data:
            raw = {k: data[k] for k in data.files}
    else:
        raise MorphableModelError(f"there is no morphable face at {path}: {WHERE_TO_GET}")
    missing = {"neutral", "triangles", "identity", "expression", "expression_names"} - raw.keys()
    if missing:
        raise MorphableModelError(f"{cache} lacks {', '.join(sorted(missing))}: {WHERE_TO_GET}")
    return _compact(raw)


def _read_obj_folder(folder: Path) -> dict[str, NDArray[np.generic]]:
    neutral_file = folder / "generic_neutral_mesh.obj"
    if not neutral_file.exists():
        raise MorphableModelError(f"{folder} holds no generic_neutral_mesh.obj: {WHERE_TO_GET}")
    neutral, triangles = read_obj(neutral_file)
    others = sorted(p for p in folder.glob("*.obj") if p != neutral_file)
    identity = [p for p in others if p.stem.startswith("identity")]
    expression = [p for p in others if p not in identity]
    if not identity or not expression:
        raise MorphableModelError(f"{folder} lacks the identityNNN.obj or the expression OBJ files: {WHERE_TO_GET}")

    def modes(files: list[Path]) -> NDArray[np.float16]:
        return np.stack([(read_obj(p)[0] - neutral).astype(np.float16) for p in files])

    return {"neutral": neutral, "triangles": triangles, "identity": modes(identity), "expression": modes(expression),
            "expression_names": np.array([p.stem for p in expression])}  # fmt: skip


def read_obj(file: Path) -> tuple[Array, NDArray[np.int32]]:
    """Vertices (V, 3) float32 and triangles (T, 3) int32 of an OBJ file; polygons are split into fans."""
    vertices, triangles = [], []
    for line in file.read_text().splitlines():
        word, _, rest = line.partition(" ")
        if word == "v":
            vertices.append([float(t) for t in rest.split()[:3]])
        elif word == "f":
            corner = [int(t.split("/")[0]) - 1 for t in rest.split()]
            triangles += [(corner[0], corner[k], corner[k + 1]) for k in range(1, len(corner) - 1)]
    if not vertices or not triangles:
        raise MorphableModelError(f"{file} holds no mesh")
    return np.array(vertices, np.float32), np.array(triangles, np.int32)


def _compact(raw: dict[str, NDArray[np.generic]]) -> MorphableModel:
    """Keep the parts that are rendered, renumber, and move the landmarks to the annotators' convention."""
    count = len(raw["neutral"])
    if count < PARTS["eye"][1]:
        raise MorphableModelError(f"the mesh has {count} vertices, ICT-FaceKit's has 26719: {WHERE_TO_GET}")
    keep = np.concatenate([np.arange(*r) for r in PARTS.values()])
    part = np.repeat(np.arange(len(PARTS), dtype=np.uint8), [b - a for a, b in PARTS.values()])
    new_index = np.full(count, -1)
    new_index[keep] = np.arange(len(keep))
    triangles = new_index[raw["triangles"]]
    neutral = raw["neutral"][keep].astype(np.float32)
    return MorphableModel(
        neutral=neutral,
        triangles=triangles[(triangles >= 0).all(1)].astype(np.int32),
        part=part,
        identity=np.ascontiguousarray(raw["identity"][:IDENTITY_MODES, keep], np.float32),
        expression=np.ascontiguousarray(raw["expression"][:, keep], np.float32),
        expression_names=tuple(str(n) for n in raw["expression_names"]),
        landmarks=_annotator_landmarks(neutral, new_index[list(LANDMARK_VERTICES)]),
    )


def _annotator_landmarks(neutral: Array, landmarks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Vertices of the 68 points after ``ANNOTATOR_OFFSETS``, with the jaw line's points evenly spaced along it."""
    face = neutral[: PARTS["face"][1]]
    moved = landmarks.copy()
    for i, (dx, dy) in ANNOTATOR_OFFSETS.items():
        for point, side in {i: 1.0, int(MIRROR68[i]): -1.0}.items():
            target = neutral[landmarks[point]] + np.array([dx * side, dy, 0.0], np.float32)
            front = face[:, 2] > target[2] - 1.5  # never jump to the nostril's inside or the back of the head
            distance = np.hypot(*(face[:, :2] - target[:2]).T) + np.where(front, 0, 1e3)
            moved[point] = int(distance.argmin())
    for half in (range(9), range(16, 7, -1)):
        moved[list(half)] = _evenly_spaced(face, neutral[moved[list(half)]])
    return moved


def _evenly_spaced(face: Array, line: Array) -> NDArray[np.int64]:
    """Vertices of ``face`` (V, 3) nearest to as many points at equal distances along a polyline (N, 3), seen from the front."""
    way = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line[:, :2], axis=0), axis=1))])
    even = np.stack([np.interp(np.linspace(0.0, way[-1], len(line)), way, line[:, k]) for k in range(3)], axis=1)
    return np.asarray(np.linalg.norm(face - even[:, None], axis=-1).argmin(axis=1), np.int64)
