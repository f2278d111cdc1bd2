# SPDX-License-Identifier: Apache-2.0
"""From bags and folders to a data set, by the command: what is kept, what is left out and why, and that it is always the same."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from capture_messages import TOPICS, compressed, image
from dummy_models import blind_landmarks_model
from numpy.typing import NDArray

from thermal_fld_ros.datasets.pairs import read_pairs
from thermal_fld_ros.distillation.config import SampleConfig
from thermal_fld_ros.distillation.pairs import PairSamples
from thermal_fld_ros.labelling.folder import strike
from thermal_fld_ros.perception.geometry import Affine
from thermal_fld_ros.perception.models import LANDMARKS_FILE
from thermal_fld_ros.perception.normalisation import Normalisation
from thermal_fld_ros.perception.pose import HEAD_POINTS
from thermal_fld_ros.recordings.messages import COMPRESSED_IMAGE, Topic

from .conftest import (
    SECOND,
    START,
    TO_RGB,
    Place,
    captured,
    episode,
    places,
    plain_bag,
    rgb_pixels,
    thermal_pixels,
    truth,
)
from .test_teachers import checkpoint

Dataset = Callable[..., int]


def index(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "pairs.jsonl").read_text().splitlines()]


def about(out: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((out / "dataset.json").read_text())
    return content


def left_out(out: Path) -> dict[str, int]:
    counts: dict[str, int] = about(out)["counts"]["left_out"]
    return counts


def journal(out: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "journal" / f"{name}.jsonl").read_text().splitlines()]


def files(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def in_frame(out: Path, name: str) -> list[np.ndarray]:
    """The points of a recording's faces in its whole thermal images."""
    faces = [face for line in journal(out, name) for face in line.get("faces", [])]
    return [np.array(face["entry"]["points"]) + face["at"] for face in faces]


# --- labels


def test_faces_of_a_captured_bag_are_labelled_in_the_thermal_image(tmp_path: Path, dataset: Dataset) -> None:
    at = places(6)
    bag = episode(tmp_path / "s01", at, "s01")
    assert dataset(tmp_path / "out", bag) == 0
    for found, place in zip(in_frame(tmp_path / "out", "s01"), at, strict=True):
        assert np.abs(found - truth(place)).max() < 1.0
    pairs = read_pairs(tmp_path / "out")
    assert [pair.episode for pair in pairs] == ["s01"] * 6
    assert {pair.face.subject for pair in pairs} == {"s01"}
    assert [pair.stamp for pair in pairs] == pytest.approx([START / SECOND + k / 9 for k in range(6)])
    source = about(tmp_path / "out")["sources"][0]
    assert (source["subject"], source["consent"], source["pairs"], source["faces"]) == ("s01", "form 7", 6, 6)
    assert (tmp_path / "out" / "sheet.png").stat().st_size > 1000
    config = SampleConfig(size=64, crop_scale=1.5, normalisation=Normalisation())
    assert len(PairSamples(config, tmp_path / "out", "thermal", "rgb")) == 6


def test_what_is_stored_are_the_cameras_own_values_around_the_face(tmp_path: Path, dataset: Dataset) -> None:
    at = places(2)
    assert dataset(tmp_path / "out", episode(tmp_path / "a", at), margin=0.5) == 0
    for k, (pair, place) in enumerate(zip(read_pairs(tmp_path / "out"), at, strict=True)):
        stored, whole = pair.pixels("thermal"), thermal_pixels(place, k)
        x, y = journal(tmp_path / "out", "a")[1 + k]["faces"][0]["at"]
        assert stored.dtype == np.uint16
        assert np.array_equal(stored, whole[y : y + stored.shape[0], x : x + stored.shape[1]])
        assert stored.shape[1] == pytest.approx(2 * max(pair.face.box[2:]), abs=3)
        centre = np.rint(pair.to_rgb(pair.face.points.mean(axis=0))).astype(int)
        assert pair.pixels("rgb")[centre[1], centre[0]].mean() > 100  # the face is there in RGB, too
        whole_centre = TO_RGB(np.array(place))
        assert np.abs(pair.to_rgb(pair.face.points) - pair.to_rgb(np.array(place) - (x, y)) + whole_centre
                      - TO_RGB(truth(place))).max() < 2.5  # fmt: skip


def test_whole_frames_are_stored_on_request(tmp_path: Path, dataset: Dataset) -> None:
    at = places(2)
    assert dataset(tmp_path / "out", "--frames", episode(tmp_path / "a", at)) == 0
    for k, pair in enumerate(read_pairs(tmp_path / "out")):
        assert np.array_equal(pair.pixels("thermal"), thermal_pixels(at[k], k))
        assert pair.pixels("rgb").shape == (320, 420, 3)
        assert pair.to_rgb.matrix == pytest.approx(TO_RGB.matrix, abs=1e-5)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_turned_cameras_are_stored_upright(tmp_path: Path, dataset: Dataset, rotation: int) -> None:
    turns, at = rotation // 90, places(2)
    whole = [thermal_pixels(place, k) for k, place in enumerate(at)]
    colours = [rgb_pixels(place, k) for k, place in enumerate(at)]
    bag = captured(
        tmp_path / "a",
        [image(np.rot90(pixels, turns), "mono16") for pixels in whole],
        [image(np.rot90(pixels, turns), "bgr8") for pixels in colours],
    )
    # the registration is that of the images as they come
    to_rgb = Affine.quarter_turns(rotation, (420, 320) if turns == 2 else (320, 420)).inverse() @ TO_RGB
    to_rgb = to_rgb @ Affine.quarter_turns(rotation, (160, 120) if turns == 2 else (120, 160))
    (tmp_path / "turned.json").write_text(json.dumps({"homography": [*to_rgb.matrix.tolist(), [0, 0, 1]]}))
    turned = {"rotate": rotation, "rgb_rotate": rotation, "registration": tmp_path / "turned.json"}
    assert dataset(tmp_path / "out", "--frames", bag, **turned) == 0
    for k, pair in enumerate(read_pairs(tmp_path / "out")):
        assert np.array_equal(pair.pixels("thermal"), whole[k])
        assert np.abs(pair.pixels("rgb").astype(int) - colours[k][:, :, ::-1]).mean() < 5  # a JPEG
        assert pair.to_rgb.matrix == pytest.approx(TO_RGB.matrix, abs=1e-4)
        assert np.abs(pair.face.points - truth(at[k])).max() < 1.0


def test_floating_point_temperatures_become_centikelvin(tmp_path: Path, dataset: Dataset) -> None:
    pixels = thermal_pixels((80, 60), 0)
    bag = captured(
        tmp_path / "a",
        [image((pixels / 100 - 273.15).astype(np.float32), "32FC1")],
        [image(rgb_pixels((80, 60), 0), "bgr8")],
    )
    assert dataset(tmp_path / "out", "--frames", bag, unit="celsius") == 0
    stored = read_pairs(tmp_path / "out")[0].pixels("thermal")
    assert np.abs(stored.astype(int) - pixels).max() <= 1
    assert about(tmp_path / "out")["sources"][0]["thermal_unit"]["name"] == "centikelvin"


def test_warm_is_bright_in_what_is_stored(tmp_path: Path, dataset: Dataset) -> None:
    pixels = 65535 - thermal_pixels((80, 60), 0)
    bag = captured(tmp_path / "a", [image(pixels, "mono16")], [image(rgb_pixels((80, 60), 0), "bgr8")])
    assert dataset(tmp_path / "out", "--frames", "--inverted", bag) == 0
    assert np.array_equal(read_pairs(tmp_path / "out")[0].pixels("thermal"), 65535 - pixels)


@pytest.mark.parametrize("evidence", ["detected", "confirmed"])
def test_calibrated_cameras_take_the_faces_distance_into_account(
    tmp_path: Path, dataset: Dataset, evidence: str
) -> None:
    pixels = thermal_pixels if evidence == "detected" else beside_a_lamp
    place, focal, baseline = (80.0, 60.0), 200.0, 0.05
    distance = focal * float(np.ptp(HEAD_POINTS[:, 1])) / 40  # at which a head is 40 pixels wide
    cameras = {
        "thermal": {"matrix": [[focal, 0, 79.5], [0, focal, 59.5], [0, 0, 1]], "distortion": [], "size": [160, 120]},
        "rgb": {"matrix": [[2 * focal, 0, 209.5], [0, 2 * focal, 159.5], [0, 0, 1]], "distortion": [], "size": [420, 320]},
        "rotation": np.eye(3).tolist(), "translation": [-baseline, 0, 0], "distance": 3 * distance,
    }  # fmt: skip
    (tmp_path / "cameras.json").write_text(json.dumps(cameras))
    # the RGB image of the helpers is of TO_RGB, so the face is put where the cameras would see it
    seen = 2 * (np.array(place) - (79.5, 59.5)) + (209.5, 159.5) - (2 * focal * baseline / distance, 0)
    elsewhere = tuple(TO_RGB.inverse()(seen).tolist())
    bag = captured(tmp_path / "a", [image(pixels(place, 0), "mono16")], [image(rgb_pixels(elsewhere, 0), "bgr8")])
    assert dataset(tmp_path / "out", bag, registration=tmp_path / "cameras.json") == 0
    assert index(tmp_path / "out")[0]["evidence"] == evidence
    assert np.abs(in_frame(tmp_path / "out", "a")[0] - truth(place)).max() < 2.0
    pair = read_pairs(tmp_path / "out")[0]
    centre = np.rint(pair.to_rgb(pair.face.points.mean(axis=0))).astype(int)
    assert pair.pixels("rgb")[centre[1], centre[0]].mean() > 100


def encoded(pixels: np.ndarray, encoding: str) -> np.ndarray:
    """The same picture (BGR) in another of ROS's encodings."""
    if encoding.startswith("bayer"):
        order = {"r": 2, "g": 1, "b": 0}
        mosaic = np.empty(pixels.shape[:2], np.uint8)
        for k, colour in enumerate(encoding[6:10]):
            mosaic[k // 2 :: 2, k % 2 :: 2] = pixels[k // 2 :: 2, k % 2 :: 2, order[colour]]
        return mosaic
    if encoding == "yuv422":
        full = cv2.cvtColor(pixels, cv2.COLOR_BGR2YCrCb).astype(float)  # the range of video is smaller
        light, v, u = 16 + full[:, :, 0] * 219 / 255, *(128 + (full[:, :, k] - 128) * 224 / 255 for k in (1, 2))
        packed = np.empty((*pixels.shape[:2], 2))
        packed[:, :, 1], packed[:, ::2, 0], packed[:, 1::2, 0] = light, u[:, ::2], v[:, ::2]
        return packed.round().astype(np.uint8)
    return {"mono8": pixels[:, :, 1], "rgb8": pixels[:, :, ::-1], "bgr8": pixels}[encoding]


@pytest.mark.parametrize(
    "encoding",
    ["rgb8", "bgr8", "mono8", "yuv422", "bayer_rggb8", "bayer_bggr8", "bayer_gbrg8", "bayer_grbg8"],
)
def test_rgb_images_come_in_many_encodings(tmp_path: Path, dataset: Dataset, encoding: str) -> None:
    pixels = rgb_pixels((80, 60), 0)
    pixels[pixels[:, :, 0] > 100] += np.array([0, 0, 20], np.uint8)
    if encoding.startswith("bayer"):
        pixels = cv2.resize(cv2.resize(pixels, (140, 107)), (420, 320))  # a mosaic keeps no single pixels
    bag = captured(
        tmp_path / "a", [image(thermal_pixels((80, 60), 0), "mono16")], [image(encoded(pixels, encoding), encoding)]
    )
    assert dataset(tmp_path / "out", "--frames", bag, min_sharpness=0) == 0
    stored = read_pairs(tmp_path / "out")[0].pixels("rgb")
    middle = stored[130:170, 180:220].reshape(-1, 3).astype(float).mean(axis=0)
    wanted = pixels[130:170, 180:220, ::-1].reshape(-1, 3).astype(float).mean(axis=0)
    assert np.abs(middle - (wanted[1] if encoding == "mono8" else wanted)).max() < 6


def test_compressed_images_are_read(tmp_path: Path, dataset: Dataset) -> None:
    topics = {role: Topic(f"{topic.name}/compressed", COMPRESSED_IMAGE) for role, topic in TOPICS.items()}
    bag = captured(
        tmp_path / "a",
        [compressed(thermal_pixels((80, 60), 0), ".png", "mono16; png compressed ")],
        [compressed(rgb_pixels((80, 60), 0), ".jpg", "bgr8; jpeg compressed bgr8")],
        topics=topics,
    )
    assert dataset(tmp_path / "out", "--frames", bag) == 0
    assert np.array_equal(read_pairs(tmp_path / "out")[0].pixels("thermal"), thermal_pixels((80, 60), 0))


def test_a_point_is_worth_less_where_the_thermal_image_says_otherwise(tmp_path: Path, dataset: Dataset) -> None:
    for name, shift in (("near", 0.0), ("off", 3.0)):
        stamps = [image(thermal_pixels((80 + shift, 60), 0), "mono16")]
        captured(tmp_path / name, stamps, [image(rgb_pixels((80, 60), 0), "bgr8")])
        assert dataset(tmp_path / f"out_{name}", tmp_path / name) == 0
    near, off = (read_pairs(tmp_path / f"out_{name}")[0].confidence for name in ("near", "off"))
    assert (off <= near).all() and off.mean() < near.mean() - 0.02
    assert near[17:].min() > 0.9
    assert near[:17].max() < 0.5  # Face Mesh's oval is no jaw line


# --- what is left out


def test_what_is_left_out_is_counted_by_reason(
    tmp_path: Path, dataset: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    good = (80.0, 60.0)
    thermal = [thermal_pixels(place, k) for k, place in enumerate([good, None, good, good, good, good])]
    thermal.append(thermal[-1])
    rgb = [
        rgb_pixels(good, 0),
        rgb_pixels(good, 1),
        rgb_pixels(None, 2),
        rgb_pixels((good[0] + 12, good[1]), 3),
        rgb_pixels(good, 4, blur=6),
        rgb_pixels(good, 5),
        rgb_pixels(good, 6),
    ]
    bag = captured(tmp_path / "a", [image(p, "mono16") for p in thermal], [image(p, "bgr8") for p in rgb])
    assert dataset(tmp_path / "out", bag) == 0
    expected = {
        "face by the teacher only, not confirmed by the thermal image": 1, "no face by the teacher": 1,
        "thermal and RGB image disagree": 1, "RGB image blurred": 1, "thermal image frozen": 1,
    }  # fmt: skip
    assert left_out(tmp_path / "out") == expected
    assert (about(tmp_path / "out")["counts"]["pairs"], len(index(tmp_path / "out"))) == (7, 2)
    told = capsys.readouterr()
    assert all(f"{count}  {reason}" in told.out for reason, count in expected.items())
    assert "the recording notes no consent" in told.err


# --- faces that the thermal detector misses


def beside_a_lamp(place: Place | None, seed: int) -> NDArray[np.uint16]:
    """A face that is pale beside something hot, so that the detector, which sees the whole image, misses it."""
    pixels = thermal_pixels(place, seed)
    pixels[-3:] = 45000
    return pixels


def test_a_face_that_the_detector_misses_is_confirmed_by_the_landmark_network(
    tmp_path: Path, dataset: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    at = places(3)
    bag = captured(
        tmp_path / "a",
        [image(beside_a_lamp(place, k), "mono16") for k, place in enumerate(at)],
        [image(rgb_pixels(place, k), "bgr8") for k, place in enumerate(at)],
    )
    assert dataset(tmp_path / "out", bag) == 0
    assert [entry["evidence"] for entry in index(tmp_path / "out")] == ["confirmed"] * 3
    assert about(tmp_path / "out")["counts"]["faces_by_evidence"] == {"detected": 0, "confirmed": 3, "unconfirmed": 0}
    assert "in the thermal image: detected 0, confirmed 3, unconfirmed 0" in capsys.readouterr().out
    for found, place in zip(in_frame(tmp_path / "out", "a"), at, strict=True):
        assert np.abs(found - truth(place)).max() < 1.0
    assert all(pair.confidence[17:].min() > 0.9 for pair in read_pairs(tmp_path / "out"))


@pytest.mark.parametrize("thermal_place", [None, (80.0, 90.0)])
def test_a_face_that_only_the_teacher_sees_is_taken_on_request(
    tmp_path: Path, dataset: Dataset, thermal_place: Place | None
) -> None:
    """It may be on a poster, behind glass, or elsewhere in the thermal image."""
    bag = captured(
        tmp_path / "a",
        [image(thermal_pixels((60, 40), 0), "mono16"), image(beside_a_lamp(thermal_place, 1), "mono16")],
        [image(rgb_pixels((60, 40), 0), "bgr8"), image(rgb_pixels((80, 40), 1), "bgr8")],
    )
    assert dataset(tmp_path / "out", bag) == 0
    assert left_out(tmp_path / "out") == {"face by the teacher only, not confirmed by the thermal image": 1}
    assert dataset(tmp_path / "all", "--unconfirmed", bag) == 0
    assert left_out(tmp_path / "all") == {}
    assert [entry["evidence"] for entry in index(tmp_path / "all")] == ["detected", "unconfirmed"]
    sure, unsure = (pair.confidence for pair in read_pairs(tmp_path / "all"))
    assert unsure == pytest.approx(0.5 * np.where(np.arange(68) < 17, 0.3, 1.0)) and sure[17:].min() > 0.9
    assert np.abs(in_frame(tmp_path / "all", "a")[1] - truth((80, 40))).max() < 1.0


def test_a_network_that_answers_with_the_middle_of_its_crop_confirms_nothing(
    tmp_path: Path, dataset: Dataset, dummy_models: Path
) -> None:
    shutil.copytree(dummy_models, tmp_path / "models")
    onnx.save(blind_landmarks_model(), tmp_path / "models" / LANDMARKS_FILE)
    bag = captured(
        tmp_path / "a", [image(beside_a_lamp((80, 60), 0), "mono16")], [image(rgb_pixels((80, 60), 0), "bgr8")]
    )
    assert dataset(tmp_path / "out", bag, "--unconfirmed", models=tmp_path / "models") == 0
    assert [entry["evidence"] for entry in index(tmp_path / "out")] == ["unconfirmed"]


def test_a_teacher_that_needs_boxes_sees_no_more_than_the_detector(
    tmp_path: Path, dataset: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    network = checkpoint(tmp_path / "teacher.pt")
    bag = captured(
        tmp_path / "a", [image(beside_a_lamp((80, 60), 0), "mono16")], [image(rgb_pixels((80, 60), 0), "bgr8")]
    )
    assert dataset(tmp_path / "out", bag, "--unconfirmed", teacher=network) == 2
    assert "--unconfirmed requires a teacher that finds faces by itself" in capsys.readouterr().err
    assert dataset(tmp_path / "out", bag, teacher=network) == 2
    assert "no face was kept" in capsys.readouterr().err
    assert journal(tmp_path / "out", "a")[1]["left_out"] == ["no face in the thermal image"]


def test_a_face_that_the_teacher_sees_beside_the_thermal_image_is_counted(tmp_path: Path, dataset: Dataset) -> None:
    bag = captured(
        tmp_path / "a",
        [image(thermal_pixels((60, 40), 0), "mono16"), image(thermal_pixels(None, 1), "mono16")],
        [image(rgb_pixels((60, 40), 0), "bgr8"), image(rgb_pixels((170, 60), 1), "bgr8")],
    )
    assert dataset(tmp_path / "out", "--unconfirmed", bag) == 0
    assert left_out(tmp_path / "out") == {"outside of the thermal image": 1}


def test_images_far_apart_in_time_are_no_pair(tmp_path: Path, dataset: Dataset) -> None:
    thermal = [image(thermal_pixels((80, 60), k), "mono16", START + k * SECOND) for k in range(3)]
    gaps = [10_000_000, 80_000_000, -60_000_000]
    rgb = [image(rgb_pixels((80, 60), k), "bgr8", START + k * SECOND + gap) for k, gap in enumerate(gaps)]
    bag = captured(tmp_path / "a", thermal, rgb)
    assert dataset(tmp_path / "out", bag) == 0
    assert left_out(tmp_path / "out") == {"no RGB image at its time": 2}
    assert dataset(tmp_path / "wide", bag, max_gap=0.1) == 0
    assert left_out(tmp_path / "wide") == {}


def test_a_face_that_hardly_moves_is_kept_once(tmp_path: Path, dataset: Dataset) -> None:
    at = [(80.0, 60.0)] * 3 + [(95.0, 60.0)] * 2
    assert dataset(tmp_path / "out", episode(tmp_path / "a", at), min_change=0.1) == 0
    assert left_out(tmp_path / "out") == {"hardly changed": 3}
    assert [entry["thermal"] for entry in index(tmp_path / "out")] == [
        "thermal/a/000000_0.png",
        "thermal/a/000003_0.png",
    ]


def test_damaged_images_are_counted_and_told_once(
    tmp_path: Path, dataset: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    good = image(thermal_pixels((80, 60), 0), "mono16")
    bag = captured(
        tmp_path / "a",
        [good, image(thermal_pixels((80, 60), 1), "mono16"), image(thermal_pixels((80, 60), 2), "mono16")],
        [image(rgb_pixels((80, 60), 0), "bgr8")] + [image(rgb_pixels((80, 60), 1), "bayer_rggb16")] * 2,
    )
    assert dataset(tmp_path / "out", bag) == 0
    assert left_out(tmp_path / "out") == {"cannot be decoded: encoding": 2}
    assert capsys.readouterr().err.count("cannot be decoded") == 1


def test_a_file_that_was_cut_is_named_and_the_rest_goes_on(
    tmp_path: Path, dataset: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    write_images(tmp_path / "in", lambda k: (f"p{k}_thermal.png", f"p{k}_rgb.png"))
    cut = tmp_path / "in/p1_thermal.png"
    cut.write_bytes(cut.read_bytes()[:2000])
    (tmp_path / "in/._p0_thermal.png").write_bytes(b"Mac OS X")
    assert dataset(tmp_path / "out", tmp_path / "in") == 0
    assert left_out(tmp_path / "out") == {"cannot be decoded: damaged": 1}
    told = capsys.readouterr().err
    assert "3 pairs by equal names" in told and "p1_thermal.png: not an image that OpenCV can read" in told


# --- other inputs


def test_a_plain_bag_is_matched_by_stamps(tmp_path: Path, dataset: Dataset) -> None:
    at = places(5)
    thermal, rgb = {}, {}
    for k in range(5):
        stamp = START + k * SECOND // 9
        thermal[stamp + 30_000_000] = image(thermal_pixels(at[k], k), "mono16", stamp)
        for j in range(3):  # 27 Hz, and a longer way
            when = stamp + j * SECOND // 27 + 5_000_000
            if k == 2:
                when += 60_000_000 * (j == 0)
            rgb[when + 90_000_000] = image(rgb_pixels(at[k] if j == 0 else None, k), "bgr8", when)
    bag = plain_bag(tmp_path / "plain", thermal, rgb)
    arguments = ["--thermal-topic", "/thermal/image", "--rgb-topic", "/rgb/image"]
    assert dataset(tmp_path / "out", bag, *arguments, "--subject", "s7", max_gap=0.012) == 0
    assert {entry["subject"] for entry in index(tmp_path / "out")} == {"s7"}
    assert left_out(tmp_path / "out") == {"no RGB image at its time": 1, "no thermal image at its time": 11}
    kept = [at[k] for k in (0, 1, 3, 4)]
    for found, place in zip(in_frame(tmp_path / "out", "plain"), kept, strict=True):
        assert np.abs(found - truth(place)).max() < 1.0


def test_clocks_that_differ_are_matched_with_their_offset(tmp_path: Path, dataset: Dataset) -> None:
    thermal = {START + k * SECOND: image(thermal_pixels((80, 60), k), "mono16", START + k * SECOND) for k in range(3)}
    rgb = {t + 1: image(rgb_pixels((80, 60), k), "bgr8", t - 5 * SECOND) for k, t in enumerate(thermal)}
    bag = plain_bag(tmp_path / "plain", thermal, rgb)
    arguments = ["--thermal-topic", "/thermal/image", "--rgb-topic", "/rgb/image"]
    assert dataset(tmp_path / "out", bag, *arguments, clock_offset=5.0) == 0
    assert len(index(tmp_path / "out")) == 3


def write_images(folder: Path, names: Callable[[int], tuple[str, str]], count: int = 3) -> None:
    for k, place in enumerate(places(count)):
        for name, pixels in zip(names(k), (thermal_pixels(place, k), rgb_pixels(place, k)), strict=True):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / name), pixels)


@pytest.mark.parametrize(
    ("names", "arguments"),
    [
        (lambda k: (f"p{k}_thermal.png", f"p{k}_rgb.png"), ["{}"]),
        (lambda k: (f"thermal/{k}.png", f"visible/{k}.png"), ["{}"]),
        (lambda k: (f"a/{k}.png", f"b/{k}.png"), ["{}/a:{}/b"]),
        (
            lambda k: (f"thr_image/7_1_{k}_1.png", f"rgb_image_aligned/7_1_{k}_3.png"),
            ["{}/thr_image:{}/rgb_image_aligned"],
        ),
        (lambda k: (f"sub_7/thr_image/7_1_{k}_1.png", f"sub_7/rgb_image/7_1_{k}_2.png"), ["{}"]),
        (lambda k: (f"train/thermal_8_bit/FLIR_0{k}.png", f"train/RGB/FLIR_0{k}.png"), ["{}"]),  # FLIR ADAS
        (lambda k: (f"infrared/train/0{k}.png", f"visible/train/0{k}.png"), ["{}"]),  # LLVIP
        (lambda k: (f"set00/V000/lwir/I0{k}.png", f"set00/V000/visible/I0{k}.png"), ["{}"]),  # KAIST
        (lambda k: (f"a/{1700000000000 + 111 * k}.png", f"b/{1700000000004 + 111 * k}.png"), ["{}/a:{}/b"]),
    ],
)
def test_folders_of_images_are_recordings(
    tmp_path: Path, dataset: Dataset, names: Callable[[int], tuple[str, str]], arguments: list[str]
) -> None:
    write_images(tmp_path / "in", names)
    given = [f"lab={text.replace('{}', str(tmp_path / 'in'))}" for text in arguments]
    assert dataset(tmp_path / "out", *given, subject_pattern="(7)_") == 0
    found = in_frame(tmp_path / "out", "lab")
    assert max(np.abs(one - truth(place)).max() for one, place in zip(found, places(3), strict=True)) < 1.0
    assert {entry.get("subject", "") for entry in index(tmp_path / "out")} <= {"", "7"}


def test_images_are_matched_by_the_times_in_their_names_which_is_said(
    tmp_path: Path, dataset: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    times = [1_700_000_000_000 + 111 * k for k in range(4)]
    write_images(tmp_path / "in", lambda k: (f"t/frame_{times[k]}.png", f"v/frame_{times[k] + 4}.png"), 4)
    (tmp_path / f"in/v/frame_{times[3] + 4}.png").rename(tmp_path / f"in/v/frame_{times[3] + 104}.png")
    assert dataset(tmp_path / "out", f"{tmp_path}/in/t:{tmp_path}/in/v") == 0
    assert "3 pairs by the times in their names, at most 0.05 s apart" in capsys.readouterr().err
    assert left_out(tmp_path / "out") == {"no RGB image at its time": 1, "no thermal image at its time": 1}
    assert [entry["stamp"] for entry in index(tmp_path / "out")] == pytest.approx([1e-3 * time for time in times[:3]])


# --- several recordings


def test_recordings_are_merged_and_people_kept_apart(tmp_path: Path, dataset: Dataset) -> None:
    bags = [episode(tmp_path / f"day{k}", places(4, k), f"s{k // 2}", seed=10 * k) for k in range(6)]
    assert dataset(tmp_path / "out", *bags) == 0
    told = about(tmp_path / "out")
    assert told["splits"]["by"] == "subject" and sorted(told["splits"]["groups"]) == ["s0", "s1", "s2"]
    assert {split: len(read_pairs(tmp_path / "out", split)) for split in ("train", "validation", "test")} == {
        "train": 8, "validation": 8, "test": 8,
    }  # fmt: skip
    assert all(entry["split"] == told["splits"]["groups"][entry["subject"]] for entry in index(tmp_path / "out"))


def test_with_few_people_episodes_are_kept_apart_and_with_few_episodes_times(tmp_path: Path, dataset: Dataset) -> None:
    bags = [episode(tmp_path / f"day{k}", places(10, k), "s1", seed=10 * k) for k in range(3)]
    assert dataset(tmp_path / "episodes", *bags) == 0
    assert about(tmp_path / "episodes")["splits"]["by"] == "episode"
    assert dataset(tmp_path / "time", *bags[:2]) == 0
    assert about(tmp_path / "time")["splits"] == {"by": "time"}
    for name in ("day0", "day1"):
        splits = [entry["split"] for entry in index(tmp_path / "time") if entry["episode"] == name]
        assert splits == ["train"] * 7 + ["validation"] * 1 + ["test"] * 2 or splits == ["train"] * 7 + [
            "validation"
        ] * 2 + ["test"]


def test_the_held_out_can_be_named(tmp_path: Path, dataset: Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    bags = [episode(tmp_path / f"day{k}", places(2, k), f"s{k}", seed=10 * k) for k in range(3)]
    assert dataset(tmp_path / "out", *bags, "--test", "s1", "--validation", "s0") == 0
    assert about(tmp_path / "out")["splits"]["groups"] == {"s0": "validation", "s1": "test", "s2": "train"}
    assert dataset(tmp_path / "out", *bags, "--test", "s9") == 2
    assert (
        "s9 must be people or episodes of the data set, which has: day0, day1, day2, s0, s1, s2"
        in capsys.readouterr().err
    )


def test_another_recording_adds_to_the_data_set_and_strikes_and_splits_stay(tmp_path: Path, dataset: Dataset) -> None:
    bags = [episode(tmp_path / f"day{k}", places(4, k), f"s{k}", seed=10 * k) for k in range(4)]
    out = tmp_path / "out"
    assert dataset(out, *bags[:3]) == 0
    before = about(out)["splits"]["groups"]
    strike(out, {1: "blurred", 5: "covered"})
    struck = {entry["thermal"]: entry["struck"] for entry in index(out) if "struck" in entry}
    assert dataset(out, bags[3]) == 0
    assert len(index(out)) == 16 and len(read_pairs(out)) == 14
    assert {entry["thermal"]: entry["struck"] for entry in index(out) if "struck" in entry} == struck
    after = about(out)["splits"]["groups"]
    assert {name: after[name] for name in before} == before and "s3" in after
    assert about(out)["counts"]["struck"] == {"blurred": 1, "covered": 1}


def test_it_is_always_the_same(tmp_path: Path, dataset: Dataset) -> None:
    bags = [episode(tmp_path / f"day{k}", places(3, k), f"s{k}", seed=10 * k) for k in range(3)]
    assert dataset(tmp_path / "out", *bags) == 0
    once = files(tmp_path / "out")
    assert dataset(tmp_path / "out", *bags) == 0  # nothing left to do
    assert files(tmp_path / "out") == once
    assert dataset(tmp_path / "again", *bags) == 0
    again = files(tmp_path / "again")
    assert {name for name in once if once[name] != again.get(name)} <= {
        "dataset.json", *(f"journal/day{k}.jsonl" for k in range(3))  # the command line is in them
    }  # fmt: skip
    for k in range(3):
        assert journal(tmp_path / "again", f"day{k}")[1:] == journal(tmp_path / "out", f"day{k}")[1:]


@pytest.mark.parametrize("lines", [1, 3, 4, 7])
def test_an_interrupted_run_goes_on_to_the_same_result(tmp_path: Path, dataset: Dataset, lines: int) -> None:
    """As a process that was killed leaves it: a journal that was cut within a line, perhaps images that are in no line."""
    bag = episode(tmp_path / "a", [(80.0, 60.0), *places(4), (80.0, 60.0)], "s1")
    out = tmp_path / "out"
    assert dataset(out, bag, min_change=0.05) == 0
    whole = files(out)
    path = out / "journal" / "a.jsonl"
    kept = path.read_text().splitlines(keepends=True)
    path.write_text("".join(kept[:lines]) + kept[lines][: len(kept[lines]) // 2])
    (out / "pairs.jsonl").unlink()
    assert dataset(out, bag, min_change=0.05) == 0
    assert files(out) == whole


@pytest.mark.slow
def test_ctrl_c_stops_it_and_the_same_command_goes_on(
    tmp_path: Path, dataset: Dataset, dummy_models: Path, teacher_python: Path, registration: Path
) -> None:
    bag = episode(tmp_path / "a", places(12), "s1")
    out = tmp_path / "out"
    command = [sys.executable, "-m", "thermal_fld_ros", "dataset", str(bag), "--out", str(out), "--registration", str(registration),
               "--teacher-python", str(teacher_python), "--models", str(dummy_models), "--unit", "centikelvin"]  # fmt: skip
    journalled = out / "journal" / "a.jsonl"
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "FAKE_SECONDS": "0.3"}) as run:
        end = time.monotonic() + 120
        while not journalled.is_file() or journalled.read_text().count("\n") < 4:
            if run.poll() is not None or time.monotonic() > end:
                run.kill()
                break
            time.sleep(0.02)
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "run the same command again to continue" in errors
    assert not (out / "pairs.jsonl").exists()
    assert 4 <= journalled.read_text().count("\n") < 13
    assert dataset(out, bag) == 0
    assert dataset(tmp_path / "whole", bag) == 0
    differing = {name for name, data in files(tmp_path / "whole").items() if files(out).get(name) != data}
    assert differing <= {"dataset.json", "journal/a.jsonl"}  # the command line is in them
    assert journal(out, "a")[1:] == journal(tmp_path / "whole", "a")[1:]


# --- what is wrong is named


def test_other_settings_are_refused(tmp_path: Path, dataset: Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    bag = episode(tmp_path / "a", places(2), "s1")
    assert dataset(tmp_path / "out", bag) == 0
    whole = files(tmp_path / "out")
    assert dataset(tmp_path / "out", bag, margin=0.5) == 2
    assert "made with other settings: choose another folder (storing: " in capsys.readouterr().err
    assert files(tmp_path / "out") == whole


def test_two_recordings_of_one_name_are_refused(
    tmp_path: Path, dataset: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    one = episode(tmp_path / "x" / "a", places(2), "s1")
    other = episode(tmp_path / "y" / "a", places(2, 3), "s1", seed=50)
    assert dataset(tmp_path / "out", one, other) == 2
    assert "two recordings are named a" in capsys.readouterr().err
    assert dataset(tmp_path / "out", one) == 0
    assert dataset(tmp_path / "out", other) == 2
    assert f"the folder holds another recording named a, {one}" in capsys.readouterr().err
    assert dataset(tmp_path / "out", f"b={other}") == 0
    assert {entry["episode"] for entry in index(tmp_path / "out")} == {"a", "b"}


def test_what_is_no_recording_is_named(tmp_path: Path, dataset: Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    bag = plain_bag(
        tmp_path / "plain",
        {START: image(thermal_pixels(None, 0), "mono16")},
        {START + 1: image(rgb_pixels(None, 0), "bgr8")},
    )
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    for arguments, options, message in (
        ([tmp_path / "none"], {}, "none: no such file or folder"),
        ([], {}, "no recording was given"),
        ([tmp_path / "empty"], {}, "0 thermal and 0 RGB images"),
        ([bag], {}, "which topic is thermal? There are images on: /rgb/image, /thermal/image"),
        ([bag, "--thermal-topic", "/nowhere"], {}, "no images on /nowhere"),
        ([bag], {"registration": None}, "--registration is missing"),
        ([bag], {"max_disagreement": 0}, "expected a share above 0"),
        ([bag], {"margin": -1}, "margin -1.0 and least change 0.0: expected 0 or more"),
        ([bag], {"registration": tmp_path / "empty" / "r.json"}, "r.json"),
        (
            [bag, "--thermal-topic", "/thermal/image", "--rgb-topic", "/rgb/image"],
            {"teacher_python": "/no/python"},
            "/no/python: cannot be run",
        ),
        (
            [bag, "--thermal-topic", "/thermal/image", "--rgb-topic", "/rgb/image"],
            {"teacher": "none.pt"},
            "none.pt: no such file",
        ),
    ):
        assert dataset(tmp_path / "out", *arguments, **options) == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "out").exists()
    topics = ["--thermal-topic", "/thermal/image", "--rgb-topic", "/rgb/image"]
    assert dataset(tmp_path / "full", bag, *topics) == 2
    assert "the folder holds files, but no dataset.json" in capsys.readouterr().err
    assert dataset(tmp_path / "out", bag, *topics) == 2
    assert "no face was kept" in capsys.readouterr().err


def test_a_killed_recording_is_to_be_recovered_first(
    tmp_path: Path, dataset: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = episode(tmp_path / "a", places(1), "s1")
    (bag / "a_1").mkdir()
    (bag / "a_1" / "a_1.mcap").write_bytes(b"")
    assert dataset(tmp_path / "out", bag) == 2
    assert "python -m thermal_fld_ros recover" in capsys.readouterr().err


def test_a_checksum_tells_what_was_changed(
    tmp_path: Path, dataset: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert dataset(out, episode(tmp_path / "a", places(2), "s1")) == 0
    assert dataset(out, "--check") == 0
    strike(out, {0: "blurred"})
    assert dataset(out, "--check") == 0
    path = out / index(out)[1]["thermal"]
    pixels = path.read_bytes()
    path.write_bytes(pixels[:-1] + b"x")
    assert dataset(out, "--check") == 1
    assert "the images do not match their checksum" in capsys.readouterr().out
    path.unlink()
    assert dataset(out, "--check") == 1
    path.write_bytes(pixels)
    (out / "pairs.jsonl").write_text("")
    assert dataset(out, "--check") == 1
