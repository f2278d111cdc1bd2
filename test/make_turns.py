# SPDX-License-Identifier: Apache-2.0
"""Renders test/perception/turns.npz: people who turn their backs to the camera and back again.

    python test/make_turns.py ICT-FaceKit/FaceXModel

`frames` (P, T, 96, 96) uint16 in 0.01 K at 9 Hz, `points` (P, T, 68, 2) float32 pixels, `yaw` (T) degrees: 90 degrees a second.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from thermal_fld_ros.synthesis.clip import CLIP_RATE, sitter
from thermal_fld_ros.synthesis.morphable import load_morphable_model
from thermal_fld_ros.synthesis.scene import Placement, Renderer, Scene
from thermal_fld_ros.synthesis.sensor import Sensor, centikelvin
from thermal_fld_ros.synthesis.thermal import sample_warmth

SIDE, PEOPLE = 96, 4
YAW = np.concatenate(
    [np.zeros(5), np.linspace(0, 180, 19), np.full(9, 180), np.linspace(180, 360, 19), np.full(5, 360)]
)


def main() -> None:
    model = load_morphable_model(Path(sys.argv[1]))
    renderer = Renderer(model)
    sensor = Sensor(blur=0.6, motion=(0.0, 0.0), netd=0.035, stripes=0.02, drift=0.15, sharpen=0.0)
    frames, points = [], []
    for seed in range(PEOPLE):
        rng = np.random.default_rng(seed)
        person, warmth = sitter(model, rng), sample_warmth(rng, 22.5)
        middle = (SIDE / 2, SIDE / 2 - 4)
        scenes = []
        for k, yaw in enumerate(YAW):
            turned = replace(person, yaw=float(np.deg2rad(yaw)), trunk_yaw=float(np.deg2rad(yaw)))
            scenes.append(
                Scene((SIDE, SIDE), 22.5, [Placement(turned, warmth, middle, 2.9, 120.0)], sensor, seed, 3, frame=k)
            )
        rendered = [renderer.render(scene) for scene in scenes]
        frames.append([centikelvin(one.celsius) for one in rendered])
        points.append([one.faces[0].points for one in rendered])
    out = Path(__file__).parent / "perception/turns.npz"
    np.savez_compressed(out, frames=np.array(frames), points=np.array(points, np.float32), yaw=YAW, fps=CLIP_RATE)
    print(out, f"{out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
