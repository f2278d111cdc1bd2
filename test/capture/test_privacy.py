# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from capture_messages import STAMP, WITH_FACES, compressed, compressed_depth_message, face, image, landmarks, pair
from input_files import png, rvl
from numpy.typing import NDArray

from thermal_fld_ros.capture.pair import CapturedPair
from thermal_fld_ros.capture.privacy import Keeper, only
from thermal_fld_ros.perception.camera import Camera
from thermal_fld_ros.perception.compression import decompressed_image
from thermal_fld_ros.perception.decoding import message_pixels
from thermal_fld_ros.recordings.messages import COMPRESSED_IMAGE, IMAGE, LANDMARKS, RGB, THERMAL, stamp_of, types
from thermal_fld_ros.registration.registration import CameraPair, write_registration


def pixels_of(data: bytes) -> NDArray[Any]:
    message = types().deserialize_cdr(data, IMAGE)
    fields = {name: getattr(message, name) for name in ("height", "width", "encoding", "step", "is_bigendian")}
    return message_pixels(message.data, **fields)


def registration(folder: Path, matrix: list[list[float]]) -> str:
    (folder / "registration.json").write_text(json.dumps({"homography": matrix}))
    return str(folder / "registration.json")


def test_only_the_boxes_are_left_and_all_else_is_as_it_was() -> None:
    original = np.arange(1, 16 * 20 + 1, dtype=np.uint16).reshape(16, 20)
    data = image(original, "mono16", padding=6)
    reduced = only(data, IMAGE, [(3.4, 2.0, 8.0, 5.0), (-5.0, -5.0, 1.0, 1.0), (18.0, 14.0, 90.0, 90.0)])
    expected = np.zeros_like(original)
    for rows, columns in ((slice(2, 6), slice(3, 9)), (slice(0, 2), slice(0, 2)), (slice(14, 16), slice(18, 20))):
        expected[rows, columns] = original[rows, columns]
    assert (pixels_of(reduced) == expected).all()
    assert len(reduced) == len(data) and stamp_of(reduced) == STAMP
    message = types().deserialize_cdr(reduced, IMAGE)
    assert not message.data.reshape(16, -1)[:, 40:].any(), "what pads the rows is gone too"
    assert (message.header, message.step) == (types().deserialize_cdr(data, IMAGE).header, 46)


def test_a_box_outside_of_the_image_keeps_nothing() -> None:
    data = image(np.full((16, 20), 7, np.uint16), "mono16")
    for box in ((-30.0, -30.0, -20.0, -20.0), (50.0, 50.0, 60.0, 60.0)):
        assert not pixels_of(only(data, IMAGE, [box])).any()


@pytest.mark.parametrize(
    ("suffix", "form", "dtype"),
    [(".png", "16UC1; png compressed", np.uint16), (".jpg", "bgr8; jpeg compressed bgr8", np.uint8)],
)
def test_compressed_images_are_reduced_in_their_own_format(suffix: str, form: str, dtype: type) -> None:
    data = compressed(np.full((32, 40), 200, dtype), suffix, form)
    message = types().deserialize_cdr(only(data, COMPRESSED_IMAGE, [(8.0, 8.0, 23.0, 23.0)]), COMPRESSED_IMAGE)
    found = cv2.imdecode(message.data, cv2.IMREAD_UNCHANGED)
    assert message.format == form and found.dtype == dtype
    assert (found[10:22, 10:22] > 190).all() and (found[:, 30:] < 10).all()


@pytest.mark.parametrize("code", [png, rvl])
def test_the_depth_transport_is_reduced_as_raw_images_are(code: Any) -> None:
    raw = np.arange(1, 32 * 40 + 1, dtype=np.uint16).reshape(32, 40)
    data = compressed_depth_message(raw, code=code)
    reduced = types().deserialize_cdr(only(data, COMPRESSED_IMAGE, [(8.0, 8.0, 23.0, 23.0)]), COMPRESSED_IMAGE)
    found = decompressed_image(reduced.data, reduced.format)
    expected = np.zeros_like(raw)
    expected[8:24, 8:24] = raw[8:24, 8:24]
    np.testing.assert_array_equal(found, expected)


def test_floating_point_is_reduced_without_loss() -> None:
    data = compressed(np.full((16, 20), 34.25, np.float32), ".tiff", "32FC1; tiff compressed")
    message = types().deserialize_cdr(only(data, COMPRESSED_IMAGE, [(2.0, 2.0, 5.0, 5.0)]), COMPRESSED_IMAGE)
    found = cv2.imdecode(message.data, cv2.IMREAD_UNCHANGED)
    assert found.dtype == np.float32 and found[3, 3] == 34.25 and found[9, 9] == 0.0


def test_what_cannot_be_reduced_is_refused() -> None:
    with pytest.raises(ValueError, match='format "h264"'):
        only(compressed(np.zeros((8, 8), np.uint8), ".png", "h264"), COMPRESSED_IMAGE, [])
    with pytest.raises(ValueError, match="encoding"):
        only(image(np.zeros((8, 8), np.uint8), "unheard_of"), IMAGE, [])


def test_faces_are_kept_in_both_images(tmp_path: Path) -> None:
    keeper = Keeper("faces", WITH_FACES, registration(tmp_path, [[2, 0, 1], [0, 2, 1], [0, 0, 1]]), margin=0.0)
    bright = {
        THERMAL: image(np.full((16, 20), 9, np.uint16), "mono16"),
        RGB: image(np.full((40, 48, 3), 9, np.uint8), "bgr8"),
        LANDMARKS: landmarks(face(roi=(4.0, 3.0, 6.0, 5.0))),
    }
    kept = keeper(CapturedPair(bright, STAMP, 0))
    assert kept["/face_landmarks"] == bright[LANDMARKS]
    thermal, rgb = (np.argwhere(pixels_of(kept[f"/{role}/image"])) for role in (THERMAL, RGB))
    assert (*thermal.min(axis=0), *thermal.max(axis=0)) == (3, 4, 8, 10)
    assert (*rgb.min(axis=0)[:2], *rgb.max(axis=0)[:2]) == (7, 9, 17, 21)


def test_with_calibrated_cameras_a_face_is_where_its_distance_says(tmp_path: Path) -> None:
    camera = Camera(np.array([[20.0, 0, 10], [0, 20, 8], [0, 0, 1]]), np.zeros(0), (20, 16))
    cameras = CameraPair(camera, camera, np.eye(3), np.array([0.2, 0, 0]), distance=2.0)
    write_registration(cameras, tmp_path / "registration.json")
    keeper = Keeper("faces", WITH_FACES, str(tmp_path / "registration.json"), margin=0.0)
    for turn, shift in ((None, 2), (0.0, 4)):  # a pose of the test's faces is at 1 m
        whole = {
            THERMAL: image(np.full((16, 20), 9, np.uint16), "mono16"),
            RGB: image(np.full((16, 20, 3), 9, np.uint8), "bgr8"),
            LANDMARKS: landmarks(face(roi=(4.0, 3.0, 6.0, 5.0), turn=turn)),
        }
        kept = keeper(CapturedPair(whole, STAMP, 0))
        thermal, rgb = (np.argwhere(pixels_of(kept[f"/{role}/image"]))[:, :2] for role in (THERMAL, RGB))
        assert (rgb.min(axis=0) - thermal.min(axis=0)).tolist() == [0, shift]


def test_a_pair_whose_faces_the_registration_does_not_reach_is_refused(tmp_path: Path) -> None:
    keeper = Keeper("faces", WITH_FACES, registration(tmp_path, [[1, 0, 0], [0, 1, 0], [-0.1, 0, 1]]))
    with pytest.raises(ValueError, match="outside the RGB camera's view"):
        keeper(pair(0, face(roi=(12.0, 3.0, 6.0, 5.0))))


def test_without_a_face_nothing_of_the_images_is_kept(tmp_path: Path) -> None:
    keeper = Keeper("faces", WITH_FACES, registration(tmp_path, np.eye(3).tolist()))
    kept = keeper(pair(0))
    assert not pixels_of(kept["/thermal/image"]).any() and not pixels_of(kept["/rgb/image"]).any()


def test_landmarks_without_images() -> None:
    keeper = Keeper("landmarks", WITH_FACES)
    assert keeper.roles == [LANDMARKS] and list(keeper(pair(0, face()))) == ["/face_landmarks"]


@pytest.mark.parametrize(
    "content",
    [
        "{}",
        "[]",
        '{"homography": [[1, 0], [0, 1]]}',
        '{"homography": [[1, 0, 0], [0, 1, 0], [0, 0, NaN]]}',
        "no json",
    ],
)
def test_a_registration_that_cannot_be_used_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "registration.json").write_text(content)
    with pytest.raises(ValueError):
        Keeper("faces", WITH_FACES, str(tmp_path / "registration.json"))
