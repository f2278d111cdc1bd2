# SPDX-License-Identifier: Apache-2.0
"""What the student's size costs: the student and a network ten times its size, trained alike, briefly.

    python -m thermal_fld_ros render --face-model FaceXModel --out runs/part_faces --kind face --count 12000
    python benchmarks/student_size.py --faces runs/part_faces --epochs 5

Writes the figures to docs/results/student_size.json. Interrupted trainings go on where they were.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path

from pipeline import machine

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from thermal_fld_ros.distillation.checkpoint import load_trained  # noqa: E402
from thermal_fld_ros.distillation.config import load_config  # noqa: E402
from thermal_fld_ros.distillation.trainer import train  # noqa: E402
from thermal_fld_ros.provenance import git_state  # noqa: E402

NAMES = ("face_landmarks", "face_landmarks_large")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", required=True, help="rendered faces to train on; the rest is as in config/training")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0, help="CPU threads of torch; 0: torch's default")
    parser.add_argument("--folder", type=Path, default=Path("runs/student_size"))
    parser.add_argument("--out", type=Path, default=ROOT / "docs/results/student_size.json")
    args = parser.parse_args()
    rows = []
    for name in NAMES:
        config = load_config(ROOT / f"config/training/{name}.yaml")
        config = replace(config, pairs=args.faces, epochs=args.epochs)
        figures = train(config, args.folder / name, args.threads)
        network, _ = load_trained(args.folder / name / "checkpoint.pt")
        rows.append({"name": name, "parameters": sum(p.numel() for p in network.parameters()), **figures})
    student, large = rows
    result = {"command": shlex.join(["python", "benchmarks/student_size.py", *sys.argv[1:]]), "git": git_state(),
              "machine": machine(), "epochs": args.epochs, "rows": rows,
              "student_over_large": student["nme"] / large["nme"]}  # fmt: skip
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for row in rows:
        print(f"{row['name']}: {row['parameters'] / 1e6:.2f} M parameters, NME {row['nme']:.3f} %")
    print(f"student over large: {result['student_over_large']:.3f}")


if __name__ == "__main__":
    main()
