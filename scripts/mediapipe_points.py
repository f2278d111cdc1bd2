# SPDX-License-Identifier: Apache-2.0
"""Points of MediaPipe Face Mesh on labelled thermal images, for `evaluate --predictions`.

    python -m venv mp && mp/bin/pip install mediapipe==0.10.21 "numpy<2"
    mp/bin/python scripts/mediapipe_points.py --data plain:labels.json --out mediapipe.json
    python -m thermal_fld_ros evaluate --data plain:labels.json --predictions "MediaPipe=mediapipe.json"

It needs an environment of its own, as this MediaPipe wants a numpy below 2. Images are shown to it as grey in three channels, stretched
between their percentiles 1 and 99: the whole upright image, and for the protocol "given box" the square about each labelled box, twice
its longer side, enlarged to at least 256 pixels.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from thermal_fld_ros.cli._progress import Progress  # noqa: E402
from thermal_fld_ros.datasets.forms import open_dataset  # noqa: E402
from thermal_fld_ros.datasets.sample import DataSet, Sample  # noqa: E402
from thermal_fld_ros.labelling.face_mesh import face_mesh, mesh_points  # noqa: E402
from thermal_fld_ros.perception.decoding import ThermalFrame  # noqa: E402
from thermal_fld_ros.perception.geometry import Affine  # noqa: E402

CROP_SCALE, LEAST_SIDE = 2.0, 256


def grey(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 of an image (H, W), stretched between its percentiles 1 and 99."""
    low, high = np.percentile(pixels, (1, 99))
    stretched = np.clip((pixels.astype(np.float64) - low) / max(high - low, 1e-9), 0.0, 1.0) * 255.0
    return np.repeat(stretched.astype(np.uint8)[:, :, None], 3, axis=2)


def answers(mesh: Any, data: DataSet, sample: Sample) -> dict[str, Any]:
    """What is found in the whole image, and in a crop about each labelled face."""
    frame = sample.frame()
    if frame.inverted:
        frame = ThermalFrame(
            frame.pixels.max() - frame.pixels, frame.unit, False, frame.rotation, frame.image_size, frame.top
        )
    width, height = frame.upright_size
    whole = frame.sample(Affine.identity(), (width, height))
    found = [frame.upright_to_image(points) for points in mesh_points(mesh, grey(whole))]
    given = [_in_crop(mesh, frame, data.extent(face)) for face in sample.faces]
    return {"found": [_rounded(points) for points in found], "given": [p if p is None else _rounded(p) for p in given]}


def _in_crop(mesh: Any, frame: ThermalFrame, box: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """The points of the face nearest to the middle of a crop about a box of image pixels; None if there is none."""
    side = max(LEAST_SIDE, round(CROP_SCALE * float(box[2:].max())))
    middle = (side - 1) / 2
    centre = frame.upright_to_image.inverse()(box[:2] + box[2:] / 2)
    to_upright = Affine.similarity(CROP_SCALE * float(box[2:].max()) / side, 0.0, (middle, middle), centre)
    faces = mesh_points(mesh, grey(frame.sample(to_upright, (side, side))))
    if not faces:
        return None
    nearest = min(faces, key=lambda points: float(np.abs(points.mean(axis=0) - middle).max()))
    return (frame.upright_to_image @ to_upright)(nearest)


def _rounded(points: NDArray[np.float64]) -> list[list[float]]:
    rounded: list[list[float]] = points.round(2).tolist()
    return rounded


def main() -> None:
    """Write the predictions."""
    import mediapipe

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", action="append", required=True, metavar="[NAME=]FORM:PATH")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    sets = [open_dataset(item) for item in options.data]
    result: dict[str, Any] = {"scheme": "ibug68", "about": {"mediapipe": mediapipe.__version__}, "data": {}}
    with (
        face_mesh() as mesh,
        Progress(sum(len(data.samples) for data in sets), "images") as progress,
    ):
        for data in sets:
            images = result["data"].setdefault(data.name, {})
            for sample in data.samples:
                images[sample.name] = answers(mesh, data, sample)
                progress.step()
    options.out.write_text(json.dumps(result) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
