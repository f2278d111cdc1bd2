# SPDX-License-Identifier: Apache-2.0
"""Speaks as `labelling/face_mesh.py` does, and takes bright ellipses for faces: an environment with MediaPipe for tests."""

import base64
import json
import os
import sys
import time
import zlib
from pathlib import Path

import numpy as np


def main() -> None:
    template = np.load(Path(__file__).with_name("template.npy"))
    print(json.dumps({"mediapipe": "fake"}), flush=True)
    images = sys.stdin.buffer
    while line := images.readline():
        height, width, *what = json.loads(line)
        image = np.frombuffer(images.read(height * width * 3), np.uint8).reshape(height, width, 3)
        time.sleep(float(os.environ.get("FAKE_SECONDS", "0")))
        if what == ["person"]:
            mask = np.where(image[:, :, 1] > 100, 255, 0).astype(np.uint8)
            print(json.dumps(base64.b64encode(zlib.compress(mask.tobytes())).decode()), flush=True)
            continue
        y, x = np.nonzero(image[:, :, 1] > 100)
        found = []
        if len(x) > 200 and np.ptp(x) > 0.1 * max(height, width):  # small ones Face Mesh does not find
            low, high = np.array([x.min(), y.min()]) - 0.5, np.array([x.max(), y.max()]) + 0.5
            found = [((low + high) / 2 + template * (high - low)).tolist()]
        print(json.dumps(found), flush=True)


main()
