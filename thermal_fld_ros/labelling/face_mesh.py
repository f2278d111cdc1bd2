# SPDX-License-Identifier: Apache-2.0
"""MediaPipe as a process: images come through standard input, the points of faces or the person's outline go to standard output.

`teachers.MediaPipe` runs this file with the interpreter of any environment, as MediaPipe 0.10.21 wants a numpy below 2. So it
imports nothing but numpy and MediaPipe. An image is a line of JSON, [height, width], and its pixels (RGB, uint8); the answer a line
with the 68 points of every face in it. After a line [height, width, "person"] the answer is the mask of Selfie Segmentation: how
surely each pixel shows a person, 0 to 255, row by row, compressed (zlib) and in base 64.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import sys
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

# iBUG's 68 points among Face Mesh's 478, row by row: jaw, brows, nose, eyes, mouth, inner mouth.
MESH_TO_68 = (
    127, 234, 93, 132, 58, 136, 150, 176, 152, 400, 379, 365, 288, 361, 323, 454, 356,
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,
    168, 197, 5, 4, 75, 97, 2, 326, 305,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,
    78, 82, 13, 312, 308, 317, 14, 87,
)  # fmt: skip
MOST_FACES = 8


def face_mesh() -> Any:
    """A Face Mesh for unrelated images; a context manager."""
    import mediapipe

    return mediapipe.solutions.face_mesh.FaceMesh(
        static_image_mode=True, refine_landmarks=True, max_num_faces=MOST_FACES
    )


def mesh_points(mesh: Any, image: NDArray[np.uint8]) -> list[NDArray[np.float64]]:
    """The 68 points (68, 2) of each face that Face Mesh finds in an image (H, W, 3) RGB, in its pixels."""
    height, width = image.shape[:2]
    found = mesh.process(image).multi_face_landmarks or []
    # Face Mesh divides by the image's size, its origin is the corner of the top-left pixel
    return [
        np.array([(f.landmark[k].x * width - 0.5, f.landmark[k].y * height - 0.5) for k in MESH_TO_68]) for f in found
    ]


def person_mask(segmentation: Any, image: NDArray[np.uint8]) -> str:
    """The mask of Selfie Segmentation for an image (H, W, 3) RGB, as it is sent."""
    mask = np.asarray(segmentation.process(image).segmentation_mask, np.float32)
    return base64.b64encode(zlib.compress((255 * np.clip(mask, 0, 1)).astype(np.uint8).tobytes())).decode()


def main() -> None:
    """Answer until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the libraries print must not come between
    import mediapipe

    print(json.dumps({"mediapipe": mediapipe.__version__}), file=answers, flush=True)
    images = sys.stdin.buffer
    with contextlib.ExitStack() as held:
        mesh: Any = None
        selfie: Any = None
        while line := images.readline():
            height, width, *what = json.loads(line)
            pixels = np.frombuffer(images.read(height * width * 3), np.uint8).reshape(height, width, 3)
            answer: Any
            if what == ["person"]:
                if selfie is None:
                    selfie = held.enter_context(mediapipe.solutions.selfie_segmentation.SelfieSegmentation(0))
                answer = person_mask(selfie, pixels)
            else:
                mesh = held.enter_context(face_mesh()) if mesh is None else mesh
                answer = [points.tolist() for points in mesh_points(mesh, pixels)]
            print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
