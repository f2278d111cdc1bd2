# SPDX-License-Identifier: Apache-2.0
"""Where the rendered faces' landmarks lie, beside where annotators click them.

Writes, for benchmarks/report.py, the heights of the inner points on the neutral face, from the eyes' middle (0) to the corners
of the mouth (1), before and after ``ANNOTATOR_OFFSETS``, beside those of the mean of 300-W's annotated faces.

    python benchmarks/landmark_layout.py --face-model ICT-FaceKit/FaceXModel
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.synthesis import morphable
from thermal_fld_ros.synthesis.morphable import load_morphable_model

# Heights of the points 17 to 67 of the mean face that dlib and OpenFace align to, the mean of 300-W's training faces
# (get_face_chip_details in dlib/image_transforms/interpolation.h); y down.
MEAN_FACE_Y = np.array([
    0.106454, 0.038915, 0.0187482, 0.0344891, 0.0773906, 0.0773906, 0.0344891, 0.0187482, 0.038915, 0.106454, 0.203352,
    0.307009, 0.409805, 0.515625, 0.587326, 0.609345, 0.628106, 0.609345, 0.587326, 0.216423, 0.178758, 0.179852, 0.231733,
    0.245099, 0.244077, 0.231733, 0.179852, 0.178758, 0.216423, 0.244077, 0.245099, 0.780233, 0.745405, 0.727388, 0.742578,
    0.727388, 0.745405, 0.780233, 0.864805, 0.902192, 0.909281, 0.902192, 0.864805, 0.784792, 0.778746, 0.785343, 0.778746,
    0.784792, 0.824182, 0.831803, 0.824182,
])  # fmt: skip
ROWS = {
    "brow, outer end": [17, 26], "brow, second": [18, 25], "brow, middle": [19, 24], "brow, fourth": [20, 23],
    "brow, inner end": [21, 22], "bridge, top": [27], "bridge, second": [28], "bridge, third": [29], "nose tip": [30],
    "nostrils, outer": [31, 35], "nostrils, inner": [32, 34], "nose base": [33], "upper lip, top": [51], "lower lip, bottom": [57],
}  # fmt: skip


def heights(y: NDArray[np.floating]) -> dict[str, float]:
    """Relative heights of the rows from the 51 inner points' y, down."""
    at = {k: y[k - 17] for k in range(17, 68)}
    eyes = np.mean([at[k] for k in range(36, 48)])
    span = np.mean([at[48], at[54]]) - eyes
    return {name: float((np.mean([at[k] for k in points]) - eyes) / span) for name, points in ROWS.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--face-model", type=Path, required=True, help="ICT-FaceKit's FaceXModel folder or its cached .npz"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results/landmark_layout.json")
    args = parser.parse_args()
    ours = load_morphable_model(args.face_model)
    moved = morphable.ANNOTATOR_OFFSETS
    morphable.ANNOTATOR_OFFSETS = {}
    vertices = load_morphable_model(args.face_model)
    morphable.ANNOTATOR_OFFSETS = moved
    columns = {
        "model's vertices": heights(-vertices.neutral[vertices.landmarks[17:], 1]),
        "ours": heights(-ours.neutral[ours.landmarks[17:], 1]),
        "mean of 300-W": heights(MEAN_FACE_Y),
    }
    args.out.write_text(json.dumps(columns, indent=1) + "\n", encoding="utf-8")
    print(args.out)


if __name__ == "__main__":
    main()
