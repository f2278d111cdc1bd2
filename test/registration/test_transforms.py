# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from capture_messages import transforms
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from thermal_fld_ros.capture.bag import BagWriter
from thermal_fld_ros.recordings.messages import TF_MESSAGE, Topic
from thermal_fld_ros.registration.transforms import Transform, between, read_transforms, rotation_of

Array = NDArray[np.float64]
numbers = st.floats(-2.0, 2.0)
vectors = st.tuples(numbers, numbers, numbers)
quaternions = st.tuples(numbers, numbers, numbers, numbers).filter(lambda q: float(np.linalg.norm(q)) > 0.1)


def sandwich(quaternion: Any, vector: Any) -> Array:
    """Q v q*, by the definition of the product of quaternions."""
    q = np.array(quaternion) / np.linalg.norm(quaternion)
    u, w = q[:3], q[3]
    return 2 * (u @ vector) * u + (w * w - u @ u) * np.array(vector) + 2 * w * np.cross(u, vector)


@given(quaternions, vectors)
def test_quaternions(quaternion: Any, vector: Any) -> None:
    assert np.allclose(rotation_of(quaternion) @ vector, sandwich(quaternion, vector), atol=1e-9)


def test_a_quarter_turn_about_z_takes_x_to_y() -> None:
    half = np.sqrt(0.5)
    assert np.allclose(rotation_of((0, 0, half, half)) @ (1, 0, 0), (0, 1, 0))


TREE = {"neck": "base", "head": "neck", "thermal": "head", "rgb_link": "neck", "rgb": "rgb_link"}
"""By child, its parent."""


def matrices(placed: dict[str, tuple[Any, Any]]) -> dict[str, Array]:
    """Every frame in the base, (4, 4), by plain multiplication down from the root."""
    found = {"base": np.eye(4)}
    for child, parent in TREE.items():
        own = np.eye(4)
        own[:3, :3], own[:3, 3] = rotation_of(placed[child][0]), placed[child][1]
        found[child] = found[parent] @ own
    return found


@given(
    st.fixed_dictionaries({child: st.tuples(quaternions, vectors) for child in TREE}),
    st.permutations(list(TREE)),
    vectors,
)
def test_chains_lead_from_any_frame_to_any_other(placed: Any, order: list[str], point: Any) -> None:
    transforms = [
        Transform(TREE[child], child, rotation_of(placed[child][0]), np.array(placed[child][1])) for child in order
    ]
    in_base = matrices(placed)
    for source in in_base:
        for target in in_base:
            rotation, translation = between(transforms, source, f"/{target}")
            expected = np.linalg.inv(in_base[target]) @ in_base[source] @ np.append(point, 1.0)
            assert np.allclose(rotation @ point + translation, expected[:3], atol=1e-8)
            assert np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-8)


def test_the_last_word_about_a_frame_holds() -> None:
    transforms = [Transform("a", "b", np.eye(3), np.array([x, 0.0, 0.0])) for x in (1.0, 2.0)]
    assert between(transforms, "b", "a")[1].tolist() == [2.0, 0, 0]


def test_frames_that_cannot_be_reached_are_named() -> None:
    transforms = [Transform("a", "b", np.eye(3), np.zeros(3)), Transform("c", "d", np.eye(3), np.zeros(3))]
    with pytest.raises(ValueError, match='no frame "e", only: a, b, c, d'):
        between(transforms, "a", "e")
    with pytest.raises(ValueError, match='"a", which reaches a, b, with "c"'):
        between(transforms, "a", "c")


ECHO = """\
transforms:
- header:
    stamp:
      sec: 1700000000
      nanosec: 0
    frame_id: base
  child_frame_id: thermal
  transform:
    translation: {x: 0.1, y: 0.0, z: 0.5}
    rotation: {x: -0.5, y: 0.5, z: -0.5, w: 0.5}
---
transforms:
- header: {frame_id: /base}
  child_frame_id: /rgb
  transform:
    translation: {x: 0.1, y: -0.2, z: 0.5}
    rotation: {x: -0.5, y: 0.5, z: -0.5, w: 0.5}
---
"""


def test_what_ros2_topic_echo_prints(tmp_path: Path) -> None:
    (tmp_path / "tf.yaml").write_text(ECHO)
    rotation, translation = between(read_transforms(tmp_path / "tf.yaml"), "thermal", "rgb")
    assert np.allclose(rotation, np.eye(3))
    # the RGB camera is 0.2 m to the right (REP-103: y is left), so what the thermal camera sees lies 0.2 m further left for it
    assert np.allclose(translation, (-0.2, 0.0, 0.0))


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_transforms_of_a_bag(tmp_path: Path, storage: str) -> None:
    writer = BagWriter(tmp_path / "bag", storage, [Topic("/tf_static", TF_MESSAGE)])
    turn = (0.0, 0.0, 0.6, 0.8)
    writer.write(1, {"/tf_static": transforms(("base", "thermal", (1, 2, 3), turn))})
    writer.write(2, {"/tf_static": transforms(("base", "rgb", (0, 0, 0), (0, 0, 0, 1)))})
    writer.close()
    rotation, translation = between(read_transforms(tmp_path / "bag"), "thermal", "rgb")
    assert np.allclose(rotation, cv2.Rodrigues(np.array([0, 0, 2 * np.arctan2(0.6, 0.8)]))[0])
    assert np.allclose(translation, (1, 2, 3))


def test_a_bag_without_transforms(tmp_path: Path) -> None:
    writer = BagWriter(tmp_path / "bag", "mcap", [Topic("/tf_static", TF_MESSAGE)])
    writer.close()
    with pytest.raises(ValueError, match=r"bag: no /tf_static was recorded"):
        read_transforms(tmp_path / "bag")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("a: 1", "`transforms`"),
        ("- 1", "`transforms`"),
        (ECHO.replace("child_frame_id", "child"), "child_frame_id"),
        (ECHO.replace("x: 0.1,", "x: one,"), "could not convert"),
        (ECHO.replace("{x: -0.5, y: 0.5, z: -0.5, w: 0.5}", "{x: 0, y: 0, z: 0, w: 0}"), "base to thermal: (0.0, 0.0"),
        ("a: [", "not YAML"),
    ],
)
def test_malformed_files_are_named(tmp_path: Path, content: str, complaint: str) -> None:
    (tmp_path / "tf.yaml").write_text(content)
    with pytest.raises(ValueError, match=r"tf\.yaml: ") as caught:
        read_transforms(tmp_path / "tf.yaml")
    assert complaint in str(caught.value)


def test_json(tmp_path: Path) -> None:
    stamped = {
        "header": {"frame_id": "base"},
        "child_frame_id": "rgb",
        "transform": {"translation": {"x": 1, "y": 0, "z": 0}, "rotation": {"x": 0, "y": 0, "z": 0, "w": 1}},
    }
    (tmp_path / "tf.json").write_text(json.dumps({"transforms": [stamped]}))
    (found,) = read_transforms(tmp_path / "tf.json")
    assert (found.parent, found.child, found.translation.tolist()) == ("base", "rgb", [1, 0, 0])
