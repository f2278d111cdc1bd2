# SPDX-License-Identifier: Apache-2.0
"""Rendered people before a robot's thermal and RGB camera, which are unlike those of the training."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.geometry import Affine
from thermal_fld_ros.synthesis.sensor import Sensor, centikelvin, expose

SIZE, RATE = (160, 120), 9.0
"""Of the thermal camera."""
RGB_RATE, RGB_SCALE = 30.0, 2
"""The RGB camera sees the same, in twice as many pixels to each side."""

TO_RGB = Affine(np.array([[RGB_SCALE, 0, (RGB_SCALE - 1) / 2], [0, RGB_SCALE, (RGB_SCALE - 1) / 2]], np.float64))
"""From the thermal image's pixels to the colour image's."""

SENSOR = Sensor(blur=1.6, motion=(0.0, 0.0), netd=0.1, stripes=0.35, drift=1.5, sharpen=0.0)
"""Out of focus, with column noise and shading that no shutter ever corrected: 0.35 K and 1.5 K."""


@dataclass(frozen=True, eq=False)
class Person:
    """What there is to see of a person, RATE times a second.

    Attributes
    ----------
    name : str
    thermal : (T, 120, 160) uint16
        0.01 K a count, of an ideal camera.
    rgb : list of (240, 320, 3) uint8
    points : (T, 68, 2)
        Pixels of the thermal image.
    """

    name: str
    thermal: NDArray[np.uint16]
    rgb: Sequence[NDArray[np.uint8]]
    points: NDArray[np.float64]

    def seen(self, number: int) -> NDArray[np.uint16]:
        """Frame `number` as the thermal camera delivers it; its fixed pattern is the same for everybody."""
        celsius = self.thermal[number].astype(np.float32) * np.float32(0.01) - np.float32(273.15)
        noise = np.random.default_rng([int(self.name[1:]), number])
        return centikelvin(expose(celsius, SENSOR, np.random.default_rng(3), noise))


def write_data_set(people: Sequence[Person], folder: Path, splits: Sequence[str]) -> Path:
    """A data set of people with the renderer's labels, the split of each person given."""
    lines = []
    for person, split in zip(people, splits, strict=True):
        for kind in ("thermal", "rgb"):
            (folder / kind / person.name).mkdir(parents=True)
        for number, (points, colours) in enumerate(zip(person.points, person.rgb, strict=True)):
            files = {kind: f"{kind}/{person.name}/{number:03d}.png" for kind in ("thermal", "rgb")}
            cv2.imwrite(str(folder / files["thermal"]), person.seen(number))
            cv2.imwrite(str(folder / files["rgb"]), colours[:, :, ::-1])
            told = {"subject": person.name, "episode": person.name, "split": split, "stamp": number / RATE}
            lines.append(json.dumps({**files, "points": points.tolist(), "to_rgb": TO_RGB.matrix.tolist(), **told}))
    (folder / "pairs.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def write_people(people: Sequence[Person], file: Path) -> None:
    """Keep people in an .npz, the colours as JPEG."""
    jpegs = [
        cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])[1].reshape(-1)
        for person in people
        for image in person.rgb
    ]
    np.savez_compressed(
        file,
        names=[person.name for person in people],
        thermal=np.stack([person.thermal for person in people]),
        points=np.stack([person.points for person in people]).astype(np.float32),
        jpegs=np.concatenate(jpegs),
        lengths=[len(jpeg) for jpeg in jpegs],
    )


def read_people(file: Path) -> list[Person]:
    """What `write_people` has written."""
    with np.load(file) as kept:
        names, thermal, points = kept["names"].tolist(), kept["thermal"], kept["points"]
        jpegs = np.split(kept["jpegs"], np.cumsum(kept["lengths"])[:-1])
    frames = thermal.shape[1]
    colours = [cv2.imdecode(jpeg, cv2.IMREAD_COLOR)[:, :, ::-1] for jpeg in jpegs]
    return [
        Person(name, thermal[k], colours[k * frames : (k + 1) * frames], points[k].astype(np.float64))
        for k, name in enumerate(names)
    ]
