# SPDX-License-Identifier: Apache-2.0
"""A plan of several trainings, of which some teach others: read from one file, carried out stage by stage, resumable at each.

A plan is a YAML file: ``out`` (a folder), ``stages`` (by name, the configuration of each training, whose ``teacher`` and ``start``
are the names of other stages, or checkpoints), ``shared`` (what all stages have in common), ``tests`` (data sets as
``evaluate --data`` takes them), and where wanted ``export`` (the stage whose network is the product), ``seeds`` (every stage is
trained with each), ``once`` (stages that are trained with the first seed only, and teach all) and ``compare`` (by thermal stage,
the thermal stages that it is held against).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thermal_fld_ros.datasets.forms import open_dataset
from thermal_fld_ros.distillation.checkpoint import read_state
from thermal_fld_ros.distillation.config import LandmarkConfig, is_config_of, read_config
from thermal_fld_ros.distillation.export import export
from thermal_fld_ros.distillation.fields import read_dataclass, read_mapping
from thermal_fld_ros.distillation.measuring import measurements
from thermal_fld_ros.distillation.parallel import this_process
from thermal_fld_ros.distillation.trainer import train
from thermal_fld_ros.evaluation.given_box import nme_by_test


@dataclass(frozen=True, kw_only=True)
class PlanFile:
    """What a plan's file holds; see the module."""

    out: str
    stages: dict[str, dict[str, Any]]
    shared: dict[str, Any] = field(default_factory=dict)
    tests: tuple[str, ...] = ()
    export: str | None = None
    seeds: tuple[int, ...] = ()
    once: tuple[str, ...] = ()
    compare: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Training:
    """One training of a plan.

    Attributes
    ----------
    stage : str
    seed : int
    config : LandmarkConfig
        Its ``teacher`` is the path of a checkpoint.
    out : Path
    teacher, start : str or None
        The stage or checkpoint that teaches; the one whose weights it begins with.
    depth : int
        0 where no other stage is needed before, else one more than that of the stages that are.
    """

    stage: str
    seed: int
    config: LandmarkConfig
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
        return self.config.modality == "thermal"

    def finished(self) -> bool:
        """Whether its checkpoint is the last one."""
        if not self.checkpoint.exists():
            return False
        state = read_state(self.checkpoint)
        return bool(is_config_of(state["config"], self.config) and state["epoch"] == self.config.epochs)


@dataclass(frozen=True)
class Plan:
    """Trainings in the order in which they can be carried out, and what becomes of them; see the module."""

    file: Path
    out: Path
    trainings: list[Training]
    tests: list[str]
    export: str | None = None
    seeds: tuple[int, ...] = ()
    compare: dict[str, tuple[str, ...]] = field(default_factory=dict)


def read_plan(file: Path, out: Path | None = None) -> Plan:
    """Read a plan file; ``out`` stands for the folder that it names.

    Raises
    ------
    ValueError
        When a field is missing, unknown or wrong, or a stage names a teacher that does not come before it.
    """
    content = read_dataclass(PlanFile, read_mapping(file), str(file))
    stages = {name: {"task": "distillation", **content.shared, **own} for name, own in content.stages.items()}
    _check_names(file, content, stages)
    out = out or Path(content.out)
    trainings: list[Training] = []
    first: dict[str, Training] = {}
    for seed in content.seeds or (None,):
        done: dict[str, Training] = {name: training for name, training in first.items() if name in content.once}
        for name, stage in stages.items():
            if name not in done:
                done[name] = _training(f"{file}, {name}", name, stage, seed, out, done)
                trainings.append(done[name])
        first = first or done
    return Plan(file, out, trainings, list(content.tests), content.export, content.seeds, content.compare)


def _check_names(file: Path, content: PlanFile, stages: dict[str, dict[str, Any]]) -> None:
    """Raise ValueError where a field names a stage that there is not, or that cannot be measured."""
    thermal = [name for name, stage in stages.items() if stage.get("modality", "thermal") == "thermal"]
    compared = [name for stage, others in content.compare.items() for name in (stage, *others)]
    exported = [content.export] if content.export is not None else []
    for key, names, possible in (
        ("export", exported, list(stages)),
        ("once", content.once, list(stages)),
        ("compare", compared, thermal),
    ):
        if set(names) - set(possible):
            raise ValueError(f"{file}: {key} names {', '.join(names)}, expected stages: {', '.join(possible)}")


def _training(
    where: str, name: str, stage: dict[str, Any], seed: int | None, out: Path, done: dict[str, Training]
) -> Training:
    """The training of a stage with a seed, after those that are done by stage. Raises ValueError."""
    teacher, start = stage.get("teacher"), stage.get("start")
    if teacher is not None and teacher not in done and Path(teacher).suffix != ".pt":
        raise ValueError(
            f'{where}: the teacher is "{teacher}", expected a checkpoint (.pt) or a stage before it: {", ".join(done)}'
        )
    before = {key: done[stage[key]] for key in ("teacher", "start") if str(stage.get(key)) in done}  # else checkpoints
    given = {} if seed is None else {"seed": seed}
    content = stage | {key: str(training.checkpoint) for key, training in before.items()} | given
    config = read_config(content, where)
    if not isinstance(config, LandmarkConfig):
        raise ValueError(f"{where}: task is {config.task!r}, expected distillation")
    folder = out / name if seed is None else out / name / f"seed_{seed}"
    depth = max((training.depth + 1 for training in before.values()), default=0)
    begun = " and ".join(start) if isinstance(start, dict) else start
    return Training(name, config.seed, config, folder, teacher, begun, depth)


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
                say(f"{training.stage}: {training.config.epochs} epochs, in {training.out}")
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
        file = plan.out / f"{product.config.name}.onnx"
        export(product.checkpoint, file, command, comparison if plan.tests else None)
        (plan.out / "evaluation.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        say(f"{file}: the network of {plan.export}, with its model card")
    return results
