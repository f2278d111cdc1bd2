# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from dummy_models import face_scene

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
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
    assert figures["bare"]["first_landmarks_s"] is None
    assert figures["detector"]["first_landmarks_s"] >= figures["detector"]["first_result_s"] > 0.0
    summary = result["summary"]
    assert set(summary["targets"]) == set(summary["targets_met"]) == set(summary) - {"targets", "targets_met"}
    assert all(summary["targets_met"][name] == (summary[name] <= most) for name, most in summary["targets"].items())


def test_the_soak_watches_a_node_of_its_own(tmp_path: Path) -> None:
    out = tmp_path / "soak.json"
    command = [sys.executable, ROOT / "benchmarks/soak.py", "--frames", "60", "--out", out]
    done = subprocess.run(command, capture_output=True, text=True)
    result = json.loads(out.read_text())
    assert result["frames"] == result["answered"] == result["with_a_face"] == 60 and result["exit_status"] == 0
    assert result["error_percent"]["largest"] < 5.0
    assert len(result["samples"]) == 60 and result["samples"][-1]["resident_bytes"] > 1e7
    assert done.returncode == (0 if result["memory_is_flat"] else 1), done.stderr
