# SPDX-License-Identifier: Apache-2.0
"""Share of frames of real recordings in which the detector node finds a face.

    python benchmarks/real_clips.py --clip NAME UNIT PATH [--clip NAME UNIT PATH ...] [--rate HZ] [--out FILE]
        [--keep FOLDER]

Each recording is played through the demo (replayed camera, detector node, recorder, all over DDS) at its own rate or the given one,
and the recorder's summary is collected. With --keep the videos and contact sheets stay, one folder a recording: look at them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from thermal_fld_ros.perception.sources import open_source  # noqa: E402


def play(unit: str, path: Path, rate: float, output: Path) -> dict[str, Any]:
    """Figures of one recording."""
    command = ["bash", str(ROOT / "scripts/demo.sh"), "--input", str(path), "--unit", unit]
    command += ["--rate", str(rate), "--output", str(output)]
    subprocess.run(command, check=True, stdout=sys.stderr)
    summary = json.loads((output / "summary.json").read_text(encoding="utf-8"))
    frames = open_source(path).length or summary["results"]
    return {
        "unit": unit,
        "frames": frames,
        "rate_hz": summary.get("rate_hz"),
        "results": summary["results"],
        "results_with_a_face": summary.get("results_with_a_face", 0),
        "share_with_a_face": round(summary.get("results_with_a_face", 0) / frames, 3),
        "most_faces": summary.get("most_faces", 0),
        "identities": len(summary.get("ids", [])),
        "latency_ms": summary.get("latency_ms"),
        "model": summary.get("model"),
    }


def main() -> None:
    """Measure and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", nargs=3, action="append", required=True, metavar=("NAME", "UNIT", "PATH"))
    parser.add_argument("--rate", type=float, default=0.0, help="images per second; default: the recording's own, or 30")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/results/first_real.json")
    parser.add_argument("--keep", type=Path, help="folder for videos and contact sheets")
    options = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, unit, path in options.clip:
            results[name] = play(unit, Path(path), options.rate, (options.keep or Path(scratch)) / name)
            print(f"{name}: a face in {results[name]['share_with_a_face']:.1%} of {results[name]['frames']} frames", flush=True)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
