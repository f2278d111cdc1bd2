# SPDX-License-Identifier: Apache-2.0
"""Rendered people in exactly the layout of SF-TL54 and TFW."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from loop_people import Person

from thermal_fld_ros.datasets.sample import SCHEMES
from thermal_fld_ros.perception.geometry import box_around

TFW_HEADER = "image,xs,ys,xe,ye,p1x,p1y,p2x,p2y,p3x,p3y,p4x,p4y,p5x,p5y"


def grey(thermal: np.ndarray) -> np.ndarray:
    """A palette's grey levels of a thermal image."""
    low, high = np.percentile(thermal, (0.5, 99.5))
    return np.clip((thermal.astype(np.float64) - low) / (high - low) * 255, 0, 255).astype(np.uint8)


def write_image(file: Path, pixels: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(file), pixels)


def write_sf_tl54(root: Path, people: Mapping[str, Sequence[Person]]) -> Path:
    """People by the folder of their split, numbered as subjects; the colour images are aligned to the thermal ones."""
    subject = 0
    for split, mine in people.items():
        for person in mine:
            subject += 1
            for k, points in enumerate(person.points):
                name = f"{subject}_1_2_{k % 9 + 1}_{100 + k}_10"
                thermal, rgb = grey(person.seen(k)), person.rgb[k]
                write_image(root / "gray" / split / "images" / f"{name}_1.png", thermal)
                aligned = cv2.resize(rgb[:, :, ::-1], thermal.shape[::-1], interpolation=cv2.INTER_AREA)
                write_image(root / "rgb" / split / f"{name}_3.png", aligned)
                corner = SCHEMES["sftl54"].select(points) + 0.5
                x, y, width, height = box_around(corner).tolist()
                shapes = [
                    {"label": "face", "points": [[x, y - 0.3 * height], [x + width, y + height]], "shape_type": "rectangle"},
                    {"label": "chin", "points": corner[:17].tolist(), "shape_type": "linestrip"},
                    {"label": "rest", "points": corner[17:].tolist(), "shape_type": "linestrip"},
                ]  # fmt: skip
                labels = root / "gray" / split / "json" / f"{name}_1.json"
                labels.parent.mkdir(parents=True, exist_ok=True)
                labels.write_text(json.dumps({"version": "4.5.6", "shapes": shapes, "imagePath": f"{name}_1.png"}))
    return root


def write_tfw(root: Path, people: Mapping[str, Sequence[Person]]) -> Path:
    """The outdoor part, with boxes that hold the forehead."""
    for split, mine in people.items():
        rows = [TFW_HEADER]
        for person in mine:
            for k, points in enumerate(person.points):
                name = f"{person.name}_{k}.png"
                write_image(root / split / "outdoor_gray" / name, grey(person.seen(k)))
                x, y, width, height = box_around(points).tolist()
                box = (x, y - 0.4 * height, x + width, y + height)
                numbers = [*box, *SCHEMES["tfw5"].select(points).reshape(-1).tolist()]
                rows.append(",".join([name, *(str(round(value)) for value in numbers)]))
        (root / split / "outdoor.csv").write_text("\n".join(rows) + "\n")
    return root
