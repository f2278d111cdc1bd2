# SPDX-License-Identifier: Apache-2.0
"""The scripts that measure what was trained, on a handful of renders."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(script: str, *arguments: object) -> str:
    command = [sys.executable, ROOT / "benchmarks" / script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git repository")
def test_networks_are_timed_beside_those_of_an_earlier_version(tmp_path: Path) -> None:
    run("network_speed.py", "--rounds", 1, "--before", "HEAD", "--out", tmp_path / "out.json")
    result = json.loads((tmp_path / "out.json").read_text())
    assert set(result["files"]) == {"landmarks", "detector, 640 x 512", "detector, 160 x 120"}
    for found in result["files"].values():
        assert {"now", "HEAD"} == set(found["versions"])
        assert all(row["mmac"] > 1 and row["median_ms"] > 0 for row in found["versions"].values())
    networks = result["networks"]
    assert networks["wide"]["ratio"] == 1.0 and networks["separable"]["mmac"] < networks["wide"]["mmac"] / 2


@pytest.mark.slow
def test_ingredients_are_compared_and_a_second_run_goes_on(rendered: Path, tmp_path: Path) -> None:
    size = ["--faces", 32, "--test-faces", 4, "--frames", 4, "--epochs", 1, "--batch", 16, "--processes", 1]
    arguments = ["--face-model", rendered / "FaceXModel", "--folder", tmp_path, "--out", tmp_path / "out.json", *size]
    run("renderer_ablation.py", *arguments, "--only", "without thermal")
    result = json.loads((tmp_path / "out.json").read_text())
    assert [row["name"] for row in result["rows"]] == ["everything", "without thermal"]
    assert result["rows"][1]["recipe"]["without"] == ["thermal"]
    assert all(row["tests"]["test"]["points"]["68"]["nme"] > 0 for row in result["rows"])
    again = run("renderer_ablation.py", *arguments, "--minutes", 0)
    assert "left for another run: without glasses" in again
    assert json.loads((tmp_path / "out.json").read_text())["rows"] == result["rows"]
    assert "| without thermal |" in again
    assert (tmp_path / "out.png").is_file()
