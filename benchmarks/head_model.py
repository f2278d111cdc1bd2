# SPDX-License-Identifier: Apache-2.0
"""Fit the head that poses are estimated with: writes thermal_fld_ros/perception/head.json.

    python benchmarks/head_model.py --face-model ICT_FACE [--people 4000] [--out FILE]

Random people of the renderer in known poses give, for the points 0 to 47 (jaw, brows, nose, eyes): the mean place of each in the head's
frame, which for the jaw line depends on the yaw from which it is seen, because it is a contour; how far people differ from that, as
modes of shape for brows, nose and eyes; and how far the points still lie from the model, by which they are weighted. The mouth moves
by itself and is left out. Beside these stands the neutral mean face with all 68 points. No images are drawn.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from thermal_fld_ros.synthesis.body import build, euler  # noqa: E402
from thermal_fld_ros.synthesis.contour import JawContour  # noqa: E402
from thermal_fld_ros.synthesis.figure import Viewpoint  # noqa: E402
from thermal_fld_ros.synthesis.morphable import load_morphable_model  # noqa: E402
from thermal_fld_ros.synthesis.person import sample_person  # noqa: E402

Array = NDArray[np.float64]

COUNT, SELLION, RIGID, MODES = 48, 27, slice(17, 48), 4
MIRRORED = np.r_[16:-1:-1, 26:16:-1, 27:31, 35:30:-1, 45:41:-1, 47, 46, 39:35:-1, 41, 40]
TO_FACE = np.array(
    [[0.0, 1, 0], [0, 0, 1], [1, 0, 0]]
)  # head (x forward, y left, z up) -> renderer (x, y up, z forward)
TO_OPTICAL = np.diag([1.0, -1, -1])
SCALE = 4.0  # pixels per cm; any will do


def basis(yaw: float) -> Array:
    """The functions of the yaw that a point's place is a sum of, (3,)."""
    s = np.sin(yaw)
    return np.array([1.0, s, s * s])


def sample(face_model: Path, people: int, seed: int) -> dict[str, Array]:
    """Rays (N, 48, 2), rotations (N, 3, 3), sellions (N, 3) in m, yaws (N,), and heads (N, 48, 3) in m, not turned."""
    model = load_morphable_model(face_model)
    jaw, rng = JawContour(model), np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for _ in range(people):
        yaw, pitch, roll = np.deg2rad([rng.uniform(-65, 65), rng.normal(0, 14), rng.normal(0, 8)])
        person = replace(sample_person(model, rng), yaw=yaw, pitch=pitch, roll=roll)
        _, shape = build(model, replace(person, objects=[], hat=None, glasses=None, hair=0.0, long_hair=0.0, bun=0.0))
        distance = rng.uniform(45, 250)
        camera = Viewpoint((0.0, 0.0), SCALE, distance)
        xy, depth = camera.project(shape)
        points = xy[model.landmarks].astype(np.float64)
        points[:17] = jaw(xy, depth, yaw, roll, SCALE)[0]
        turn = euler(yaw, pitch, roll).astype(np.float64)
        vertices = shape[model.landmarks].astype(np.float64)
        head = (vertices - vertices[SELLION]) @ turn @ TO_FACE / 100
        x, y, z = vertices[SELLION]
        rows.append(
            {
                "rays": points[:COUNT] / (SCALE * distance),
                "turn": TO_OPTICAL @ turn @ TO_FACE,
                "shift": np.array([x, -y, distance - z]) / 100,
                "yaw": yaw,
                "head": head[:COUNT],
            }
        )
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def fit_places(data: dict[str, Array]) -> Array:
    """Coefficients (48, 3, 3): by point, function of the yaw and axis, m; symmetric."""
    functions = np.array([basis(yaw) for yaw in data["yaw"]])
    depth = data["shift"][:, 2]
    places = np.zeros((COUNT, 3, 3))
    for point in range(COUNT):
        rows, values = [], []
        for axis in (0, 1):  # what the ray's direction says of the place, linear in it
            ray = data["rays"][:, point, axis]
            row = data["turn"][:, axis] - ray[:, None] * data["turn"][:, 2]
            rows.append(np.einsum("nk,nj->nkj", functions, row).reshape(len(row), -1) / depth[:, None])
            values.append((ray * depth - data["shift"][:, axis]) / depth)
        matrix, target = np.concatenate(rows), np.concatenate(values)
        start = np.zeros(9)
        start[:3] = data["head"][:, point].mean(axis=0)
        weak = 1e-6 * len(target) * np.eye(9)
        places[point] = (
            start + np.linalg.solve(matrix.T @ matrix + weak, matrix.T @ (target - matrix @ start))
        ).reshape(3, 3)
    other = places[MIRRORED].copy()
    other[..., 1] *= -1
    other[:, 1] *= -1
    return (places + other) / 2


def fit_modes(data: dict[str, Array]) -> Array:
    """The first modes of brows, nose and eyes, (4, 48, 3), a standard deviation each, m; 0 for the jaw."""
    heads = data["head"][:, RIGID]
    flat = (heads - heads.mean(axis=0)).reshape(len(heads), -1)
    _, spread, axes = np.linalg.svd(flat, full_matrices=False)
    modes = np.zeros((MODES, COUNT, 3))
    modes[:, RIGID] = (axes[:MODES] * spread[:MODES, None] / np.sqrt(len(flat))).reshape(MODES, -1, 3)
    return modes


def fit_spread(data: dict[str, Array], places: Array) -> Array:
    """Distance of the points from the model at the head's own depth, root mean square of an axis, (48,), m."""
    functions = np.array([basis(yaw) for yaw in data["yaw"]])
    heads = np.einsum("nk,pkj->npj", functions, places)
    seen = np.einsum("nij,npj->npi", data["turn"], heads) + data["shift"][:, None]
    off = (data["rays"] - seen[..., :2] / seen[..., 2:]) * data["shift"][:, None, 2:]
    spread = np.sqrt(np.square(off).mean(axis=(0, 2)))
    return (spread + spread[MIRRORED]) / 2


def main() -> None:
    parser = argparse.ArgumentParser(description="Fit the head that poses are estimated with.")
    parser.add_argument("--face-model", type=Path, required=True, help="ICT-FaceKit's folder or ict_face.npz")
    parser.add_argument("--people", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=ROOT / "thermal_fld_ros/perception/head.json")
    options = parser.parse_args()
    data = sample(options.face_model, options.people, options.seed)
    places = fit_places(data)
    model = load_morphable_model(options.face_model)
    neutral = model.neutral[model.landmarks].astype(np.float64) @ TO_FACE
    result = {
        "source": f"benchmarks/head_model.py --people {options.people} --seed {options.seed}, ICT-FaceKit (MIT licence)",
        "unit": "mm",
        "neutral": np.round(10 * (neutral - neutral[SELLION]), 1).tolist(),
        "places": np.round(1e3 * places, 1).tolist(),
        "modes": np.round(1e3 * fit_modes(data), 1).tolist(),
        "spread": np.round(1e3 * fit_spread(data, places), 1).tolist(),
    }
    text = ",\n".join(f' "{key}": {json.dumps(value)}' for key, value in result.items())
    options.out.write_text("{\n" + text.replace("]], [[", "]],\n  [[") + "\n}\n")
    print(f"wrote {options.out}; spread in mm: {result['spread']}")


if __name__ == "__main__":
    main()
