# SPDX-License-Identifier: Apache-2.0
"""From two cameras to better landmarks in the running detector, over real DDS.

The people are rendered (`python benchmarks/adaptation.py --people test/system/people.npz`), the thermal camera is unlike those of the
training: out of focus, with column noise and shading, low and looking up. All else is what users run: both nodes, the shipped RGB
teacher, the commands.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from loop_people import TO_RGB, Person, read_people
from loop_rig import LoopRig
from node_rig import Rig

from thermal_fld_ros.__main__ import main
from thermal_fld_ros.msg import FaceLandmarksArray
from thermal_fld_ros.nodes.messages import points_from_field
from thermal_fld_ros.recordings.messages import RGB, THERMAL
from thermal_fld_ros.registration.registration import Homography, write_registration

pytestmark = pytest.mark.slow

HELD_OUT, VALIDATION = 7, 4
"""The first people are held out, the next chooses the epoch."""


def nme(results: Sequence[FaceLandmarksArray], person: Person) -> float:
    """Of the face that the detector published for each frame, %; a frame without one counts 20."""
    errors = []
    for result, points in zip(results, person.points, strict=True):
        size = np.sqrt(np.prod(np.ptp(points, axis=0)))
        found = [points_from_field(face.points) for face in result.faces]
        errors.append(min([np.linalg.norm(each - points, axis=1).mean() / size * 100 for each in found], default=20.0))
    return float(np.mean(errors))


def test_from_two_cameras_to_better_landmarks_in_the_running_detector(
    cameras: LoopRig, detector: Rig, tmp_path: Path
) -> None:
    # one of those that are held out shows no face that the teacher would label
    people = [person for person in read_people(Path(__file__).parent / "people.npz") if person.name != "p09"]
    names = [person.name for person in people]
    cameras.start()
    cameras.connect(THERMAL, RGB)
    bags = [str(cameras.film(person)) for person in people]
    recorded = sum(cameras.manifest(Path(bag))["pairs"]["written"] for bag in bags)
    assert recorded > 0.8 * sum(len(person.rgb) for person in people)

    write_registration(Homography(np.vstack([TO_RGB.matrix, [0, 0, 1]])), tmp_path / "registration.json")
    folder = tmp_path / "robot"
    splits = ["--test", *names[:HELD_OUT], "--validation", *names[HELD_OUT : HELD_OUT + VALIDATION]]
    command = ["dataset", *bags, "--out", str(folder), "--registration", str(tmp_path / "registration.json")]
    assert main([*command, "--unit", "centikelvin", "--max-turn", "90", *splits]) == 0

    out = tmp_path / "adapted"
    assert main(["adapt", str(folder), "--out", str(out), "--steps", "120", "--threads", "1"]) == 0

    # the detector runs, and goes on with the new network
    detector.start_connected(smoothing=False, shutter=False, detect_every=1)
    held_out = people[:HELD_OUT]

    def seen() -> list[float]:
        return [nme([detector.detect(p.seen(k)) for k in range(len(p.rgb))], p) for p in held_out]

    before, old = seen(), detector.results[-1].model_hash
    broken = tmp_path / "broken.onnx"
    broken.write_bytes((out / "face_landmarks_robot.onnx").read_bytes()[:5000])
    assert not detector.set_parameters(landmark_model=str(broken)).successful
    assert detector.detect(held_out[0].seen(0)).model_hash == old
    assert detector.set_parameters(landmark_model=str(out / "face_landmarks_robot.onnx")).successful
    after, result = seen(), detector.results[-1]
    assert result.model_name == "face_landmarks_robot"
    assert result.model_hash == hashlib.sha256((out / "face_landmarks_robot.onnx").read_bytes()).hexdigest() != old
    assert detector.wait_for_status(lambda status, values: True)["landmark model"].startswith("face_landmarks_robot ")
    print(f"NME of the held-out people, %: before {before}, after {after}")
    assert np.mean(after) < 0.95 * np.mean(before)
