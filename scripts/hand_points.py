# SPDX-License-Identifier: Apache-2.0
"""From points placed by eye twice to labels for `evaluate`: `python scripts/hand_points.py --images FOLDER`.

docs/results/hand_clicks.json holds both rounds of clicks in real thermal images of public sets, not the images. FOLDER is where you have
laid these out under the names in that file; the labels, the mean of both rounds, are written there as hand_clicked.json. Also
prints how far the two rounds are apart, which is what no model can be expected to do much better than.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from thermal_fld_ros.datasets.sample import SCHEMES  # noqa: E402
from thermal_fld_ros.evaluation import metrics  # noqa: E402
from thermal_fld_ros.evaluation.report import figure, markdown_table  # noqa: E402
from thermal_fld_ros.evaluation.rounds import disagreement  # noqa: E402
from thermal_fld_ros.perception.geometry import box_around  # noqa: E402

CLICKS = ROOT / "docs/results/hand_clicks.json"
SETS = {"54 points": "all", "without jaw": "without jaw", "jaw": "jaw", "jaw line": "jaw line"}


def main() -> None:
    """Write the labels and print how far the rounds are apart."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, metavar="FOLDER", help="where the images lie")
    args = parser.parse_args()
    clicks = json.loads(CLICKS.read_text(encoding="utf-8"))
    images, apart = [], []
    for entry in clicks["images"]:
        first, second = np.array(entry["first"]), np.array(entry["second"])
        mean = (first + second) / 2
        values = disagreement(first, second, SCHEMES["sftl54"], metrics.box_size(box_around(mean)))
        apart.append((entry["image"].split("/")[0], *(values[name] for name in SETS.values())))
        face = {"points": mean.round(3).tolist(), "subject": entry["subject"]}
        images.append({key: entry[key] for key in ("image", "frame") if key in entry} | {"faces": [face]})
    labels = {
        "name": "hand-clicked", "about": "67 real thermal images of four public sets", "labels": "54 points by eye, mean of two rounds",
        "scheme": "sftl54", "every_face": False, "images": images,
    }  # fmt: skip
    out = args.images / "hand_clicked.json"
    out.write_text(json.dumps(labels) + "\n", encoding="utf-8")
    names = list(dict.fromkeys(row[0] for row in apart))
    rows: list[list[object]] = []
    for name in [*names, "all"]:
        mine = np.array([row[1:] for row in apart if name in (row[0], "all")])
        rows.append([name, len(mine), *(figure(value) for value in mine.mean(axis=0))])
    print(markdown_table(["data", "images", *SETS], rows))
    print(f"\nDistance of the two rounds, % of sqrt(w h) of the box. Labels: {out}")


if __name__ == "__main__":
    main()
