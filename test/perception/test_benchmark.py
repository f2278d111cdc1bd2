# SPDX-License-Identifier: Apache-2.0
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
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
        "--out",
        tmp_path / "out.json",
    ]
    subprocess.run([sys.executable, ROOT / "benchmarks/pipeline.py", *arguments], check=True, capture_output=True)
    result = json.loads((tmp_path / "out.json").read_text())
    assert set(result["cases"]) == {"tracked", "periodic", "first"}
    for name, case in result["cases"].items():
        assert case["frames"] == 10
        assert case["total_ms"]["median"] > 0
        assert ("detect_infer" in case["stages_ms"]) == (name != "tracked")
    assert {"cpu", "cores", "onnxruntime"} <= set(result["machine"])
