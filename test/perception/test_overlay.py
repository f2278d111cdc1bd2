# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest
from dummy_models import face_aspect, face_scene, face_template

from thermal_fld_ros.perception.camera import Camera
from thermal_fld_ros.perception.decoding import UNITS, Decoding, decode_array
from thermal_fld_ros.perception.face import Face
from thermal_fld_ros.perception.overlay import PALETTES, confidence_colour, draw, legible_scale
from thermal_fld_ros.perception.pose import Pose
from thermal_fld_ros.perception.temperature import RegionTemperature


def face(x: float, y: float, width: float, confidence: float = 1.0, **values: float) -> Face:
    points = (face_template() * (width, width * face_aspect()) + (x, y)).astype(np.float32)
    low, high = points.min(axis=0), points.max(axis=0)
    trust = np.full(68, confidence, np.float32)
    regions = {name: RegionTemperature(value, 0.1, 20) for name, value in values.items()}
    return Face("f0001", 0.9, np.concatenate([low, high - low]), points, trust, None, regions)


@pytest.mark.parametrize("scale", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, ">u2"])
def test_a_picture_has_the_incoming_images_shape(scale: int, dtype) -> None:
    frame = decode_array((face_scene((160, 120), []) // 150).astype(dtype), Decoding(rotation=90, rows=(10, 5)))
    picture = draw(frame, [face(80, 60, 50)], scale)
    assert picture.shape == (120 * scale, 160 * scale, 3)
    assert picture.dtype == np.uint8
    assert not draw(frame, [], scale)[: 8 * scale].any()  # dropped rows are black


def test_points_are_drawn_where_they_are_and_coloured_by_trust() -> None:
    frame = decode_array(face_scene((160, 120), []))
    for confidence in (0.0, 1.0):
        shown = face(80, 60, 80, confidence)
        picture = draw(frame, [shown], 4)
        for x, y in (shown.points[[30, 8, 36]] + 0.5) * 4 - 0.5:
            patch = picture[round(float(y)) - 1 : round(float(y)) + 2, round(float(x)) - 1 : round(float(x)) + 2]
            distance = np.abs(patch.astype(int) - confidence_colour(confidence)).sum(axis=2)
            assert distance.min() < 60


def test_warm_is_bright_also_when_inverted() -> None:
    image = face_scene((160, 120), [(80, 60, 60)])
    for pixels, inverted in ((image, False), (65535 - image, True)):
        picture = draw(decode_array(pixels, Decoding(inverted=inverted)), [])
        assert picture[60, 80].min() > 150 > 60 > picture[5, 5].max()


def test_temperatures_are_written_where_there_is_room() -> None:
    frame = decode_array(face_scene((640, 480), []), Decoding(UNITS["centikelvin"]))
    alone = face(300, 200, 150)
    warm = face(300, 200, 150, nose=31.0)
    beside = np.s_[120:300, 385:480]
    assert np.array_equal(draw(frame, [alone])[beside], draw(frame, [])[beside])
    assert not np.array_equal(draw(frame, [warm])[beside], draw(frame, [])[beside])


@pytest.mark.parametrize("place", [(-500, -500), (0, 0), (640, 480), (5000, 60)])
def test_a_face_anywhere_can_be_drawn(place: tuple[float, float]) -> None:
    frame = decode_array(face_scene((64, 48), []))
    for width in (1, 20, 600):
        draw(frame, [face(*place, width, nose=30.0)], 2)


def test_small_frames_are_enlarged() -> None:
    assert legible_scale((160, 120)) == 4
    assert legible_scale((640, 512)) == 1
    assert legible_scale((1280, 1024)) == 1


@pytest.mark.parametrize("palette", PALETTES)
def test_warm_is_bright_in_every_palette(palette: str) -> None:
    picture = draw(decode_array(face_scene((160, 120), [(80, 60, 60)])), [], palette=palette).astype(int)
    assert picture[60, 80].sum() > picture[5, 5].sum() + 200
    if palette != "grey":
        assert np.ptp(picture.reshape(-1, 3), axis=1).max() > 60, "colours"


def test_zero_is_a_legible_scale() -> None:
    frame = decode_array(face_scene((160, 120), []))
    assert draw(frame, [], 0).shape == (480, 640, 3)
    assert draw(decode_array(face_scene((1280, 1024), [])), [], 0).shape == (1024, 1280, 3)


def test_axes_are_drawn_from_the_nose_where_the_pose_and_the_camera_are_known() -> None:
    frame, camera = decode_array(face_scene((640, 480), [])), Camera.from_field_of_view((640, 480), 50.0)
    turned = np.array([0.5, -0.5, 0.5, -0.5]) @ np.diag([1, -1, 1, -1])  # looks into the camera
    posed = replace(face(320, 240, 150), pose=Pose(np.array([0.0, 0.0, 0.8]), turned / np.linalg.norm(turned)))
    plain, drawn = draw(frame, [posed]), draw(frame, [posed], camera=camera)
    rows, columns, _ = np.nonzero(plain != drawn)
    assert len(rows) > 30 and abs(rows - 240).max() < 60 and abs(columns - 320).max() < 60


def test_titles_of_near_faces_do_not_cover_each_other_and_notes_hide_no_face() -> None:
    frame = decode_array(face_scene((160, 120), []))
    faces = [face(60, 60, 30), face(84, 62, 30)]
    titled, bare = draw(frame, faces, 0), draw(frame, [], 0)
    noted = draw(frame, faces, 0, notes=["30.0 Hz  6 ms"])
    changed = np.nonzero((titled != noted).any(axis=2))
    assert len(changed[0]) and (changed[0].max() < 60 or changed[0].min() > 420), "in a corner"
    assert (titled != bare).any()
