# SPDX-License-Identifier: Apache-2.0
"""Draw docs/images/overlay.jpg, the picture at the top of the README, from the packaged clip of rendered people."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from thermal_fld_ros.perception.camera import Camera  # noqa: E402
from thermal_fld_ros.perception.decoding import UNITS, Decoding, decode_array  # noqa: E402
from thermal_fld_ros.perception.overlay import draw  # noqa: E402
from thermal_fld_ros.perception.pictures import write_image  # noqa: E402
from thermal_fld_ros.perception.pipeline import Pipeline  # noqa: E402

SHOWN = {25: "inferno", 45: "iron"}
"""Frames of the clip and their palettes."""
FIELD_OF_VIEW = 28.0  # of the camera that the clip was rendered with, degrees


def main() -> None:
    """Run the pipeline over the clip and keep two frames."""
    clip = np.load(ROOT / "resource/demo_clip.npz")
    options, pipeline, pictures = Decoding(UNITS[str(clip["unit"])]), Pipeline(), []
    for number, pixels in enumerate(clip["frames"][: max(SHOWN) + 1]):
        frame = decode_array(pixels, options)
        camera = Camera.from_field_of_view(frame.image_size, FIELD_OF_VIEW)
        faces = pipeline(frame, number / float(clip["fps"]), camera)
        if number in SHOWN:
            pictures.append(draw(frame, faces, 0, palette=SHOWN[number], camera=camera))
    write_image(ROOT / "docs/images/overlay.jpg", np.hstack(pictures), (cv2.IMWRITE_JPEG_QUALITY, 88))


if __name__ == "__main__":
    main()
