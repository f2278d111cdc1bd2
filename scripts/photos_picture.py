# SPDX-License-Identifier: Apache-2.0
"""The picture of docs/photos.md: rendered portraits and the pseudo-thermal images that `photos` makes of them.

    python scripts/photos_picture.py --face-model ICT-FaceKit/FaceXModel --out docs/images/photos.jpg

Points and masks are the renderer's own here, so that no teacher and no MediaPipe is needed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from thermal_fld_ros.perception.pictures import Picture, dot, tiled, write_image  # noqa: E402
from thermal_fld_ros.photographs.pseudo import Portrait, pseudo_thermal  # noqa: E402
from thermal_fld_ros.synthesis.morphable import load_morphable_model  # noqa: E402
from thermal_fld_ros.synthesis.scene import Renderer  # noqa: E402

SIDE, FACE, DRAWS = 192, 0.4, 3


def tile(renderer: Renderer, seed: int) -> Picture:
    """A portrait with its points, and pseudo-thermal images of it."""
    rng = np.random.default_rng(seed)
    rendering = renderer.render(renderer.sample_pair(rng, round(SIDE * FACE / 0.41)))
    assert rendering.rgb is not None
    size = rendering.rgb.shape[1::-1]
    person = cv2.warpAffine((rendering.material > 0).astype(np.float32), rendering.to_rgb.matrix, size)
    portrait = Portrait(rendering.rgb, np.asarray(person, np.float32), rendering.to_rgb(rendering.faces[0].points))
    photo = np.ascontiguousarray(rendering.rgb[:, :, ::-1])
    for point in portrait.points:
        dot(photo, point, (0, 255, 0), 1)
    pictures = [photo]
    for _ in range(DRAWS):
        celsius = pseudo_thermal(renderer, portrait, rng)
        low, high = np.percentile(celsius, [1, 99])
        grey = (255 * np.clip((celsius - low) / (high - low), 0, 1)).astype(np.uint8)
        pictures.append(np.repeat(grey[:, :, None], 3, axis=2))
    return np.asarray(np.hstack(pictures), np.uint8)


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--face-model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 3, 5, 8, 12, 15, 21, 22])
    args = parser.parse_args()
    renderer = Renderer(load_morphable_model(args.face_model))
    write_image(args.out, tiled([tile(renderer, seed) for seed in args.seeds], 2))


if __name__ == "__main__":
    main()
