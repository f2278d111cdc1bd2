# SPDX-License-Identifier: Apache-2.0
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_rates_are_measured_against_resolution_faces_and_cameras(tmp_path: Path) -> None:
    command = [sys.executable, ROOT / "benchmarks/rates.py", "--seconds", "0.1", "--rounds", "1"]
    subprocess.run([*command, "--out", tmp_path / "rates.json"], check=True, capture_output=True)
    result = json.loads((tmp_path / "rates.json").read_text())
    assert all(point["fps"] > 0 and point["faces"] == 1 for point in result["resolution"].values())
    assert {int(count): point["faces"] for count, point in result["faces"].items()} == {n: n for n in (1, 2, 4, 6, 8)}
    for count, point in result["cameras"].items():
        assert 0 < point["fps_slowest"] <= point["fps_each"] and point["fps"] >= int(count) * point["fps_slowest"] - 0.1
    assert (tmp_path / "rates.png").stat().st_size > 1000
