# SPDX-License-Identifier: Apache-2.0
"""Write docs/accuracy.md and its plots from the JSON in docs/results alone: `python scripts/accuracy_report.py`.

accuracy.json is what `python -m thermal_fld_ros evaluate --json docs/results/accuracy.json` writes; renderer_ablation.json,
student_size.json and input_size.json are those of the benchmarks of these names.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from thermal_fld_ros.evaluation.calibration import LIMIT  # noqa: E402
from thermal_fld_ros.evaluation.report import TABLES, figure, plot_name, plots_of, table  # noqa: E402
from thermal_fld_ros.evaluation.video import STILL  # noqa: E402

FOLDER, PAGE, IMAGES = ROOT / "docs/results", ROOT / "docs/accuracy.md", ROOT / "docs/images"

# What is aimed at on real images: data set, what, place of the figure in a row of the results, factor for percent, least or most.
GOALS: list[tuple[str, str, tuple[str, ...], float, str, float]] = [
    ("SpeakingFaces pairs", "NME of the inner 51 points, given box, %", ("given_box", "points", "51", "nme"), 1, "at most", 5.0),
    ("SpeakingFaces pairs", "worst image, given box, %", ("given_box", "points", "51", "worst"), 1, "at most", 10.0),
    ("Knapik drivers", "agreement on *contour*, given box, %", ("given_box", "points", "contour", "nme"), 1, "at most", 4.5),
    ("Terravic", "recall, %", ("detection", "recall"), 100, "at least", 98.0),
    ("feverscreen Lepton", "recall, %", ("detection", "recall"), 100, "at least", 95.0),
    ("feverscreen Lepton", "faces on the reference body", ("detection", "in_traps"), 1, "at most", 0),
    ("feverscreen Lepton", "jitter of a still head, %", ("video", "jitter", "smoothed", "mean"), 1, "at most", 1.0),
    ("RoadScene", "false faces", ("detection", "false_faces"), 1, "at most", 2),
    ("TFW outdoor", "recall, %", ("detection", "recall"), 100, "at least", 100.0),
]  # fmt: skip

HEADINGS = {
    "errors": "Share of faces (vertical) with a mean error of at most so much (horizontal); a face that was not found never counts",
    "confidence": f"Stated against observed probability that a point's error is below {LIMIT:g} %",
    "yaw": "Error by yaw",
}


def load(name: str = "accuracy") -> dict[str, Any]:
    """The committed results of that name."""
    results: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return results


def data_table(results: dict[str, Any]) -> str:
    """What was measured on."""
    rows: list[list[object]] = [
        [name, data["images"], data["faces"], data["labels"], data["about"] + _left_out(data)]
        for name, data in results["data"].items()
    ]
    return table(["data", "images", "faces", "labels", "what it is"], rows)


def _left_out(data: dict[str, Any]) -> str:
    parts = [f"{count} left out: {reason}" for reason, count in data["left_out"].items()]
    if data["faces_not_required"]:
        parts.append(f"{data['faces_not_required']} more faces need not be found")
    return "".join(f"; {part}" for part in parts)


def goal_table(results: dict[str, Any]) -> str:
    """What is aimed at, and what the first model reaches."""
    rows: list[list[object]] = []
    first = results["rows"][0]["model"]
    for data, what, path, factor, relation, limit in GOALS:
        row = next((row for row in results["rows"] if row["data"] == data and row["model"] == first), None)
        value: Any = row
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if value is None:
            rows.append([data, what, f"{relation} {limit:g}", "not measured", ""])
            continue
        reached = round(value * factor, 2)
        good = reached <= limit if relation == "at most" else reached >= limit
        rows.append([data, what, f"{relation} {limit:g}", figure(reached), "yes" if good else "no"])
    return f"""Of `{first}`. Terravic's boxes are of whole heads: there see *located*, below.

{table(["data", "figure", "goal", "measured", "met"], rows)}"""


def model_table(results: dict[str, Any]) -> str:
    """Which files were measured."""
    rows: dict[str, list[object]] = {}
    for row in results["rows"]:
        about = row["models"]
        if "landmarks" in about:
            described = [
                f"{about[role]['name']} {about[role]['version']} `{about[role]['sha256']}`"
                for role in ("detector", "landmarks")
            ]
        else:
            described = [", ".join(f"{key} {value}" for key, value in about.items()), ""]
        rows.setdefault(row["model"], [row["model"], *described])
    return table(["model", "detector", "landmarks"], list(rows.values()))


def ablation() -> str:
    """What each ingredient of renders and augmentation is worth."""
    results = load("renderer_ablation")
    whole, *others = results["rows"]
    sets = list(whole["tests"])

    def nme(row: dict[str, Any], name: str) -> float:
        test = row["tests"][name]
        return float(test["points"][test["main"]]["nme"])

    points = ", ".join(f"{name}: {whole['tests'][name]['main']} points" for name in sets)
    rows: list[list[object]] = [[whole["name"], *(figure(nme(whole, name)) for name in sets)]]
    rows += [[row["name"], *(f"{nme(row, name) - nme(whole, name):+.2f}" for name in sets)] for row in others]
    return f"""## What the renders' ingredients buy

`{results["command"]}`
at commit {results["git"]}: the student trained briefly ({results["faces"]} faces, {results["epochs"]} epochs), each time
without one ingredient; NME in % with everything (boxes given; {points}), and by how much it gets worse.
*everything, again* is the same with another seed: differences of that size are chance.
{_machine(results)}

{table(["training", *(name.replace("test", "rendered faces") for name in sets)], rows)}

![by how much the error grows](results/renderer_ablation.png)
"""


def student_size() -> str:
    """The student beside a network ten times its size."""
    results = load("student_size")
    rows: list[list[object]] = [
        [row["name"], f"{row['parameters'] / 1e6:.2f}", figure(row["nme"]), figure(row["nme51"])]
        for row in results["rows"]
    ]
    return f"""## What the student's size costs

`{results["command"]}`
at commit {results["git"]}: both trained alike, for {results["epochs"]} epochs; NME in % on rendered test faces. The student's
is {results["student_over_large"]:.3f} times that of the network ten times its size. {_machine(results)}

{table(["network", "parameters, M", "NME, 68 points", "NME, 51 points"], rows)}
"""


def input_size() -> str:
    """The side of the student's crop."""
    results = load("input_size")
    rows: list[list[object]] = [
        [row["size"], figure(row["nme"]), figure(row["nme51"]), f"{row['ms']:.2f}"] for row in results["rows"]
    ]
    return f"""## What the size of the crop is worth

`{results["command"]}`
at commit {results["git"]}: trained alike, for {results["epochs"]} epochs; NME in % on rendered test faces, time of a crop on one thread.
As short as these trainings are, half a point is chance. {_machine(results)}

{table(["side, pixels", "NME, 68 points", "NME, 51 points", "ms"], rows)}
"""


def _machine(results: dict[str, Any]) -> str:
    return "Machine: " + ", ".join(f"{key} {value}" for key, value in results["machine"].items()) + "."


def text(results: dict[str, Any]) -> str:
    """The whole page."""
    parts = [
        f"""# Accuracy

Written by `python scripts/accuracy_report.py` from the JSON in `docs/results`; all but the last sections from `accuracy.json`,
which `python -m thermal_fld_ros evaluate` wrote at commit {results["git"]}. Plots are made from the same file.

## How it is measured

Nothing that is measured on here was trained on. The real sets are small samples: they show what goes wrong, and a difference of
a few tenths says nothing. Labels made by another network measure agreement, not accuracy. The data are not part of this
package; [datasets.md](datasets.md) tells how to bring them, and others, into a form that `evaluate` reads.

**Protocols.** *given box*: the landmark network gets the labelled face's box and looks a second time about its own points, as
the pipeline does with a new detection. *pipeline*: the images go through the pipeline that the robot runs, with detection,
tracking and smoothing; what it finds is paired with the labelled faces by the overlap of boxes (IoU of at least
{results["iou"]:g}), best pairs first. Images that are no sequence are independent of each other.

**Errors** are distances in percent of sqrt(w h) of the box around the labelled points, or of the labelled box where the points
do not outline the face. *NME* is their mean over points and faces. *NME eyes* is the same in percent of the distance of the
outer corners of the eyes. *missed* faces are in no mean, but they are failures: *FR* is the share of faces with a mean error
above 8 or 10 %, or not found, *AUC* the area under the curve of cumulated errors up to 8 %. Points: 68, the inner 51, the 54 of
SF-TL54 (iBUG 0-47, 48, 51, 54, 57, 62, 66), and *contour* (0-37, 41, 44-46: jaw, brows, nose, outer halves of the eyes), where
all of them are labelled and their labels follow the same convention.

**Faces.** *recall* and *precision* are of the pipeline's output; *located* asks only that the centre of a found face lies in
the labelled box, as sets mean different things by a box; *elsewhere* are the false faces whose centre lies in no labelled face
at all; *in traps* those on marked places that are no face, such as a warm reference body. *AP* is the average precision of the
detector alone.

**Jitter** is the mean distance that points go between two frames, in percent of sqrt(w h), while the head is still: while the
mean length of the dense optical flow over the face (which knows nothing of landmarks) is at most {STILL:g} % of it. *lag* is
the shift in frames by which the smoothed points match the unsmoothed ones best.

**Confidence** of a point is the probability that its error is below {LIMIT:g} %; *ECE* is the mean gap between stated and
observed.

## Data

{data_table(results)}

## Models

{model_table(results)}

*brief training* and *brief, flat skin* are two networks of the ablation below: trained briefly on a few of the renders, and on the
same without thermal realism (skin and things of one temperature each). They show what that buys, not what is shipped.

## Goals

{goal_table(results)}
"""
    ]
    for title, rows_of in TABLES.items():
        head, rows = rows_of(results)
        if rows:
            parts.append(f"## {title}\n\n{table(head, rows)}\n")
    parts += [ablation(), student_size(), input_size()]
    plots = plots_of(results)
    for kind, heading in HEADINGS.items():
        images = [f"![{data}](images/{plot_name(kind, data)})" for other, data in plots if other == kind]
        if images:
            parts.append(f"## {heading}\n\n" + "\n".join(images) + "\n")
    return "\n".join(parts)


def main() -> None:
    """Write the page and its plots."""
    from thermal_fld_ros.evaluation.plots import write_plots

    results = load()
    PAGE.write_text(text(results), encoding="utf-8")
    for old in IMAGES.glob("accuracy_*.png"):
        old.unlink()
    for file in write_plots(results, IMAGES):
        print(file.relative_to(ROOT))
    print(PAGE.relative_to(ROOT))


if __name__ == "__main__":
    main()
