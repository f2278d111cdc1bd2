# SPDX-License-Identifier: Apache-2.0
"""Plans end to end: all levels from one file, resumed at any stage, in several processes; the ablation and its report."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import pytest
import torch
import yaml

from thermal_fld_ros.__main__ import main
from thermal_fld_ros.distillation.ablation import marks, table, write_report
from thermal_fld_ros.distillation.checkpoint import load_trained
from thermal_fld_ros.distillation.distil import DistillationTask
from thermal_fld_ros.distillation.estimate import estimate
from thermal_fld_ros.distillation.measuring import macs
from thermal_fld_ros.distillation.networks import conv, landmark_net
from thermal_fld_ros.distillation.plan import read_plan
from thermal_fld_ros.distillation.terms import read_terms
from thermal_fld_ros.perception.landmarker import Landmarker
from thermal_fld_ros.perception.models import load_model

CONFIGS = Path(__file__).parents[2] / "config/distillation"
SMOKE = CONFIGS / "smoke.yaml"
STAGES = ("teacher", "ktl", "mcl", "direct")
DISTIL = ["distil", str(SMOKE), "--threads", "1", "--data", "again=renders:runs/smoke_pairs"]


@pytest.fixture(scope="module")
def workplace(rendered_pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with the data that the smoke plan names."""
    folder = tmp_path_factory.mktemp("workplace")
    (folder / "runs").mkdir()
    (folder / "runs/smoke_pairs").symlink_to(rendered_pairs)
    return folder


@pytest.fixture(scope="module")
def smoke(workplace: Path) -> Path:
    """The folder that the smoke plan leaves behind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(workplace)
        assert main(DISTIL) == 0
    return workplace / "runs/smoke"


def weights(stage: Path) -> dict[str, torch.Tensor]:
    return torch.load(stage / "checkpoint.pt", weights_only=True)["averaged"]


@pytest.mark.slow
def test_one_command_makes_a_network_that_the_robot_runs(smoke: Path) -> None:
    assert all((smoke / stage / "checkpoint.pt").exists() for stage in STAGES)
    landmarker = Landmarker(load_model(smoke / "smoke.onnx", provider="cpu"))
    described = landmarker.model.metadata
    assert described["training"]["command"].endswith("smoke.yaml --data again=renders:smoke_pairs")
    assert set(described["comparison"]) == {"ktl", "mcl, this network", "direct"}
    evaluation = json.loads((smoke / "evaluation.json").read_text())
    card = (smoke / "smoke.md").read_text()
    for stage, figures in evaluation.items():
        both = [figures["tests"][name][points]["nme"] for name in ("smoke_pairs", "again") for points in ("68", "51")]
        values = [figures["parameters"] / 1e6, *both]
        name = "mcl, this network" if stage == "mcl" else stage
        assert f"| {name} | {' | '.join(f'{value:.3g}' for value in values)} |" in card
    assert evaluation["mcl"]["macs"] < evaluation["ktl"]["macs"]
    assert evaluation["mcl"]["parameters"] < evaluation["ktl"]["parameters"]


@pytest.mark.slow
def test_what_is_finished_is_not_done_again(smoke: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [
        smoke / stage / name
        for stage in STAGES
        for name in ("checkpoint.pt", "tests.json")
        if (smoke / stage / name).exists()
    ]
    before = [file.stat().st_mtime_ns for file in files]
    monkeypatch.chdir(workplace)
    assert main(DISTIL) == 0
    assert [file.stat().st_mtime_ns for file in files] == before


@pytest.mark.slow
def test_an_interrupted_plan_ends_like_an_uninterrupted_one(
    smoke: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workplace)
    validate, calls = DistillationTask.validate, []

    def stop_in_the_third_stage(task: DistillationTask, network: torch.nn.Module) -> dict[str, float]:
        calls.append(network)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return validate(task, network)

    with monkeypatch.context() as patch:
        patch.setattr(DistillationTask, "validate", stop_in_the_third_stage)
        assert main([*DISTIL, "--out", "runs/stopped"]) == 130
    assert not Path("runs/stopped/direct").exists()
    assert main([*DISTIL, "--out", "runs/stopped"]) == 0
    for stage in STAGES:
        first, second = weights(smoke / stage), weights(Path("runs/stopped") / stage)
        assert all(torch.equal(first[name], second[name]) for name in first), stage


@pytest.mark.slow
def test_a_plan_runs_in_two_processes(workplace: Path) -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {"GLOO_SOCKET_IFNAME": "lo", "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    command = [*torchrun, "-m", "thermal_fld_ros", "distil", str(SMOKE), "--out", "runs/two"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, cwd=workplace)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("smoke.onnx") == 1  # the first process alone writes
    assert (workplace / "runs/two/smoke.onnx").exists()
    assert all(torch.isfinite(value).all() for value in weights(workplace / "runs/two/mcl").values())


# --- the ablation ----------------------------------------------------------------------------------------------------


def small_ablation(workplace: Path) -> Path:
    """The shipped ablation's plan on the test's data with tiny networks, three of its methods and two seeds."""
    plan = yaml.safe_load((CONFIGS / "ablation.yaml").read_text())
    kept = ("teacher", "none", "DIKD", "light, two levels")
    plan["stages"] = {name: plan["stages"][name] for name in kept}
    plan["tests"], plan["seeds"] = ["rendered=renders:runs/smoke_pairs"], [1, 2]
    plan["compare"] = {"DIKD": ["none"]}
    data = "runs/smoke_pairs"
    plan["shared"] |= {"pairs": data, "validation": data, "count": 32, "size": 48, "epochs": 1, "batch": 16}
    network = {"stem": 8, "widths": [8, 12, 16], "depths": [1, 1, 1], "neck": 12, "bins": 16, "hidden": 16}
    plan["shared"]["network"] = network
    plan["stages"]["light, two levels"]["network"] = network | {"neck": 8}
    plan["stages"]["teacher"] |= {"epochs": 1, "count": 48}
    file = workplace / "ablation.yaml"
    file.write_text(yaml.safe_dump(plan, sort_keys=False))
    return file


@pytest.mark.slow
def test_the_ablation_tells_means_and_deviations(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(workplace)
    plan = small_ablation(workplace)
    page = workplace / "docs/distillation.md"
    page.parent.mkdir()
    page.write_text("# Before\n{}\nold\n{}\nAfter\n".format(*marks("ablation")))
    command = ["ablate", str(plan), "--page", str(page), "--data", "again=renders:runs/smoke_pairs"]
    assert main([*command, "--estimate"]) == 0
    assert "7 of 7 trainings are left" in capsys.readouterr().out
    assert main(command) == 0
    results = json.loads((page.parent / "results/ablation.json").read_text())
    methods = results["methods"]
    assert list(methods) == ["teacher", "none", "DIKD", "light, two levels"]
    assert [len(method["seeds"]) for method in methods.values()] == [1, 2, 2, 2]
    assert [method["teacher"] for method in methods.values()] == [None, None, "teacher", "DIKD"]
    for method in list(methods.values())[1:]:
        for test in ("rendered, 68 points", "rendered, 51 points", "again, 68 points"):
            values = method["tests"][test]
            assert values["mean"] == pytest.approx(sum(values["each"]) / 2, abs=1e-3)
            assert values["std"] == pytest.approx(abs(values["each"][0] - values["each"][1]) / 2**0.5, abs=1e-3)
        assert len(method["curve"]["mean"]) == 1
    assert methods["light, two levels"]["macs"] < methods["DIKD"]["macs"]
    text = page.read_text()
    assert text.startswith("# Before\n")
    assert text.endswith("After\n")
    assert "old" not in text
    assert table(results) in text
    first, second = (methods[name]["tests"]["again, 51 points"]["each"] for name in ("DIKD", "none"))
    ahead = [a - b for a, b in zip(first, second, strict=True)]
    (row,) = (line for line in text.splitlines() if re.match(r"\| DIKD +\| none +\|", line))
    # the standard error of two is half their distance
    difference, _, tests = row.split("|")[-2].partition("(p ")
    told = [float(number) for number in difference.split("±")]
    assert all(
        0 < float(p.lstrip("<")) <= 1 for p in tests.strip(" )").split(", ")
    )  # over seeds, and over seeds and people
    # DIKD passes through the teacher and through both heads, more than twice; none passes through the student alone
    assert 1.3 < methods["DIKD"]["training_macs"] / methods["none"]["training_macs"] < 3
    assert told == pytest.approx([sum(ahead) / 2, abs(ahead[0] - ahead[1]) / 2], abs=0.006)
    assert all(
        cv2.imread(str(page.parent / "results" / name)).std() > 5 for name in ("ablation.png", "ablation_curves.png")
    )
    capsys.readouterr()
    assert main(command) == 0  # nothing is left to do, and nothing changes
    assert "0 of 7 trainings are left" in capsys.readouterr().out
    assert json.loads((page.parent / "results/ablation.json").read_text())["methods"] == methods


def test_a_page_without_the_marks_is_named(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("nothing here")
    with pytest.raises(ValueError, match=r"page\.md: expected a line <!-- ablation"):
        write_report({"name": "ablation"}, tmp_path / "page.md")


# --- plan files ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("*.yaml")), ids=lambda file: file.stem)
def test_the_shipped_plans_fit_together(file: Path) -> None:
    plan = read_plan(file)
    networks = {}
    for training in plan.trainings:
        network = landmark_net(training.config)
        wanted = {term.name for term in read_terms(training.config.terms)}
        if training.teacher:
            above = networks.get(training.teacher)
            if above is None:  # a checkpoint of the package, or of another plan
                file = CONFIGS.parents[1] / training.teacher
                assert file.is_file() or training.teacher.startswith("runs/")
                above = load_trained(file)[0] if file.is_file() else network
            else:
                assert training.config.teacher.startswith(str(plan.out / training.teacher))
            assert network.bins == above.bins or "output" not in wanted
            assert network.neck == above.neck or not wanted & {"forward_injection", "reverse_injection"}
        else:
            assert wanted == {"task"}
        if training.config.start:
            begun = Path(training.config.start)
            assert begun.name == "checkpoint.pt" or (CONFIGS.parents[1] / begun).is_file()
            above = networks.get(begun.parent.name)
            assert above is None or network.head.state_dict().keys() == above.head.state_dict().keys()
        networks[training.stage] = network


def test_a_stage_starts_from_another_s_weights_once_that_is_done() -> None:
    trainings = {training.stage: training for training in read_plan(SMOKE).trainings}
    assert trainings["ktl"].config.start == str(trainings["teacher"].checkpoint)
    assert trainings["ktl"].depth == trainings["teacher"].depth + 1


def changed(tmp_path: Path, **changes: Any) -> Path:
    file = tmp_path / "plan.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(SMOKE.read_text()) | changes, sort_keys=False))
    return file


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": 1}, "unknown colour; expected compare, export"),
        ({"export": "nobody"}, "export names nobody, expected stages: teacher, ktl, mcl, direct"),
        (
            {"stages": {"one": {"teacher": "two"}}, "export": "one"},
            'one: the teacher is "two", expected a checkpoint (.*) or a stage before it',
        ),
        ({"compare": {"mcl": ["teacher"]}}, "compare names mcl, teacher, expected stages: ktl, mcl, direct"),
        ({"shared": {}}, "teacher lacks batch, crop_scale, epochs"),
        ({"stages": ["one"]}, r"plan\.yaml: stages is \['one'\], expected a mapping of names"),
        ({"stages": {"one": 3}}, "stages: one is 3, expected a mapping of names"),
        ({"seeds": ["x"]}, "seeds is 'x', expected a whole number"),
        ({"out": 3}, "out is 3, expected a text"),
    ],
)
def test_a_plan_that_cannot_be_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_plan(changed(tmp_path, **changes))


@pytest.mark.parametrize(
    "text", ["", "3", "[1]", "a: [1\n b: 2", "{1: 2}", "!!python/object/apply:os.system [x]", "[" * 5000, "\x00"]
)
@pytest.mark.parametrize("command", ["distil", "train"])
def test_a_file_that_is_no_mapping_is_named(
    tmp_path: Path, text: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "plan.yaml").write_text(text)
    assert main([command, str(tmp_path / "plan.yaml")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert str(tmp_path / "plan.yaml") in line


def test_plans_are_for_one_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["distil", str(changed(tmp_path, seeds=[1, 2]))]) == 2
    assert "it is a plan for ablate" in capsys.readouterr().err
    assert main(["ablate", str(SMOKE)]) == 2
    assert "it is a plan for distil" in capsys.readouterr().err


def test_an_estimate_needs_no_training(workplace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workplace)
    cost = estimate(read_plan(SMOKE, tmp_path), steps=1)
    assert list(cost) == ["teacher/1", "ktl/1", "mcl/1", "direct/1"]
    assert min(cost.values()) > 0
    assert not any(tmp_path.iterdir())


def test_multiply_accumulates_of_a_convolution() -> None:
    assert macs(conv(1, 6, kernel=3), 20) == 20 * 20 * 9 * 6
