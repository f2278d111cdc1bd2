# SPDX-License-Identifier: Apache-2.0
"""Every stage of a plan with every seed, in parallel processes; means and deviations as JSON, table and plots."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from thermal_fld_ros.distillation.checkpoint import read_state, steps_of
from thermal_fld_ros.distillation.config import LandmarkConfig, plain_config, read_config, recipes
from thermal_fld_ros.distillation.fields import plain
from thermal_fld_ros.distillation.logs import STYLE, read_log
from thermal_fld_ros.distillation.measuring import training_macs
from thermal_fld_ros.distillation.plan import Plan, Training, carry_out
from thermal_fld_ros.distillation.significance import crossed_p, holm, paired_p
from thermal_fld_ros.evaluation import report
from thermal_fld_ros.evaluation.given_box import nme_by_test
from thermal_fld_ros.provenance import git_state

BEGINNING = 0.15
"""Share of the steps that the curves leave out."""
COLUMNS = 3
"""Plots of curves beside each other."""


def marks(name: str) -> tuple[str, str]:
    """Lines of a Markdown page between which the table of an ablation lies; its name is that of the plan's file."""
    return f"<!-- {name}: written by `python -m thermal_fld_ros ablate` -->", f"<!-- end of {name} -->"


def run_ablation(plan: Plan, command: str, processes: int, say: Callable[[str], None] = print) -> dict[str, Any]:
    """Carry out what is left of a plan, teachers before those they teach; returns the results as they go into the JSON.

    Each training has a process with one thread. Starts processes: a script that calls this needs
    ``if __name__ == "__main__"``.
    """
    figures: dict[Training, dict[str, Any]] = {}
    started = time.monotonic()
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        for depth in sorted({training.depth for training in plan.trainings}):
            mine = [training for training in plan.trainings if training.depth == depth]
            futures = {pool.submit(_carry_out, training, plan.tests, command): training for training in mine}
            for future in as_completed(futures):
                training = futures[future]
                figures[training], seconds = future.result()
                told = "  ".join(
                    f"{name} {nme:.2f}" for name, nme in nme_by_test(figures[training].get("tests", {})).items()
                )
                say(f"{len(figures)} of {len(plan.trainings)}, {(time.monotonic() - started) / 60:.1f} min: "
                    f"{training.stage}, seed {training.seed}: {seconds:.0f} s  {told}")  # fmt: skip
    rows = [row for training in plan.trainings for row in read_log(training.out / "log.csv")]
    minutes = sum(row["training/seconds"] for row in rows) / 60
    return {
        "name": plan.file.stem, "command": command, "git": git_state(), "minutes": round(minutes, 1), "processes": processes,
        "people_p": _people_p(plan, figures),
        "recipes": recipes(plain_config(plan.trainings[0].config) | plain_config(plan.trainings[-1].config)), "compare": plan.compare,
        "methods": {stage: _method([t for t in plan.trainings if t.stage == stage], figures)
                    for stage in dict.fromkeys(training.stage for training in plan.trainings)},
    }  # fmt: skip


def _carry_out(training: Training, tests: list[str], command: str) -> tuple[dict[str, Any], float]:
    """The measurements of one training, and the seconds that it took; what it prints goes to ``log.txt``."""
    started = time.monotonic()
    training.out.mkdir(parents=True, exist_ok=True)
    with (
        (training.out / "log.txt").open("a", encoding="utf-8") as stream,
        contextlib.redirect_stdout(stream),
        contextlib.redirect_stderr(stream),
    ):
        figures = carry_out(training, tests, command, threads=1)
    return figures, time.monotonic() - started


def _people_p(plan: Plan, figures: dict[Training, dict[str, Any]]) -> dict[str, dict[str, dict[str, float]]]:
    """Of each comparison, by method, other and test: p of a bootstrap over seeds and people, `significance.crossed_p`."""
    of_stage = {stage: [t for t in plan.trainings if t.stage == stage] for stage in {t.stage for t in plan.trainings}}
    found: dict[str, dict[str, dict[str, float]]] = {}
    for method, others in plan.compare.items():
        for other in others:
            mine, theirs = ([_people_errors(figures[t]) for t in of_stage[stage]] for stage in (method, other))
            of_tests = {}
            for test in mine[0]:
                people = sorted(set.intersection(*(set(errors[test]) for errors in (*mine, *theirs))))
                pairs = zip(mine, theirs, strict=len(mine) == len(theirs))
                difference = [[a[test][person] - b[test][person] for person in people] for a, b in pairs]
                of_tests[test] = crossed_p(difference) if people else 1.0
            found.setdefault(method, {})[other] = of_tests
    return found


def _people_errors(figures: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Of a training's measurements the error of each person by test, named as in `nme_by_test`."""
    return {
        f"{name}, {points} points": values["by_person"]
        for name, sets in figures["tests"].items()
        for points, values in sets.items()
    }


def _method(trainings: list[Training], figures: dict[Training, dict[str, Any]]) -> dict[str, Any]:
    """What the JSON says of one stage: its settings, its costs, its errors and its curve over all seeds."""
    first = trainings[0]
    config = first.config
    result: dict[str, Any] = {
        "modality": config.modality, "teacher": first.teacher, "start": first.start, "terms": plain(config.terms),
        "pairs": config.count, "labelled": config.count if config.labelled is None else config.labelled,
        "network": plain(config.network), "seeds": [training.seed for training in trainings],
    }  # fmt: skip
    logs = [read_log(training.out / "log.csv") for training in trainings]
    curves = np.array([[row["validation/nme"] for row in rows] for rows in logs])
    steps = steps_of(first.checkpoint) // config.epochs
    result["curve"] = {"step": [row["epoch"] * steps for row in logs[0]], **_statistics(curves)}
    if first.thermal:
        result |= {key: figures[first][key] for key in ("parameters", "macs")}
        samples = steps * config.epochs * config.batch
        result["training_macs"] = samples * training_macs(config, _config_in(config.teacher))
        result["cpu_ms"] = float(np.median([figures[training]["cpu_ms"] for training in trainings]))
        values = [nme_by_test(figures[training]["tests"]) for training in trainings]
        result["tests"] = {name: {"each": [v[name] for v in values], **_statistics(np.array([v[name] for v in values]))}
                           for name in values[0]}  # fmt: skip
    return result


def _config_in(checkpoint: str | None) -> LandmarkConfig | None:
    """The configuration of a teacher's checkpoint."""
    if checkpoint is None:
        return None
    config = read_config(read_state(Path(checkpoint))["config"], checkpoint)
    assert isinstance(config, LandmarkConfig)
    return config


def _statistics(values: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Mean and standard deviation (of the sample; 0 for one seed) over the first axis, to 4 digits."""
    deviation = values.std(0, ddof=1) if len(values) > 1 else np.zeros_like(values[0])
    return {"mean": np.round(values.mean(0), 4).tolist(), "std": np.round(deviation, 4).tolist()}


# --- for people ------------------------------------------------------------------------------------------------------


def write_report(results: dict[str, Any], page: Path) -> None:
    """Write ``results/<name>.json`` and plots beside a Markdown page, and the table into it, between its two marks.

    Raises
    ------
    ValueError
        When the page lacks the marks.
    """
    name = results["name"]
    begin, end = marks(name)
    text = page.read_text(encoding="utf-8") if page.exists() else f"{begin}\n{end}\n"
    if not 0 <= text.find(begin) < text.find(end):
        raise ValueError(f"{page}: expected a line {begin} and after it a line {end}")
    folder = page.parent / "results"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    with mpl.rc_context(STYLE):
        draw_errors(results, folder / f"{name}.png")
        draw_comparison(results, folder / f"{name}_curves.png")
    before, after = text[: text.index(begin)], text[text.index(end) :]
    page.write_text(f"{before}{begin}\n{table(results)}{after}", encoding="utf-8")


def table(results: dict[str, Any]) -> str:
    """The results in Markdown."""
    thermal = {name: method for name, method in results["methods"].items() if "tests" in method}
    sets = list(_tests(results))
    columns: dict[str, list[str]] = {"method": list(thermal)}
    columns["begins as"] = [method["start"] or "random" for method in thermal.values()]
    columns["labelled"] = ["{labelled} of {pairs}".format(**method) for method in thermal.values()]
    columns["teacher"] = [method["teacher"] or "-" for method in thermal.values()]
    columns["terms"] = [", ".join(term.replace("_", " ") for term in method["terms"]) for method in thermal.values()]
    for test in sets:
        values = [method["tests"][test] for method in thermal.values()]
        columns[test] = [f"{value['mean']:.2f} ± {value['std']:.2f}" for value in values]
    columns["parameters"] = [f"{method['parameters'] / 1e6:.2f} M" for method in thermal.values()]
    columns["MACs"] = [f"{method['macs'] / 1e6:.1f} M" for method in thermal.values()]
    compute = ""
    if all("training_macs" in method for method in thermal.values()):
        least = min(method["training_macs"] for method in thermal.values())
        compute = "; training: multiply-accumulates of the whole training over the least, with those of teacher and injected heads"
        columns["training"] = [f"{method['training_macs'] / least:.2f}" for method in thermal.values()]
    columns["CPU"] = [f"{method['cpu_ms']:.2f} ms" for method in thermal.values()]
    common = {name: each[0] for name, each in columns.items() if len(set(each)) == 1}
    columns = {name: each for name, each in columns.items() if name not in common}
    rows = map(list, zip(*columns.values(), strict=True))
    alike = f" All alike: {', '.join(f'{name} {value}' for name, value in common.items())}." if common else ""
    seeds = max(len(method["seeds"]) for method in thermal.values())
    return f"""
NME in % of sqrt(w h) of the face box, given the box, mean ± standard deviation over {seeds} seeds; labelled: so many of so many pairs; CPU:
processor time a face, onnxruntime, one thread{compute}.{alike} Commit {results["git"]}, {results["minutes"]} min of training
with one thread, {results["processes"]} trainings at a time: `{results["command"]}`

{report.markdown_table(list(columns), rows)}
{differences(results)}
![NME of every method](results/{results["name"]}.png)

![NME over the training's steps](results/{results["name"]}_curves.png)

"""


def differences(results: dict[str, Any]) -> str:
    """What the methods to compare are ahead (below 0) or behind of others, in Markdown; empty where none are named."""
    methods, sets = results["methods"], list(_tests(results))
    rows: list[list[object]] = []
    seeds: list[list[float]] = []
    people: list[list[float | None]] = []
    for method, others in results["compare"].items():
        for other in others:
            each = [np.subtract(*(methods[name]["tests"][test]["each"] for name in (method, other))) for test in sets]
            told = [_statistics(difference) for difference in each]
            error = len(each[0]) ** -0.5
            rows.append([method, other, *(f"{t['mean']:+.2f} ± {t['std'] * error:.2f}" for t in told)])
            seeds.append([paired_p(difference) for difference in each])
            people.append([results.get("people_p", {}).get(method, {}).get(other, {}).get(test) for test in sets])
    if not rows:
        return ""
    for column in range(len(sets)):
        of_seeds = holm([p[column] for p in seeds])
        known = [p for row in people if (p := row[column]) is not None]
        of_people = holm(known) if len(known) == len(rows) else []
        for k, row in enumerate(rows):
            ps = [of_seeds[k], *of_people[k : k + 1]]
            row[2 + column] = f"{row[2 + column]} (p {', '.join(map(_p_text, ps))})"
    told_people = " and, second, of a bootstrap over seeds and people" if results.get("people_p") else ""
    return f"""
The same as differences between networks of the same seed, mean ± its standard error; below 0 the first is ahead. p is that of a
paired t test over the seeds{told_people}, two-sided, corrected after Holm for the comparisons of the column:

{report.markdown_table(["method", "against", *sets], rows)}
"""


def _p_text(p: float) -> str:
    """A p value for people; one that would read as nothing at all is given as a bound."""
    return f"{p:.3f}" if p >= 0.0005 else "<0.001"


def _tests(results: dict[str, Any]) -> dict[str, Any]:
    """The test sets of an ablation, as the first thermal method has them."""
    return next(method["tests"] for method in results["methods"].values() if "tests" in method)


def draw_errors(results: dict[str, Any], file: Path) -> None:
    """A bar a method and test set with the deviation over the seeds, as PNG."""
    thermal = {name: method for name, method in results["methods"].items() if "tests" in method}
    sets = list(_tests(results))
    figure = Figure((3.2 * len(sets), 0.28 * len(thermal) + 1), dpi=120, layout="constrained")
    for k, test in enumerate(sets):
        axes = figure.add_subplot(1, len(sets), k + 1)
        values = [method["tests"][test] for method in thermal.values()]
        axes.errorbar(
            [v["mean"] for v in values],
            range(len(values)),
            xerr=[v["std"] for v in values],
            fmt="o",
            markersize=4,
            capsize=2,
        )
        axes.set_yticks(range(len(values)), list(thermal) if k == 0 else [""] * len(values))
        axes.invert_yaxis()
        axes.set_title(test)
        axes.set_xlabel("NME, %")
    figure.savefig(file)


def draw_comparison(results: dict[str, Any], file: Path) -> None:
    """The validation error over the steps as PNG: of each method to compare and the first other, then of all, a plot a network size.

    The first steps, of which all are bad, are left out.
    """
    thermal = {name: method for name, method in results["methods"].items() if "tests" in method}
    panels = {f"{name} and {others[0]}": [others[0], name] for name, others in results["compare"].items()}
    for name, method in thermal.items():
        panels.setdefault(f"{method['parameters'] / 1e6:.2f} M parameters", []).append(name)
    rows = -(-len(panels) // COLUMNS)
    figure = Figure((4.5 * COLUMNS, 3.2 * rows), dpi=120, layout="constrained")
    for k, (title, names) in enumerate(panels.items()):
        axes = figure.add_subplot(rows, COLUMNS, k + 1)
        for name in names:
            step, mean, std = (np.array(thermal[name]["curve"][key]) for key in ("step", "mean", "std"))
            later = step >= BEGINNING * step[-1]
            step, mean, std = step[later], mean[later], std[later]
            (line,) = axes.plot(step, mean, label=name, linewidth=1.2)
            axes.fill_between(step, mean - std, mean + std, alpha=0.12, color=line.get_color())
        axes.set_title(title)
        axes.set_xlabel("training step")
        axes.set_ylabel("validation NME, %")
        axes.legend(fontsize=7)
    figure.savefig(file)
