# SPDX-License-Identifier: Apache-2.0
"""A page on this machine for placing landmarks in images by hand.

No network is asked, so that the labels are independent of what is measured with them. What is on the page is in the label file
(`annotation.py`) after each change.
"""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

from thermal_fld_ros.datasets.sample import Scheme
from thermal_fld_ros.labelling.annotation import Annotation
from thermal_fld_ros.labelling.page import PageServer, page_text
from thermal_fld_ros.perception.overlay import CONTOURS
from thermal_fld_ros.perception.pose import HEAD_POINTS

OPENING = 0.06
"""By how much of the face's height the drawn mouth is open, so that its inner lips can be told apart."""

ADDRESS = re.compile(r"(labels|pixels)/([0-9]{1,9})")

_JAW = [
    "beside the ear, at the height of the eyes",
    *(f"{k} of 7 from the ear to the chin" for k in range(1, 8)),
]
_BROW = ["outer end", "2 of 5 from the outer end", "middle", "4 of 5 from the outer end", "inner end"]
_LEFT_EYE = [
    "outer corner",
    "upper lid, outer third",
    "upper lid, inner third",
    "inner corner",
    "lower lid, inner third",
    "lower lid, outer third",
]
_RIGHT_EYE = [_LEFT_EYE[k] for k in (3, 2, 1, 0, 5, 4)]

NAMES: tuple[str, ...] = (
    *(f"jaw line, left: {place}" for place in _JAW),
    "chin: lowest point",
    *(f"jaw line, right: {place}" for place in reversed(_JAW)),
    *(f"left eyebrow: {place}" for place in _BROW),
    *(f"right eyebrow: {place}" for place in reversed(_BROW)),
    "bridge of the nose: 1 of 4, between the eyes",
    "bridge of the nose: 2 of 4",
    "bridge of the nose: 3 of 4",
    "bridge of the nose: 4 of 4, the tip",
    "below the nose: left wing",
    "below the nose: left nostril",
    "below the nose: middle",
    "below the nose: right nostril",
    "below the nose: right wing",
    *(f"left eye: {place}" for place in _LEFT_EYE),
    *(f"right eye: {place}" for place in _RIGHT_EYE),
    "mouth: left corner",
    "upper lip, upper edge: left, halfway to the peak",
    "upper lip, upper edge: left peak",
    "upper lip, upper edge: middle",
    "upper lip, upper edge: right peak",
    "upper lip, upper edge: right, halfway from the peak",
    "mouth: right corner",
    "lower lip, lower edge: right, near the corner",
    "lower lip, lower edge: right of the middle",
    "lower lip, lower edge: middle",
    "lower lip, lower edge: left of the middle",
    "lower lip, lower edge: left, near the corner",
    "inner lips: left corner",
    "inner lips, edge of the upper lip: left",
    "inner lips, edge of the upper lip: middle",
    "inner lips, edge of the upper lip: right",
    "inner lips: right corner",
    "inner lips, edge of the lower lip: right",
    "inner lips, edge of the lower lip: middle",
    "inner lips, edge of the lower lip: left",
)
"""What each iBUG point is, left and right as in the image."""


class AnnotateServer(PageServer):
    """Serves the page, the images and their labels.

    Parameters
    ----------
    annotation : Annotation
    port : int
        0: any that is free.

    Raises
    ------
    OSError
        The port is taken.
    """

    def __init__(self, annotation: Annotation, port: int = 0) -> None:
        self.annotation = annotation
        super().__init__(port)

    def page(self) -> str:
        """The page's HTML."""
        return page_text("annotate.html", SCHEME=scheme_drawing(self.annotation.scheme))

    def get(self, what: str) -> tuple[str, bytes]:
        """`images`, the list of them; of one by its number `labels/K`, JSON, and `pixels/K`, little-endian 16 bit row by row."""
        if what == "images":
            return "application/json", json.dumps(self.annotation.listed()).encode()
        kind, number = _parsed(what)
        if kind == "labels":
            return "application/json", json.dumps(self.annotation.labels(number)).encode()
        return "application/octet-stream", self.annotation.pixels(number).astype("<u2").tobytes()

    def post(self, what: str, content: Any) -> None:
        """`labels/K`: save the `faces` of an image, and whether it is `done`; errors as in `PageServer.post`."""
        kind, number = _parsed(what)
        if kind != "labels":
            raise LookupError("not here")
        self.annotation.save(number, content["faces"], content["done"])


def scheme_drawing(scheme: Scheme) -> dict[str, Any]:
    """What the page draws and says of a scheme.

    Returns
    -------
    dict with `points` (K, 2) and `lines`, lists of points, of an average face, the box of which is [-0.5, 0.5]; the `names` of the K
    points; and `runs`, lists of points (0 to K - 1) that lie on a line of the face.
    """
    flat = np.stack([HEAD_POINTS[:, 1], -HEAD_POINTS[:, 2]], axis=1)
    low, high = flat.min(axis=0), flat.max(axis=0)
    face = (flat - low) / (high - low) - 0.5
    face[[*range(55, 60), 65, 66, 67], 1] += OPENING
    lines = [[*run, run.start] if closed else list(run) for run, closed in CONTOURS]
    runs = [scheme.places(run) for run, _ in CONTOURS]
    return {
        "points": scheme.select(face).round(4).tolist(),
        "lines": [face[line].round(4).tolist() for line in lines],
        "runs": [
            [*run, run[0]] if closed else run for run, (_, closed) in zip(runs, CONTOURS, strict=True) if len(run) > 2
        ],
        "names": [" and ".join(NAMES[index] for index in group) for group in scheme.groups],
    }


def _parsed(what: str) -> tuple[str, int]:
    found = ADDRESS.fullmatch(what)
    if found is None:
        raise LookupError("not here")
    return found[1], int(found[2])
