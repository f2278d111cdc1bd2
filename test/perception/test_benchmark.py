# SPDX-License-Identifier: Apache-2.0
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from dummy_models import face_scene

ROOT = Path(__file__).parents[2]


def test_the_benchmark_measures_every_case_by_stage(dummy_models: Path, tmp_path: Path) -> None:
    frames = np.stack([face_scene((160, 128), [(70 + i, 60, 40)], seed=i) for i in range(10)])
    np.savez(tmp_path / "clip.npz", frames=frames)
    arguments = [
        "--input",
        tmp_path / "clip.npz",
        "--models",
        dummy_models,
        "--frames",
        "10",
        "--rounds",
        "1",
        "--out",
        tmp_path / "out.json",
    ]
    subprocess.run([sys.executable, ROOT / "benchmarks/pipeline.py", *arguments], check=True, capture_output=True)
    result = json.loads((tmp_path / "out.json").read_text())
    assert set(result["cases"]) == {"tracked", "pose", "periodic", "first"}
    for name, case in result["cases"].items():
        assert case["frames"] == 10
        assert case["total_ms"]["median"] > 0
        assert ("detect_infer" in case["stages_ms"]) == (name in ("periodic", "first"))
        assert {"decode", "cut", "rest"} <= set(case["stages_ms"])
        assert (case["stages_ms"].get("pose", {}).get("median", 0.0) > 0) == (name == "pose")
    assert {"cpu", "cores", "onnxruntime"} <= set(result["machine"])


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git repository")
def test_an_earlier_version_is_measured_beside_this_one(tmp_path: Path) -> None:
    command = [sys.executable, ROOT / "benchmarks/pipeline.py", "--out", tmp_path / "out.json", "--frames", "3"]
    subprocess.run([*command, "--rounds", "1", "--before", "HEAD"], check=True, capture_output=True)
    result = json.loads((tmp_path / "out.json").read_text())
    assert result["before"]["commit"] == "HEAD"
    for cases in (result["cases"], result["before"]["cases"]):
        assert cases["tracked"]["frames"] > 0 and cases["tracked"]["stages_ms"]["infer"]["median"] > 0

    done = subprocess.run([*command, "--before", "no-such-commit"], capture_output=True, text=True)
    assert done.returncode == 1 and "no-such-commit" in done.stderr.splitlines()[-1]
