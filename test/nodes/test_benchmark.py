# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from dummy_models import face_scene

ROOT = Path(__file__).parents[2]


def test_the_benchmark_measures_the_detector_beside_a_bare_node(dummy_models: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "clip.npz", frames=np.stack([face_scene((160, 128), [(80, 60, 40)], seed=i) for i in range(5)]))
    out = tmp_path / "node.json"
    arguments = ["--input", tmp_path / "clip.npz", "--models", dummy_models, "--seconds", "1", "--rounds", "1"]
    subprocess.run([sys.executable, ROOT / "benchmarks/node.py", *arguments, "--out", out], check=True)
    result = json.loads(out.read_text())
    figures, faster = result["rounds"]
    assert (figures["rate_hz"], faster["rate_hz"], faster["bare"]["sent"]) == (30.0, 60.0, 60)
    for name in ("bare", "detector"):
        assert figures[name]["sent"] == 30 and figures[name]["answered"] > 0 and figures[name]["memory_mb"] > 10.0
        assert figures[name]["latency_ms"]["p99"] >= figures[name]["latency_ms"]["median"] > 0.0
    assert figures["bare"]["with_a_face"] == 0 and figures["detector"]["with_a_face"] > 0
    assert set(result["summary"]) == {"median_times_bare", "cpu_percent", "frames_lost", "memory_mb", "targets_met"}
