# SPDX-License-Identifier: Apache-2.0
"""Write docs/accuracy.md, docs/accuracy_tables.md and their plots from the JSON in docs/results: `python scripts/accuracy_report.py`.

accuracy.json is what `python -m thermal_fld_ros evaluate --json docs/results/accuracy.json` writes; renderer_ablation.json,
student_size.json and input_size.json are those of the benchmarks of these names.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from thermal_fld_ros.datasets.sample import SCHEMES  # noqa: E402
from thermal_fld_ros.evaluation import metrics  # noqa: E402
from thermal_fld_ros.evaluation.calibration import RIGHT_LIMIT  # noqa: E402
from thermal_fld_ros.evaluation.report import TABLES, figure, markdown_table, plot_name, plots_of  # noqa: E402
from thermal_fld_ros.evaluation.rounds import disagreement  # noqa: E402
from thermal_fld_ros.evaluation.video import STILL  # noqa: E402
from thermal_fld_ros.perception.geometry import box_around  # noqa: E402

FOLDER, IMAGES = ROOT / "docs/results", ROOT / "docs/images"
PAGE, APPENDIX = ROOT / "docs/accuracy.md", ROOT / "docs/accuracy_tables.md"

# What is aimed at on real images: data set, what, place of the figure in a row of the results, factor for percent, least or most.
GOALS: list[tuple[str, str, tuple[str, ...], float, str, float]] = [
    ("hand-clicked", "NME of 54 points, given box, %", ("given_box", "points", "54", "nme"), 1, "at most", 4.0),
    ("hand-clicked", "distance from the jaw line, %", ("given_box", "jaw_line"), 1, "at most", 2.5),
    ("SpeakingFaces pairs", "NME of 51 points after the best shift, %", ("given_box", "points", "51", "nme_shifted"), 1, "at most", 2.4),
    ("rendered faces", "slope of the mouth's opening", ("given_box", "openings", "mouth", "slope"), 1, "at least", 0.85),
    ("rendered faces", "slope of the eyes' opening", ("given_box", "openings", "eyes", "slope"), 1, "at least", 0.85),
    ("rendered faces", "what closed mouths read, %", ("given_box", "openings", "mouth", "closed_reads"), 1, "at most", 1.0),
    ("rendered frames", "recall of faces, %", ("detection", "recall"), 100, "at least", 90.0),
    ("rendered frames", "published faces that are wrong, %", ("published", "wrong_share"), 100, "at most", 1.0),
    ("rendered frames", "ECE of the score, %", ("published", "score", "ece"), 100, "at most", 5.0),
    ("Knapik drivers", "published faces that are wrong, %", ("published", "wrong_share"), 100, "at most", 1.0),
    ("RoadScene", "false faces", ("detection", "false_faces"), 1, "at most", 1),
    ("HIT-UAV held-out", "false faces", ("detection", "false_faces"), 1, "at most", 1),
]  # fmt: skip

HEADINGS = {
    "errors": "Share of faces (vertical) with a mean error of at most so much (horizontal); a face that was not found never counts",
    "score": "Score of published faces: stated against observed probability that the mean error is below 10 %",
    "confidence": f"Stated against observed probability that a point's error is below {RIGHT_LIMIT:g} %",
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
    return markdown_table(["data", "images", "faces", "labels", "what it is"], rows)


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
    return f"Of `{first}`.\n\n" + markdown_table(["data", "figure", "goal", "measured", "met"], rows)


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
    return markdown_table(["model", "detector", "landmarks"], list(rows.values()))


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

{markdown_table(["training", *(name.replace("test", "rendered faces") for name in sets)], rows)}

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

{markdown_table(["network", "parameters, M", "NME, 68 points", "NME, 51 points"], rows)}
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

{markdown_table(["side, pixels", "NME, 68 points", "NME, 51 points", "ms"], rows)}
"""


def _machine(results: dict[str, Any]) -> str:
    return "Machine: " + ", ".join(f"{key} {value}" for key, value in results["machine"].items()) + "."


def rounds_apart() -> float:
    """Mean distance of the two rounds of labels by eye, % of sqrt(w h) of the box."""
    apart = []
    for entry in load("hand_clicks")["images"]:
        first, second = np.array(entry["first"]), np.array(entry["second"])
        size = metrics.box_size(box_around((first + second) / 2))
        apart.append(disagreement(first, second, SCHEMES["sftl54"], size)["all"])
    return float(np.mean(apart))


def summary(results: dict[str, Any]) -> str:
    """The figures that a user asks for first, of the first model."""
    first = results["rows"][0]["model"]
    rows = {row["data"]: row for row in results["rows"] if row["model"] == first}
    hand, frames = rows["hand-clicked"], rows["rendered frames"]
    given = hand["given_box"]
    main, regions = given["points"]["54"], given["regions"]
    low, high = main["interval"]
    mouth, eyes = (rows["rendered faces"]["given_box"]["openings"][name] for name in ("mouth", "eyes"))
    published = frames["published"]
    score, found = published["score"], frames["detection"]["recall"]
    empty = [rows[name]["detection"] for name in ("RoadScene", "HIT-UAV held-out") if name in rows]
    false, images = sum(one["false_faces"] for one in empty), sum(one["images"] for one in empty)
    return f"""- On {main["faces"]} real thermal images of {given["people"]} people, labelled by eye twice, the mean error of 54 points is
  **{main["nme"]:.1f} %** of sqrt(w h) of the face's box (95 % interval {low:.1f} to {high:.1f}, by people).
  The two rounds of labels are {rounds_apart():.1f} % apart (`python scripts/hand_points.py`).
- A face of 100 pixels has a mean error of about {main["nme"]:.0f} pixels: {regions["nose"]:.1f} % at the nose, {regions["eyes"]:.1f} % at
  the eyes, {regions["jaw"]:.1f} % along the jaw, whose points lie {given["jaw_line"]:.1f} % off the labelled line.
- Of faces in rendered frames of everyday scenes {100 * found:.0f} % are found, and {100 * published["wrong_share"]:.1f} % of what
  is published is wrong.
- The score is a probability: stated {100 * score["stated"]:.0f} %, right {100 * score["observed"]:.0f} % on these frames.
- On {images} real scenes without faces {false} are published.
- The opening of the mouth is followed with a slope of {mouth["slope"]:.2f} and a correlation of {mouth["correlation"]:.2f};
  a closed one reads {mouth["closed_reads"]:.1f} %.
- That of the eyes has a slope of {eyes["slope"]:.2f} and a correlation of {eyes["correlation"]:.2f}: take blinks for a hint.
- Rendered people are easier than real ones, and a difference of a few tenths on the small real sets says nothing."""


MAIN_TABLES = ("Landmarks", "Faces", "Published faces and their score", "Openings of mouth and eyes")


def text(results: dict[str, Any]) -> str:
    """The page that a user reads."""
    parts = [
        f"""# Accuracy

{summary(results)}

Written by `python scripts/accuracy_report.py` from `docs/results/accuracy.json`, which `python -m thermal_fld_ros evaluate`
wrote at commit {results["git"]}. [All tables and plots](accuracy_tables.md) are made from the same file.

## Goals

{goal_table(results)}

## How it is measured

Nothing that is measured on here was trained on. Labels made by another network measure agreement, not accuracy. The data are
not part of this package; [datasets.md](datasets.md) tells how to bring them, and others, into a form that `evaluate` reads.

**Protocols.** *given box*: the landmark network gets the labelled face's box and looks a second time about its own points, as
the pipeline does with a new detection. *pipeline*: the images go through the pipeline that the robot runs, with detection,
tracking and smoothing. What it finds is paired with the labelled faces by the overlap of boxes (IoU of at least
{results["iou"]:g}), best pairs first. Images that are no sequence are independent of each other.

**Errors** are distances in percent of sqrt(w h) of the box around the labelled points, or of the labelled box where the points
do not outline the face. *NME* is their mean over points and faces, *95 %* its interval by a bootstrap over people, *shifted* the NME
after the points of each image are moved as a whole onto the labels: what remains of labels that come from another camera's image.
*missed* faces are in no mean, but they are failures: *FR* is the share of faces with a mean error above 8 or 10 %, or not found,
*AUC* the area under the curve of cumulated errors up to 8 %. *jaw line* is the distance of the jaw points from the labelled line,
wherever along it they lie. Points: 68, the inner 51, and the 54 of SF-TL54 (iBUG 0-47, 48, 51, 54, 57, 62, 66).

**Faces.** *recall* and *precision* are of the pipeline's output; *located* asks only that the centre of a found face lies in
the labelled box, as sets mean different things by a box; *elsewhere* are the false faces whose centre lies in no labelled face.
*AP* is the average precision of the detector alone.

**Published faces** are *wrong* when their mean error is 10 % or more, or when there is no face. The score states the probability
that they are right; *ECE* is the mean gap between stated and observed, also of the confidence of a point, which states the probability of
an error below {RIGHT_LIMIT:g} %.

**Openings** are the mean distances of the inner lips and of the lids, over faces whose labels do not call them hidden: the slope and the
correlation of found over labelled ones, and what is found where the label is below 1.5 %.

**Jitter** is the mean distance that points go between two frames, in percent of sqrt(w h), while the head is still: while the
mean length of the dense optical flow over the face is at most {STILL:g} % of it. *lag* is the shift in frames by which the
smoothed points match the unsmoothed ones best.

## Data

{data_table(results)}

## Models

{model_table(results)}
"""
    ]
    for title in MAIN_TABLES:
        head, rows = TABLES[title](results)
        if rows:
            parts.append(f"## {title}\n\n{markdown_table(head, rows)}\n")
    return "\n".join(parts)


def appendix(results: dict[str, Any]) -> str:
    """The other tables, the plots and the ablations."""
    parts = [
        "# Accuracy: all tables\n\nWritten by `python scripts/accuracy_report.py`. [Accuracy](accuracy.md) explains the terms.\n"
    ]
    for title, rows_of in TABLES.items():
        head, rows = rows_of(results)
        if rows and title not in MAIN_TABLES:
            parts.append(f"## {title}\n\n{markdown_table(head, rows)}\n")
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
    APPENDIX.write_text(appendix(results), encoding="utf-8")
    for old in IMAGES.glob("accuracy_*.png"):
        old.unlink()
    for file in write_plots(results, IMAGES):
        print(file.relative_to(ROOT))
    print(PAGE.relative_to(ROOT))


if __name__ == "__main__":
    main()
