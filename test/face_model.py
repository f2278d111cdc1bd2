# SPDX-License-Identifier: Apache-2.0
"""A stand-in for ICT-FaceKit's folder: an egg with its topology, landmarks and OBJ files, so that tests need no download."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.synthesis.morphable import LANDMARK_VERTICES

COUNT = 26719
# x, y of the 68 points on the egg's front, cm: rows of brows, eyes, nose, mouth and a round jaw.
JAW = [(7.4 * np.sin(a), 2.0 - 9.5 * np.cos(a)) for a in np.linspace(-1.55, 1.55, 17)]
BROWS = [(x, 6.0 - 0.06 * (abs(x) - 3.5) ** 2) for x in (-5.8, -4.9, -3.8, -2.4, -1.2, 1.2, 2.4, 3.8, 4.9, 5.8)]
NOSE = [(0, 3.7), (0, 2.6), (0, 1.6), (0, 0.4), (-1.3, -1.1), (-0.6, -1.1), (0, -1.2), (0.6, -1.1), (1.3, -1.1)]
EYE = [(-4.5, 3.4), (-3.9, 3.9), (-2.8, 3.9), (-1.8, 3.3), (-2.7, 3.0), (-3.9, 3.0)]
EYES = EYE + [(-EYE[k][0], EYE[k][1]) for k in (3, 2, 1, 0, 5, 4)]
MOUTH = [(2.5 * np.cos(a), -3.5 + np.sin(a)) for a in np.pi - np.arange(12) * np.pi / 6]
LIPS = [(1.9 * np.cos(a), -3.5 + 0.3 * np.sin(a)) for a in np.pi - np.arange(8) * np.pi / 4]
POINTS = np.array([*JAW, *BROWS, *NOSE, *EYES, *MOUTH, *LIPS])

EXPRESSIONS = ("jawOpen", "eyeBlink_L", "eyeBlink_R", "mouthSmile_L", "mouthSmile_R", "browInnerUp_L", "browInnerUp_R",
               "cheekPuff_L", "cheekPuff_R", "mouthPucker", "noseSneer_L", "noseSneer_R", "jawLeft", "jawRight")  # fmt: skip


def on_egg(xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 3) points on the egg's front."""
    inside = np.clip(1 - (xy[:, 0] / 9) ** 2 - ((xy[:, 1] - 1) / 13) ** 2, 0, 1)
    return np.column_stack([xy, 12 * np.sqrt(inside)])


def write_face_model(folder: Path) -> Path:
    """Write the OBJ files of a ``FaceXModel`` folder."""
    folder.mkdir(parents=True, exist_ok=True)
    vertices = np.zeros((COUNT, 3))
    u, v = np.meshgrid(np.linspace(-1, 1, 97), np.linspace(-1, 1, 97), indexing="ij")
    x, y = 8.9 * u * np.sqrt(1 - v**2 / 2), 1 + 12.9 * v * np.sqrt(1 - u**2 / 2)
    vertices[:9409] = on_egg(np.column_stack([x.ravel(), y.ravel()]))
    a = np.linspace(0, 2 * np.pi, 1839)
    vertices[9409:11248] = np.column_stack([6 * np.cos(7 * a), -20 + 12 * a / a.max(), 6 * np.sin(7 * a) - 1])
    vertices[11248:] = [0, -3.5, 5]  # mouth, sockets, teeth, eyes: hidden inside
    vertices[list(LANDMARK_VERTICES)] = on_egg(POINTS)
    quads = [(97 * i + j, 97 * (i + 1) + j, 97 * (i + 1) + j + 1, 97 * i + j + 1) for i in range(96) for j in range(96)]
    inner = [(k, k + 1, k + 2) for k in (11248, 13294, 17039, 21451)]
    _write_obj(folder / "generic_neutral_mesh.obj", vertices, [*quads, *inner])
    rng = np.random.default_rng(0)
    for k in range(3):
        _write_obj(folder / f"identity{k:03d}.obj", vertices * (1 + 0.03 * rng.standard_normal(3)), [])
    for name in EXPRESSIONS:
        low = np.exp(-(((vertices - [0, -4, 11]) / 3) ** 2).sum(1, keepdims=True))
        _write_obj(folder / f"{name}.obj", vertices + low * rng.normal(0, 0.5, 3), [])
    return folder


def _write_obj(file: Path, vertices: NDArray[np.float64], faces: list[tuple[int, ...]]) -> None:
    lines = [f"v {x:.4f} {y:.4f} {z:.4f}" for x, y, z in vertices]
    # an OBJ's mode files carry the same faces; one is enough for the reader to accept them
    lines += ["f " + " ".join(f"{k + 1}/{k + 1}" for k in corners) for corners in faces or [(0, 1, 2)]]
    file.write_text("\n".join(lines))
