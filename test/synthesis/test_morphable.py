# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest

from thermal_fld_ros.synthesis.morphable import MorphableModel, MorphableModelError, load_morphable_model, read_obj


def test_polygons_become_triangles(tmp_path: Path) -> None:
    file = tmp_path / "square.obj"
    file.write_text("v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nf 1/1 2/1 3/1 4/1\n")
    vertices, triangles = read_obj(file)
    assert vertices.shape == (4, 3)
    assert triangles.tolist() == [[0, 1, 2], [0, 2, 3]]


def test_folder_and_its_cache_give_the_same_model(face_model: MorphableModel, face_model_folder: Path) -> None:
    assert (face_model_folder / "ict_face.npz").exists()
    again = load_morphable_model(face_model_folder / "ict_face.npz")
    np.testing.assert_array_equal(again.neutral, face_model.neutral)
    np.testing.assert_array_equal(again.landmarks, face_model.landmarks)
    assert again.expression_names == face_model.expression_names


def test_weights_move_vertices_along_their_modes(face_model: MorphableModel) -> None:
    identity, expression = (
        np.zeros(len(face_model.identity), np.float32),
        np.zeros(len(face_model.expression), np.float32),
    )
    np.testing.assert_allclose(face_model.morph(identity, expression), face_model.neutral, atol=1e-5)
    identity[1], expression[0] = 2.0, 0.5
    expected = face_model.neutral + 2.0 * face_model.identity[1] + 0.5 * face_model.expression[0]
    np.testing.assert_allclose(face_model.morph(identity, expression), expected, atol=1e-4)


def test_landmarks_lie_on_the_face_in_the_order_of_ibug(face_model: MorphableModel) -> None:
    x, y, _ = face_model.neutral[face_model.landmarks].T
    assert (np.diff(x[:17]) > 0).all()  # the jaw line runs from the image's left to its right
    assert y[17:27].mean() > y[36:48].mean() > y[31:36].mean() > y[48:68].mean() > y[8]


@pytest.mark.parametrize(
    "content", [{}, {"readme.txt": "x"}, {"generic_neutral_mesh.obj": "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3"}]
)
def test_a_wrong_folder_is_named_with_where_to_get_the_model(tmp_path: Path, content: dict[str, str]) -> None:
    for name, text in content.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(MorphableModelError, match="ICT-FaceKit") as error:
        load_morphable_model(tmp_path)
    assert str(tmp_path) in str(error.value)


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(MorphableModelError, match="nowhere"):
        load_morphable_model(tmp_path / "nowhere")
