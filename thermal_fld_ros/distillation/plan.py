# SPDX-License-Identifier: Apache-2.0
"""A plan of several trainings, of which some teach others: read from one file, carried out stage by stage, resumable at each.

A plan is a YAML file: ``out`` (a folder), ``stages`` (by name, the configuration of each training, whose ``teacher`` is the name of
another stage, and whose ``start`` may be one), ``shared`` (what all stages have in common), ``tests`` (data sets as ``evaluate --data``
takes them), and where wanted ``export`` (the stage whose network is the product), ``seeds`` (every stage is trained with each), ``once``
(stages that are trained with the first seed only, and teach all) and ``compare`` (by thermal stage, the
thermal stages that it is held against).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thermal_fld_ros.datasets.forms import open_dataset
from thermal_fld_ros.distillation.checkpoint import read_state
from thermal_fld_ros.distillation.export import export
from thermal_fld_ros.distillation.measuring import measurements
from thermal_fld_ros.distillation.parallel import this_process
from thermal_fld_ros.distillation.trainer import checked, read_mapping, train
from thermal_fld_ros.evaluation.given_box import nme_by_test

FIELDS: dict[str, type] = {
    "out": str, "stages": dict, "shared": dict, "tests": list, "export": str, "seeds": list, "once": list, "compare": dict,
}  # fmt: skip
INNER: dict[str, type] = {"stages": dict, "tests": str, "seeds": int, "once": str, "compare": list}
"""The fields of a plan and their kinds, and what those hold that hold something."""


@dataclass(frozen=True, eq=False)
class Training:
    """One training of a plan.

    Attributes
    ----------
    stage : str
    seed : int
    config : dict
        As ``train`` takes it; ``teacher`` is the path of a checkpoint.
    out : Path
    teacher, start : str or None
        The stage that teaches; the stage or checkpoint whose weights it begins with.
    depth : int
        0 where no other stage is needed before, else one more than that of the stages that are.
    """

    stage: str
    seed: int
    config: dict[str, Any]
    out: Path
    teacher: str | None = None
    start: str | None = None
    depth: int = 0

    @property
    def checkpoint(self) -> Path:
        """What the training leaves behind."""
        return self.out / "checkpoint.pt"

    @property
    def thermal(self) -> bool:
        """Whether the network takes thermal images, so that it can be exported and measured."""
        return bool(self.config["modality"] == "thermal")

    def finished(self) -> bool:
        """Whether its checkpoint is the last one."""
        if not self.checkpoint.exists():
            return False
        state = read_state(self.checkpoint)
        return bool(state["config"] == self.config and state["epoch"] == self.config["epochs"])


@dataclass(frozen=True)
class Plan:
    """What a plan file says; see the module."""

    file: Path
    out: Path
    trainings: list[Training]
    tests: list[str]
    export: str | None = None
    seeds: list[int] = field(default_factory=list)
    compare: dict[str, list[str]] = field(default_factory=dict)


def read_plan(file: Path, out: Path | None = None) -> Plan:
    """Read a plan file; ``out`` stands for the folder that it names.

    Raises
    ------
    ValueError
        When a field is missing or unknown, or a stage names a teacher that does not come before it.
    """
    content = read_mapping(file)
    unknown, missing = set(content) - set(FIELDS), {"out", "stages"} - set(content)
    if unknown or missing:
        what = f"knows no field {', '.join(sorted(unknown))}" if unknown else f"lacks {', '.join(sorted(missing))}"
        raise ValueError(f"{file}: a plan {what}; expected {', '.join(sorted(FIELDS))}")
    _check_kinds(file, content)
    out = out or Path(content["out"])
    stages = {
        name: {"task": "distillation", **content.get("shared", {}), **own} for name, own in content["stages"].items()
    }
    seeds, once, compare = content.get("seeds", []), content.get("once", []), content.get("compare", {})
    compared = [name for stage, others in compare.items() for name in (stage, *others)]
    named = {"export": [content["export"]] if "export" in content else [], "once": once, "compare": compared}
    for key, names in named.items():
        possible = [name for name, stage in stages.items() if key != "compare" or stage.get("modality") == "thermal"]
        if set(names) - set(possible):
            raise ValueError(f"{file}: {key} names {', '.join(names)}, expected stages: {', '.join(possible)}")
    done: dict[tuple[str, int | None], Training] = {}
    for seed in seeds or [None]:
        for name, stage in stages.items():
            if name in once and seed != seeds[0]:
                done[name, seed] = done[name, seeds[0]]
                continue
            config, depth, teacher = dict(stage), 0, stage.get("teacher")
            if teacher is not None and (teacher, seed) not in done:
                before = ", ".join(n for n, s in done if s == seed)
                raise ValueError(f'{file}: the teacher of {name} is "{teacher}", expected a stage before it: {before}')
            for key in {"teacher", "start"} & set(stage):
                if (stage[key], seed) in done:  # else a checkpoint to start from
                    used = done[stage[key], seed]
                    config[key], depth = str(used.checkpoint), max(depth, used.depth + 1)
            if seed is not None:
                config["seed"] = seed
            folder = out / name if seed is None else out / name / f"seed_{seed}"
            checked(config, f"{file}, {name}")
            done[name, seed] = Training(name, config["seed"], config, folder, teacher, stage.get("start"), depth)
    trainings = list(dict.fromkeys(done.values()))
    return Plan(file, out, trainings, content.get("tests", []), content.get("export"), seeds, compare)


def _check_kinds(file: Path, content: dict[str, Any]) -> None:
    """Raise ValueError where a field is of another kind than it must be."""
    for name, kind in FIELDS.items():
        value = content.get(name)
        inner = INNER.get(name)
        entries = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        fits = isinstance(value, kind) and all(isinstance(entry, inner or object) for entry in entries)
        if name in content and not fits:
            of = f" of {inner.__name__}" if inner else ""
            raise ValueError(f"{file}: {name} is {value!r}, expected {kind.__name__}{of}")


def carry_out(training: Training, tests: Sequence[str], command: str, threads: int = 0) -> dict[str, Any]:
    """Train, export and measure what of it has not been done; returns ``measurements``, nothing for a colour network.

    In processes after the first of ``torchrun`` only the training is done.
    """
    with this_process() as process:
        if not training.finished():
            train(training.config, training.out, threads)
    if process.rank > 0 or not training.thermal:
        return {}
    result, model = training.out / "tests.json", training.out / f"{training.stage.replace(' ', '_')}.onnx"
    made_of = {"tests": list(tests), "checkpoint": training.checkpoint.stat().st_mtime}
    if result.exists():
        known: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        if known["of"] == made_of:
            return known
    export(training.checkpoint, model, command)
    figures = {"of": made_of, **measurements(training.checkpoint, model, [open_dataset(test) for test in tests])}
    result.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return figures


def run_plan(plan: Plan, command: str, threads: int = 0, say: Callable[[str], None] = print) -> dict[str, Any]:
    """Carry out every training of a plan, one after the other, and write the product; returns the measurements by stage."""
    results: dict[str, Any] = {}
    with this_process() as process:
        for training in plan.trainings:
            if process.rank == 0:
                say(f"{training.stage}: {training.config['epochs']} epochs, in {training.out}")
            figures = carry_out(training, plan.tests, command, threads)
            if figures:
                results[training.stage] = figures
                told = "  ".join(f"{name} {nme:.3f} %" for name, nme in nme_by_test(figures["tests"]).items())
                say(f"{training.stage}: {told}")
    if results and plan.export:
        (product,) = [training for training in plan.trainings if training.stage == plan.export]
        comparison = {
            f"{stage}, this network" if stage == plan.export else stage: {
                "parameters, million": figures["parameters"] / 1e6,
                **nme_by_test(figures["tests"]),
            }
            for stage, figures in results.items()
        }
        file = plan.out / f"{product.config['name']}.onnx"
        export(product.checkpoint, file, command, comparison if plan.tests else None)
        (plan.out / "evaluation.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        say(f"{file}: the network of {plan.export}, with its model card")
    return results
