# SPDX-License-Identifier: Apache-2.0
"""What the side of the student's crop is worth: brief trainings, alike but for the size, and the time of a crop.

    python benchmarks/input_size.py --faces FOLDER --frames FOLDER --validation FOLDER [--sizes 96 112 128] [--epochs 5]

Writes the figures to docs/results/input_size.json. Interrupted trainings go on where they were.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from pathlib import Path

import numpy as np
from pipeline import machine

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from thermal_fld_ros.distillation.config import read_config  # noqa: E402
from thermal_fld_ros.distillation.export import export  # noqa: E402
from thermal_fld_ros.distillation.fields import read_mapping  # noqa: E402
from thermal_fld_ros.distillation.trainer import train  # noqa: E402
from thermal_fld_ros.perception.models import Model, load_model  # noqa: E402
from thermal_fld_ros.provenance import git_state  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("faces", "frames", "validation"):
        parser.add_argument(f"--{name}", required=True, help="rendered data; the rest is as in config/training")
    parser.add_argument("--sizes", type=int, nargs="+", default=[96, 112, 128], help="multiples of 16, pixels")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=0, help="CPU threads of torch; 0: torch's default")
    parser.add_argument("--folder", type=Path, default=Path("runs/input_size"))
    parser.add_argument("--out", type=Path, default=ROOT / "docs/results/input_size.json")
    args = parser.parse_args()
    data = {"pairs": args.faces, "frames": args.frames, "validation": args.validation}
    rows, models = [], {}
    for size in args.sizes:
        config = read_mapping(ROOT / "config/training/face_landmarks.yaml") | data
        config |= {"size": size, "epochs": args.epochs, "batch": args.batch}
        config["network"] = config["network"] | {"bins": size}
        folder = args.folder / str(size)
        rows.append({"size": size, **train(read_config(config, str(size)), folder, args.threads)})
        export(folder / "checkpoint.pt", folder / "face_landmarks.onnx", "benchmarks/input_size.py")
        models[size] = load_model(folder / "face_landmarks.onnx", provider="cpu")
    for row, milliseconds in zip(rows, times(models), strict=True):
        row["ms"] = round(milliseconds, 3)
    result = {"command": shlex.join(["python", "benchmarks/input_size.py", *sys.argv[1:]]), "git": git_state(),
              "machine": machine(), "epochs": args.epochs, "rows": rows}  # fmt: skip
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for row in rows:
        print(f"{row['size']} pixels: NME {row['nme']:.2f} %, {row['ms']:.2f} ms a crop")


def times(models: dict[int, Model], rounds: int = 300) -> list[float]:
    """Median ms of a crop on one thread, the models in turns."""
    images = [np.random.default_rng(0).random((1, 1, size, size), np.float32) for size in models]
    taken: list[list[float]] = [[] for _ in models]
    for _ in range(rounds):
        for image, model, row in zip(images, models.values(), taken, strict=True):
            started = time.perf_counter()
            model.run(image=image)
            row.append(1e3 * (time.perf_counter() - started))
    return [float(np.median(row)) for row in taken]


if __name__ == "__main__":
    main()
