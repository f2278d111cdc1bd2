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
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from thermal_fld_ros.datasets.forms import open_dataset
from thermal_fld_ros.datasets.sample import DataSet
from thermal_fld_ros.distillation.checkpoint import load_trained, read_state
from thermal_fld_ros.distillation.distil import DistillationTask
from thermal_fld_ros.distillation.export import export
from thermal_fld_ros.distillation.parallel import this_process
from thermal_fld_ros.distillation.tasks import landmark_net
from thermal_fld_ros.distillation.trainer import checked, read_mapping, train
from thermal_fld_ros.evaluation.figures import run_figures
from thermal_fld_ros.evaluation.metrics import POINT_SETS, REPORTED_SETS
from thermal_fld_ros.evaluation.protocols import Run as Answers
from thermal_fld_ros.evaluation.protocols import given_box
from thermal_fld_ros.perception.landmarker import Landmarker
from thermal_fld_ros.perception.models import load_model

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
                told = "  ".join(f"{name} {nme:.3f} %" for name, nme in summary(figures).items())
                say(f"{training.stage}: {told}")
    if results and plan.export:
        (product,) = [training for training in plan.trainings if training.stage == plan.export]
        comparison = {
            f"{stage}, this network" if stage == plan.export else stage: {
                "parameters, million": figures["parameters"] / 1e6,
                **summary(figures),
            }
            for stage, figures in results.items()
        }
        file = plan.out / f"{product.config['name']}.onnx"
        export(product.checkpoint, file, command, comparison if plan.tests else None)
        (plan.out / "evaluation.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        say(f"{file}: the network of {plan.export}, with its model card")
    return results


def measurements(checkpoint: Path, model: Path, sets: Sequence[DataSet]) -> dict[str, Any]:
    """What a landmark network costs, and its errors on test sets by the protocol "given box" of ``evaluate``.

    Returns
    -------
    dict with ``parameters``, ``macs`` (multiply-accumulates a face), ``cpu_ms`` (processor time a face, onnxruntime with one
    thread) and ``tests``: by data set, the figures of each set of points.
    """
    landmarker = Landmarker(load_model(model, provider="cpu"))
    network, _ = load_trained(checkpoint)
    return {
        "parameters": sum(p.numel() for p in network.parameters()),
        "macs": macs(network, landmarker.size),
        "cpu_ms": round(cpu_ms(landmarker), 3),
        "tests": {data.name: _errors(landmarker, data) for data in sets},
    }


def summary(figures: dict[str, Any]) -> dict[str, float]:
    """Of measurements the NME in % by test set and set of points; that of missing figures is not a number."""
    return {
        f"{name}, {points} points": float("nan") if values["nme"] is None else values["nme"]
        for name, sets in figures.get("tests", {}).items()
        for points, values in sets.items()
    }


def _errors(landmarker: Landmarker, data: DataSet) -> dict[str, Any]:
    given = []
    for sample in data.samples:
        frame = sample.frame()
        given.append([given_box(landmarker, frame, data.extent(face)) for face in sample.faces])
    found = run_figures(data, Answers("", given), POINT_SETS, 0.5).get("given_box")
    if found is None:
        raise ValueError(f"{data.name}: no landmarks are labelled, expected a data set for landmarks")
    wanted = ("faces", "missed", "nme", "failure_10")
    told = [name for name in REPORTED_SETS if name in found["points"]] or list(found["points"])
    return {name: {key: found["points"][name][key] for key in wanted} for name in told}


def macs(network: nn.Module, size: int, channels: int = 1) -> int:
    """Multiply-accumulates of convolutions and matrix products for one crop."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, channels, size, size))
    return int(counter.get_total_flops()) // 2


def cpu_ms(landmarker: Landmarker, repeats: int = 200) -> float:
    """Processor time of the network for one face in ms: the median of ``repeats`` runs."""
    image = np.random.default_rng(0).random((1, 1, landmarker.size, landmarker.size), np.float32)
    times = []
    for _ in range(repeats + 20):
        started = time.process_time()
        landmarker.model.run(image=image)
        times.append(time.process_time() - started)
    return float(np.median(times[20:])) * 1000


def estimate(plan: Plan, steps: int = 3) -> dict[str, float]:
    """Seconds of one process with one thread for each training that is not finished, by timing some steps of each stage.

    Needs no checkpoint: untrained networks take as long.
    """
    torch.set_num_threads(1)
    todo = [training for training in plan.trainings if not training.finished()]
    by_file = {str(training.checkpoint): training for training in plan.trainings}
    cost: dict[str, float] = {}
    for training in todo:
        if training.stage in cost:
            continue
        teacher = by_file[training.config["teacher"]].config if training.teacher else None
        given = (landmark_net(teacher), teacher["modality"]) if teacher else None
        task = DistillationTask({k: v for k, v in training.config.items() if k != "start"}, given)
        optimiser = torch.optim.AdamW(task.network.parameters(), 1e-6)
        batch = training.config["batch"]
        count = len(task.training_set)  # type: ignore[arg-type]
        times = []
        for step in range(steps):
            started = time.process_time()
            samples = [task.training_set[(step * batch + k) % count] for k in range(batch)]
            with torch.autocast("cpu", torch.bfloat16):
                loss = task.loss(task.network, torch.utils.data.default_collate(samples))
            optimiser.zero_grad()
            torch.stack(list(loss.values())).sum().backward()
            optimiser.step()
            times.append(time.process_time() - started)
        started = time.process_time()
        task.validate(task.network.eval())
        validation = time.process_time() - started
        cost[training.stage] = training.config["epochs"] * (float(np.median(times)) * (count // batch) + validation)
    return {f"{training.stage}/{training.seed}": cost[training.stage] for training in todo}
