# SPDX-License-Identifier: Apache-2.0
"""Write docs/accuracy.md, docs/accuracy_tables.md, their plots and the README's comparison: `python scripts/accuracy_report.py`.

All come from the JSON in docs/results. The comparison is printed, too. accuracy.json is what `python -m thermal_fld_ros
evaluate --json docs/results/accuracy.json` writes; renderer_ablation.json,
student_size.json and input_size.json are those of the benchmarks of these names. peers.json is written by `evaluate` as well: the rows of
other tools, whose points `scripts/mediapipe_points.py` finds.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
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
README, COMPARED = (
    ROOT / "README.md",
    ("<!-- comparison: python scripts/accuracy_report.py -->\n", "<!-- end of comparison -->"),
)
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
    ("rendered frames", "false faces, as many as networks 0.4", ("detection", "false_faces"), 1, "at most", 11),
    ("rendered frames", "ECE of the score, %", ("published", "score", "ece"), 100, "at most", 5.0),
    ("Knapik drivers", "published faces that are wrong, %", ("published", "wrong_share"), 100, "at most", 1.0),
    ("RoadScene", "false faces", ("detection", "false_faces"), 1, "at most", 1),
    ("HIT-UAV held-out", "false faces", ("detection", "false_faces"), 1, "at most", 1),
]  # fmt: skip

HEADINGS = {
    "errors": "Cumulative error: share of faces (vertical) with at most a given mean error (horizontal), missed faces included",
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
    return markdown_table(["data", "images", "faces", "labels", "description"], rows)


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
    return f"Measured with the networks `{first}`.\n\n" + markdown_table(
        ["data", "figure", "goal", "measured", "met"], rows
    )


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
    return f"""## What each ingredient of the renders is worth

`{results["command"]}`
at commit {results["git"]}. Each row is a short training of the student ({results["faces"]} faces, {results["epochs"]} epochs)
without one ingredient. The first row
is the NME in % with all ingredients (given boxes; {points}). The other rows are differences from it. *everything, again* is the
same training with another seed, so differences of that size are chance.
{_machine(results)}

{markdown_table(["training", *(name.replace("test", "rendered faces") for name in sets)], rows)}

![growth of the error without each ingredient](results/renderer_ablation.png)
"""


def student_size() -> str:
    """The student beside a network ten times its size."""
    results = load("student_size")
    rows: list[list[object]] = [
        [row["name"], f"{row['parameters'] / 1e6:.2f}", figure(row["nme"]), figure(row["nme51"])]
        for row in results["rows"]
    ]
    return f"""## What the size of the student costs

`{results["command"]}`
at commit {results["git"]}. Both networks were trained in the same way for {results["epochs"]} epochs. NME in % on rendered
test faces. The error of
the student is {results["student_over_large"]:.3f} times that of the network ten times its size. {_machine(results)}

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
at commit {results["git"]}. All networks were trained in the same way for {results["epochs"]} epochs. NME in % on rendered
test faces; time per crop on one
thread. The trainings are short, so a difference of half a percentage point is chance. {_machine(results)}

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
    return f"""- **Real faces**: the mean error of 54 points is **{main["nme"]:.1f} %** of sqrt(w h) of the face's box (95 %
  interval {low:.1f} to
  {high:.1f}), on {main["faces"]} thermal images of {given["people"]} people. A person labelled them twice; the two rounds are
  {rounds_apart():.1f} % apart.
- **In pixels**: on a face of 100 pixels the mean error is about {main["nme"]:.0f} pixels.
- **By region**: {regions["nose"]:.1f} % at the nose, {regions["eyes"]:.1f} % at the eyes, {regions["jaw"]:.1f} % along the
  jaw. The jaw points lie
  {given["jaw_line"]:.1f} % away from the labelled jaw line.
- **Detection**: {100 * found:.0f} % of the faces in rendered frames of everyday scenes are found.
- **False faces**: {100 * published["wrong_share"]:.1f} % of the faces published on these frames are wrong. On {images} real
  scenes without faces, {false} faces are published.
- **Score**: on these frames the mean score is {100 * score["stated"]:.0f} %, and {100 * score["observed"]:.0f} % of the
  published faces are right.
- **Mouth**: the opening is followed with a slope of {mouth["slope"]:.2f} and a correlation of {mouth["correlation"]:.2f}. A
  closed mouth reads {mouth["closed_reads"]:.1f} %.
- **Eyes**: the opening is followed with a slope of {eyes["slope"]:.2f} and a correlation of {eyes["correlation"]:.2f}.
- **Caution**: rendered people are easier than real ones. On the small real sets, a difference of a few tenths of a percent is
  not significant."""


def comparison(results: dict[str, Any], peers: dict[str, Any]) -> str:
    """The first model beside other tools, on the same real images."""
    first = results["rows"][0]["model"]
    (peer,) = {row["model"] for row in peers["rows"]}
    rows = {(row["model"], row["data"]): row for row in [*results["rows"], *peers["rows"]]}
    hand, empty, unknown = "hand-clicked", ("RoadScene", "HIT-UAV held-out"), "not measured"

    def of_each(tell: Callable[[str], str]) -> list[object]:
        return [tell(first), tell(peer), unknown]

    def found(model: str) -> str:
        figures = rows[model, hand]["detection"]
        return f"{round(figures['recall'] * figures['faces'])} of {figures['faces']}"

    def error(model: str) -> str:
        main = rows[model, hand]["given_box"]["points"]["54"]
        return f"{main['nme']:.1f} %" + (f" ({main['missed']} missed)" if main["missed"] else "")

    def false(model: str) -> str:
        counts = [rows[model, name]["detection"] for name in empty]
        return f"{sum(one['false_faces'] for one in counts)} on {sum(one['images'] for one in counts)} images"

    lines: list[list[object]] = [
        ["made for", "thermal images", "RGB images", "thermal images"],
        ["landmarks", "68", "468, mapped to 68", "70"],
        ["licence of the weights", "Apache-2.0", "Apache-2.0", "CC BY-NC-SA 4.0"],
        ["real thermal faces found", *of_each(found)],
        ["mean error of 54 points, given box", *of_each(error)],
        ["false faces in scenes without faces", *of_each(false)],
    ]
    return markdown_table(["", "thermal_fld_ros", peer, "TFAN (T-FAKE)"], lines)


def with_comparison(readme: str, told: str) -> str:
    """The text of the README with the comparison between its marks."""
    before, _, rest = readme.partition(COMPARED[0])
    _, mark, after = rest.partition(COMPARED[1])
    if not mark:
        raise ValueError(f"README.md: expected the lines {COMPARED[0].strip()} and {COMPARED[1]}")
    return f"{before}{COMPARED[0]}{told}\n{mark}{after}"


MAIN_TABLES = ("Landmarks", "Faces", "Published faces and their score", "Openings of mouth and eyes")


def text(results: dict[str, Any]) -> str:
    """The page that a user reads."""
    parts = [
        f"""# Accuracy

{summary(results)}

`python scripts/accuracy_report.py` generates this page from `docs/results/accuracy.json`, which `python -m thermal_fld_ros evaluate`
wrote at commit {results["git"]}. The [appendix](accuracy_tables.md) has all other tables and the plots. To measure on your
own images, see
[evaluate](howto_evaluate.md).

## Goals

{goal_table(results)}

## How it is measured

None of the test data was used for training. Labels made by another network measure agreement, not accuracy. The data sets are
not part of this package;
[labelled data sets](datasets.md) explains how to bring them into a form that `evaluate` reads.

### Protocols

- **given box**: the landmark network gets the box of the labelled face. It then looks a second time at a crop around its own
  points, as the pipeline does with
  a new detection.
- **pipeline**: the images pass through the pipeline that runs on the robot, with detection, tracking and smoothing. Found
  faces are matched to labelled
  ones by the overlap of their boxes (IoU of at least {results["iou"]:g}), best matches first. Images that are not a sequence
  are processed independently.

### Errors of landmarks

An error is a distance in percent of sqrt(w h) of the box around the labelled points. If the points do not outline the face,
the labelled box is used.

| term | meaning |
|---|---|
| NME | mean error over points and faces |
| 95 % | confidence interval of the NME, by a bootstrap over people |
| shifted | NME after shifting the points of each image as a whole onto the labels, for labels from another camera's image |
| missed | faces that were not found; they are not part of any mean, but count as failures |
| FR | failure rate: share of faces with a mean error above 8 or 10 %, or not found |
| AUC | area under the cumulative error curve up to 8 % |
| jaw line | distance of the jaw points from the labelled jaw line, wherever along it they lie |
| points | 68, the inner 51, or the 54 of SF-TL54 (iBUG 0-47, 48, 51, 54, 57, 62, 66) |

### Faces

| term | meaning |
|---|---|
| recall, precision | of the output of the pipeline |
| located | the centre of a found face lies in the labelled box; data sets define boxes differently |
| elsewhere | false faces whose centre lies in no labelled face |
| AP | average precision of the detector alone |
| wrong | a published face with a mean error of 10 % or more, or where there is no face |
| ECE | expected calibration error: mean gap between stated and observed probability |

The score states the probability that a face is not wrong. The confidence of a point states the probability of an error below
{RIGHT_LIMIT:g} %.

### Openings and jitter

- The **opening** is the mean distance of the inner lips, or of the lids. Faces whose lips or lids are labelled as hidden are
  left out. The tables give slope and
  correlation of found over labelled openings, and what is found where the label is below 1.5 %.
- **Jitter** is the mean distance that points move between two frames while the head is still, in percent of sqrt(w h). The
  head counts as still while the mean
  length of the dense optical flow over the face is at most {STILL:g} % of it.
- **Lag** is the shift in frames at which the smoothed points match the unsmoothed points best.

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
        "# Accuracy: all tables\n\n`python scripts/accuracy_report.py` generates this page. [Accuracy](accuracy.md) explains the terms.\n"
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
    told = comparison(results, load("peers"))
    README.write_text(with_comparison(README.read_text(encoding="utf-8"), told), encoding="utf-8")
    print(f"\n{told}")


if __name__ == "__main__":
    main()
