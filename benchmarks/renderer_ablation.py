# SPDX-License-Identifier: Apache-2.0
"""What each ingredient of the renders is worth: short trainings, each without one of them.

    nice -n 10 python benchmarks/renderer_ablation.py --face-model FaceXModel [--data FORM:PATH ...] [--minutes 25]

For each ingredient: renders without it, the landmark network trained on them for a few epochs, exported, and measured with the labelled
boxes given (as `evaluate` does) on renders with everything and on the --data of the user. All trainings have the same scenes, steps
and seed, but for one that repeats the whole with another seed: its distance to the first is the noise of the figures.
Finished trainings are kept in --folder: run again to go on when --minutes were not enough. Writes the figures as JSON, and beside it a
plot (.png); `python scripts/accuracy_report.py` puts both into docs/accuracy.md.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from pipeline import machine

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from thermal_fld_ros.datasets.forms import open_dataset  # noqa: E402
from thermal_fld_ros.datasets.sample import DataSet  # noqa: E402
from thermal_fld_ros.distillation import augmentation  # noqa: E402
from thermal_fld_ros.distillation.config import read_config  # noqa: E402
from thermal_fld_ros.distillation.export import export  # noqa: E402
from thermal_fld_ros.distillation.fields import read_mapping  # noqa: E402
from thermal_fld_ros.distillation.logs import STYLE, read_log  # noqa: E402
from thermal_fld_ros.distillation.trainer import train  # noqa: E402
from thermal_fld_ros.evaluation.given_box import given_box_errors  # noqa: E402
from thermal_fld_ros.perception.landmarker import Landmarker  # noqa: E402
from thermal_fld_ros.perception.models import load_model  # noqa: E402
from thermal_fld_ros.provenance import git_state  # noqa: E402
from thermal_fld_ros.synthesis.ingredients import SCENE_INGREDIENTS  # noqa: E402
from thermal_fld_ros.synthesis.shards import SIZES, Recipe, render_shards  # noqa: E402


@dataclass(frozen=True)
class Variant:
    """One training: what its renders and what its augmentation lack."""

    name: str
    renders_without: tuple[str, ...] = ()
    training_without: tuple[str, ...] = ()
    seed: int = 1


WHOLE, AGAIN = Variant("everything"), Variant("everything, again", seed=2)
VARIANTS = [
    WHOLE,
    *(Variant(f"without {name}", (name,)) for name in sorted(SCENE_INGREDIENTS, key=lambda name: name != "thermal")),
    AGAIN,
    *(Variant(f"trained without {name}", (), (name,)) for name in ("gain", *augmentation.INGREDIENTS)),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--face-model", type=Path, required=True, help="ICT-FaceKit's FaceXModel folder or its cached .npz"
    )
    parser.add_argument(
        "--data", action="append", default=[], metavar="[NAME=]FORM:PATH", help="labelled sets, as for `evaluate`"
    )
    parser.add_argument("--config", type=Path, default=ROOT / "config/training/face_landmarks.yaml")
    parser.add_argument(
        "--folder", type=Path, default=Path("runs/renderer_ablation"), help="renders, trainings, results so far"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs/results/renderer_ablation.json")
    parser.add_argument(
        "--only", action="append", choices=[v.name for v in VARIANTS], help="again for more; default: all"
    )
    parser.add_argument("--minutes", type=float, default=25.0, help="no training is begun when these have passed")
    parser.add_argument("--faces", type=int, default=4000, help="renders to train on")
    parser.add_argument("--test-faces", type=int, default=600)
    parser.add_argument("--frames", type=int, default=200, help="for crops without a face")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--processes", type=int, default=2, help="of the rendering, and threads of the training")
    args = parser.parse_args()

    started = time.monotonic()
    settings = {
        "faces": args.faces,
        "frames": args.frames,
        "test_faces": args.test_faces,
        "epochs": args.epochs,
        "batch": args.batch,
        "data": args.data,
    }
    render(args, "test", Recipe("face", args.test_faces, 50_000_000, SIZES["face"]))
    render(args, "frames", Recipe("frame", args.frames, 10_000_000, SIZES["frame"]))
    tests = [open_dataset(text) for text in (f"renders:{args.folder / 'test'}", *args.data)]
    wanted = [v for v in VARIANTS if not args.only or v.name in (*args.only, WHOLE.name)]
    rows = []
    for variant in wanted:
        done = args.folder / variant.name / "result.json"
        row = json.loads(done.read_text(encoding="utf-8")) if done.exists() else None
        if row is None or row["settings"] != settings:
            if (time.monotonic() - started) / 60 > args.minutes:
                print(f"left for another run: {variant.name}", flush=True)
                continue
            row = measure(variant, args, tests) | {"settings": settings}
            done.write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")
        rows.append(row)
        print(f"{(time.monotonic() - started) / 60:5.1f} min  {variant.name}:", figures(row), flush=True)
    result = {"command": shlex.join(["python", "benchmarks/renderer_ablation.py", *sys.argv[1:]]), "git": git_state(),
              "machine": machine(), **settings, "rows": rows}  # fmt: skip
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    plot(rows, args.out.with_suffix(".png"))
    print(table(rows))


def render(args: argparse.Namespace, name: str, recipe: Recipe) -> Path:
    """The folder of a data set, rendered where it is not there yet."""
    folder: Path = args.folder / name
    for done in render_shards(args.face_model, folder, recipe, args.processes):
        print(f"\r{name}: {done} of {recipe.count} rendered", end="\n" if done == recipe.count else "", flush=True)
    return folder


def measure(variant: Variant, args: argparse.Namespace, tests: Sequence[DataSet]) -> dict[str, Any]:
    """Render, train, export and evaluate one variant."""
    started = time.monotonic()
    folder: Path = args.folder / variant.name
    seen = "-".join(("faces", *variant.renders_without))
    faces = render(args, seen, Recipe("face", args.faces, 0, SIZES["face"], without=variant.renders_without))
    config = read_mapping(args.config) | {
        "pairs": str(faces), "frames": str(args.folder / "frames"), "validation": str(args.folder / "test"),
        "epochs": args.epochs, "batch": args.batch, "seed": variant.seed, "without": list(variant.training_without),
    }  # fmt: skip
    train(read_config(config, variant.name), folder, threads=args.processes)
    metadata = export(folder / "checkpoint.pt", folder / "face_landmarks.onnx", "benchmarks/renderer_ablation.py")
    if variant.renders_without:
        shutil.rmtree(faces)  # nobody else needs them
    landmarker = Landmarker(load_model(folder / "face_landmarks.onnx", provider="cpu", threads=args.processes))
    return {
        **asdict(variant), "steps": args.epochs * (args.faces // args.batch), "recipe": metadata["training"]["recipes"]["pairs"],
        "loss": read_log(folder / "log.csv")[-1]["loss/task"], "seconds": round(time.monotonic() - started, 1),
        "tests": {data.name: errors(landmarker, data) for data in tests},
    }  # fmt: skip


def errors(landmarker: Landmarker, data: DataSet) -> dict[str, Any]:
    """Errors on a data set, the boxes given: ``points`` by set of points, and ``main``, the name of the first of them."""
    points = given_box_errors(landmarker, data)
    return {"main": next(iter(points)), "points": points}


def figures(row: dict[str, Any]) -> dict[str, float]:
    """NME of the main points on each test set."""
    return {name: test["points"][test["main"]]["nme"] for name, test in row["tests"].items()}


def table(rows: list[dict[str, Any]]) -> str:
    """NME in %, and by how much it is worse than with everything, in Markdown."""
    whole = figures(rows[0])
    head = ["training", *(f"{name}, {test['main']} points" for name, test in rows[0]["tests"].items())]
    lines = [head, ["---"] * len(head)]
    for row in rows:
        cells = [
            f"{nme:.2f} ({nme - whole[name]:+.2f})" if row is not rows[0] else f"{nme:.2f}"
            for name, nme in figures(row).items()
        ]
        lines.append([row["name"], *cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def plot(rows: list[dict[str, Any]], file: Path) -> None:
    """By how much the NME is worse than with everything: a bar a training, a panel a test set, as PNG."""
    whole, others = figures(rows[0]), rows[1:]
    with mpl.rc_context(STYLE):
        figure = Figure((1.6 + 2.6 * len(whole), 0.8 + 0.2 * len(rows)), dpi=120, layout="constrained")
        for k, (name, nme) in enumerate(whole.items()):
            axes = figure.add_subplot(1, len(whole), k + 1)
            noise = next((abs(figures(row)[name] - nme) for row in others if row["name"] == AGAIN.name), 0.0)
            axes.axvspan(-noise, noise, color="0.88")
            axes.barh([row["name"] for row in others], [figures(row)[name] - nme for row in others], height=0.7)
            axes.invert_yaxis()
            axes.xaxis.set_major_locator(MaxNLocator(5))
            axes.set_title(f"{name}: {nme:.2f} % with everything")
            axes.set_xlabel("NME worse by, points")
            axes.tick_params(axis="y", labelleft=k == 0)
        figure.savefig(file)


if __name__ == "__main__":
    main()
