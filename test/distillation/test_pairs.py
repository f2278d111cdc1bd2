# SPDX-License-Identifier: Apache-2.0
"""Pairs of thermal and colour images: both halves stay together, and either half or the labels may be missing."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from thermal_fld_ros.datasets.pairs import read_pairs
from thermal_fld_ros.datasets.sample import DataSetError
from thermal_fld_ros.distillation.augmentation import INGREDIENTS
from thermal_fld_ros.distillation.config import SampleConfig
from thermal_fld_ros.distillation.pairs import MixedSamples, PairSamples, PlainPairs, open_samples
from thermal_fld_ros.perception.geometry import Affine
from thermal_fld_ros.perception.normalisation import Normalisation
from thermal_fld_ros.synthesis.morphable import MIRROR68
from thermal_fld_ros.synthesis.shards import load_shards

CONFIG = SampleConfig(
    size=64, crop_scale=1.5, normalisation=Normalisation("percentile", 0.0, 100.0), without=(*INGREDIENTS, "gain")
)
NOSE, EYE = 30, 36
TO_RGB = Affine.similarity(2.3, 0.2, (40.0, 40.0), (110.0, 95.0))


def points(rng: np.random.Generator) -> np.ndarray:
    """68 points in a thermal image of 80 x 80 whose roll is small."""
    row = np.linspace(0, 1, 68)
    cloud = np.column_stack([40 + 17 * np.cos(20 * row), 40 + 17 * np.sin(20 * row)])
    cloud[17:27, 1] = cloud[36:48, 1] = 28
    cloud[6:11, 1] = cloud[48:68, 1] = 54
    return cloud + rng.normal(0, 0.5, 2)


def spot(size: tuple[int, int], at: np.ndarray, radius: float) -> np.ndarray:
    """An image (height, width) in [0, 1] with one bright spot."""
    x, y = np.arange(size[0]), np.arange(size[1])[:, None]
    return np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * radius**2))


def write(folder: Path, count: int, marked: int = NOSE, **without: list[int]) -> Path:
    """Pairs in which one point is bright, in both images; fields named in `without` are left out of those lines."""
    rng = np.random.default_rng(0)
    lines = []
    for k in range(count):
        truth = points(rng)
        cv2.imwrite(str(folder / f"t{k}.png"), (3e4 + 500 * spot((80, 80), truth[marked], 1.5)).astype(np.uint16))
        colour = (255 * spot((220, 200), TO_RGB(truth[marked]), 1.5 * TO_RGB.scale)).astype(np.uint8)
        cv2.imwrite(str(folder / f"c{k}.png"), np.repeat(colour[:, :, None], 3, axis=2))
        line = {"thermal": f"t{k}.png", "rgb": f"c{k}.png", "points": truth.tolist(), "to_rgb": TO_RGB.matrix.tolist(),
                "box": [*truth.min(0), *np.ptp(truth, axis=0)]}  # fmt: skip
        lines.append({key: value for key, value in line.items() if k not in without.get(key, [])})
    (folder / "pairs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def amended(folder: Path, *more: dict[str, Any]) -> Path:
    """The first lines with more fields."""
    lines = [json.loads(line) for line in (folder / "pairs.jsonl").read_text().splitlines()]
    for line, fields in zip(lines, more, strict=False):
        line |= fields
    (folder / "pairs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def brightest(image: np.ndarray) -> np.ndarray:
    """Centre of what is bright, x and y in crop pixels."""
    light = np.clip(image.mean(0) - 0.5 * image.mean(0).max(), 0, None).astype(np.float64)
    y, x = np.mgrid[: light.shape[0], : light.shape[1]]
    return np.array([(light * x).sum(), (light * y).sum()]) / light.sum()


def in_pixels(sample: dict[str, Any], point: int) -> np.ndarray:
    return sample["points"][point] * 64 + 31.5


def drawn(samples: PairSamples, k: int, seed: int) -> dict[str, Any]:
    torch.manual_seed(seed)
    return samples[k]


def test_both_halves_and_the_labels_stay_together(tmp_path: Path) -> None:
    samples = PairSamples(CONFIG, write(tmp_path, 3), "thermal", "rgb")
    places, apart = [], []
    for seed in range(60):
        sample = drawn(samples, seed % 3, seed)
        place = in_pixels(sample, NOSE)
        if (place > 5).all() and (place < 58).all():
            places.append(place)
            apart.append(np.abs(brightest(sample["image"]) - place).max())
            apart.append(np.abs(brightest(sample["teacher_image"]) - place).max())
    assert len(places) > 40
    assert np.std(places, axis=0).min() > 1  # crops do move
    assert max(apart) < 1.0


def test_a_mirrored_eye_is_the_other_eye(tmp_path: Path) -> None:
    samples = PairSamples(CONFIG, write(tmp_path, 1, marked=EYE), "thermal", "rgb")
    labels = {EYE: 0, 45: 0}
    for seed in range(40):
        sample = drawn(samples, 0, seed)
        for label in labels:
            near = [
                np.abs(brightest(sample[half]) - in_pixels(sample, label)).max() < 1.0
                for half in ("image", "teacher_image")
            ]
            labels[label] += all(near)
    assert min(labels.values()) > 8


def test_registration_moves_the_teachers_view_only(tmp_path: Path) -> None:
    samples = PairSamples(replace(CONFIG, registration=1.0), write(tmp_path, 1), "thermal", "rgb")
    moved = []
    for seed in range(50):
        sample = drawn(samples, 0, seed)
        if np.abs(in_pixels(sample, NOSE) - 31.5).max() > 28:  # a crop that has lost the face
            continue
        assert np.abs(brightest(sample["image"]) - in_pixels(sample, NOSE)).max() < 1.0
        moved.append(brightest(sample["teacher_image"]) - in_pixels(sample, NOSE))
    assert 0.7 < np.std(moved) < 2.5  # 2 % of 64 pixels


def test_colour_crops_are_labelled_where_the_thermal_ones_are(tmp_path: Path) -> None:
    folder = write(tmp_path, 1)
    for modality, channels in (("thermal", 1), ("rgb", 3)):
        plain = PlainPairs(CONFIG, folder, modality).plain(0)
        assert plain["image"].shape == (channels, 64, 64)
        assert np.abs(brightest(plain["image"]) - in_pixels(plain, NOSE)).max() < 0.5


def test_what_is_missing_is_masked(tmp_path: Path) -> None:
    folder = write(tmp_path, 4, rgb=[1], points=[2], thermal=[3])
    samples = PairSamples(CONFIG, folder, "thermal", "rgb")
    assert (len(samples), samples.left_out) == (3, 1)
    whole, no_rgb, no_points = (drawn(samples, k, 1) for k in range(3))
    assert [sample["has_teacher"] for sample in (whole, no_rgb, no_points)] == [1, 0, 1]
    assert not no_rgb["teacher_image"].any()
    assert whole["label_weight"].all()
    assert not no_points["label_weight"].any()
    assert len(torch.utils.data.default_collate([whole, no_rgb, no_points])["teacher_image"]) == 3
    assert len(PlainPairs(CONFIG, folder, "thermal")) == 2  # what has no labels cannot validate


def test_without_a_thermal_image_points_are_the_colour_images_own(tmp_path: Path) -> None:
    truth = points(np.random.default_rng(1))
    image = np.repeat((255 * spot((80, 80), truth[NOSE], 1.5)).astype(np.uint8)[:, :, None], 3, axis=2)
    cv2.imwrite(str(tmp_path / "c.png"), image)
    (tmp_path / "pairs.jsonl").write_text(json.dumps({"rgb": "c.png", "points": truth.tolist()}))
    plain = PlainPairs(CONFIG, tmp_path, "rgb").plain(0)
    assert np.abs(brightest(plain["image"]) - in_pixels(plain, NOSE)).max() < 0.5


def test_some_points_may_be_unlabelled(tmp_path: Path) -> None:
    folder = write(tmp_path, 1)
    line = json.loads((folder / "pairs.jsonl").read_text())
    line["points"][5] = None
    (folder / "pairs.jsonl").write_text(json.dumps(line))
    weight = drawn(PairSamples(CONFIG, folder, "thermal"), 0, 0)["label_weight"]
    assert sorted(np.flatnonzero(weight == 0)) in ([5], [11])  # mirrored or not


def test_a_label_weighs_what_it_is_worth_also_in_the_mirror(tmp_path: Path) -> None:
    worth = np.linspace(0, 1, 68)
    folder = amended(write(tmp_path, 1), {"confidence": worth.tolist()})
    samples = PairSamples(CONFIG, folder, "thermal")
    drawings = [drawn(samples, 0, seed)["label_weight"] for seed in range(8)]
    assert any(np.allclose(weight, worth, atol=1e-6) for weight in drawings)
    assert any(np.allclose(weight, worth[MIRROR68], atol=1e-6) for weight in drawings)


def test_a_split_is_read_without_what_was_struck(tmp_path: Path) -> None:
    folder = amended(
        write(tmp_path, 4),
        {"split": "train", "episode": "monday", "stamp": 1.5},
        {"split": "validation"},
        {"split": "train", "struck": "blurred"},
    )
    assert [(pair.name, pair.episode, pair.stamp) for pair in read_pairs(folder, "train")] == [
        ("000001", "monday", 1.5)
    ]
    assert [pair.name for pair in read_pairs(folder)] == ["000001", "000002", "000004"]
    assert len(PairSamples(CONFIG, folder, "thermal", split="train")) == 1
    assert len(PlainPairs(CONFIG, folder, "thermal", split="validation")) == 1
    with pytest.raises(DataSetError, match="no pairs of split test, it has no split, train, validation"):
        read_pairs(folder, "test")


def test_renders_have_no_splits(rendered_pairs: Path) -> None:
    with pytest.raises(DataSetError, match=r'no pairs\.jsonl, so no split "train"'):
        read_pairs(rendered_pairs, "train")


def test_count_and_labelled_take_the_first(tmp_path: Path) -> None:
    samples = PairSamples(replace(CONFIG, count=3, labelled=1), write(tmp_path, 4), "thermal")
    assert [bool(drawn(samples, k, 0)["label_weight"].all()) for k in range(len(samples))] == [True, False, False]


def test_rendered_pairs_are_pairs(rendered_pairs: Path, rendered: Path) -> None:
    pairs = read_pairs(rendered_pairs)
    assert len(pairs) == 48
    assert pairs[0].pixels("rgb").shape == (64, 64, 3)
    assert all(pair.rgb is None for pair in read_pairs(rendered / "faces"))  # thermal only
    with pytest.raises(ValueError, match="none of 32 pairs has a rgb image"):
        PairSamples(CONFIG, rendered / "faces", "rgb")


def test_every_face_of_a_rendered_frame_that_can_be_learnt_from_is_a_pair(rendered: Path) -> None:
    images, labels = load_shards(rendered / "frames")
    size = np.sqrt(np.prod(np.ptp(labels["points"], axis=1), axis=1))
    wanted = labels["facing"] & (size >= 12) & (labels["visible"].mean(axis=1) >= 0.25)
    pairs = read_pairs(rendered / "frames")
    assert len(images) < len(labels["points"]) and 0 < len(pairs) == wanted.sum()
    for pair, row in zip(pairs, np.flatnonzero(wanted), strict=True):
        np.testing.assert_array_equal(pair.pixels("thermal"), images[labels["frame"][row]])
        np.testing.assert_allclose(pair.face.points, labels["points"][row])


def test_crops_without_a_face_teach_nothing_but_that(rendered: Path, rendered_pairs: Path) -> None:
    samples = PairSamples(replace(CONFIG, negatives=1.0), rendered_pairs, "thermal", "rgb", rendered / "frames")
    sample = drawn(samples, 0, 0)
    assert (sample["face"], sample["has_teacher"], sample["label_weight"].sum()) == (0, 0, 0)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"line 1: not JSON"),
        ('{"points": []}', "expected an object with thermal or rgb"),
        ('{"thermal": "t0.png", "colour": "c0.png"}', "expected an object with thermal or rgb"),
        ('{"thermal": "t0.png"}', "neither a box nor points"),
        ('{"thermal": "none.png", "box": [0, 0, 9, 9]}', r"line 1: no file .*none\.png"),
        ('{"thermal": "t0.png", "box": [0, 0, 9, 9], "to_rgb": [1, 2]}', "expected two rows of three numbers"),
        ('{"thermal": "t0.png", "box": [0, 0, 9, 9], "confidence": [2]}', "expected 68 numbers from 0 to 1"),
        ('{"thermal": "t0.png", "box": [0, 0, 9, 9], "split": "rest"}', "expected one of train, validation, test"),
        ('{"thermal": "t0.png", "box": [0, 0, 9, 9], "stamp": "noon"}', "line 1: 'noon' is not a number"),
    ],
)
def test_a_line_that_is_wrong_is_named(tmp_path: Path, line: str, message: str) -> None:
    write(tmp_path, 1)
    (tmp_path / "pairs.jsonl").write_text(line)
    with pytest.raises(DataSetError, match=message):
        read_pairs(tmp_path)


def test_a_folder_without_pairs_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match=r"neither pairs\.jsonl nor whole renders"):
        read_pairs(tmp_path)


def test_folders_are_mixed_by_their_shares(tmp_path: Path) -> None:
    for name, count in (("few", 2), ("many", 20)):
        (tmp_path / name).mkdir()
        write(tmp_path / name, count, points=list(range(count)) if name == "few" else [])
    shares = {str(tmp_path / "few"): 3, str(tmp_path / "many"): 1}
    samples = open_samples(shares, CONFIG, "thermal")
    torch.manual_seed(0)
    unlabelled = sum(not samples[0]["label_weight"].any() for _ in range(80))
    assert len(samples) == 22 and 45 < unlabelled < 75


def test_labels_of_a_folder_can_be_kept_back(tmp_path: Path, rendered_pairs: Path) -> None:
    folder = str(write(tmp_path, 3))
    samples = open_samples({folder: 1, str(rendered_pairs): 1}, CONFIG, "thermal", unlabelled=[folder])
    assert isinstance(samples, MixedSamples)
    assert [bool(drawn(part, 0, 0)["label_weight"].any()) for part in samples.parts] == [False, True]


def test_a_split_is_that_of_the_folders_with_a_list(tmp_path: Path, rendered_pairs: Path) -> None:
    amended(write(tmp_path, 3), {"split": "train"}, {"split": "test"}, {"split": "train"})
    samples = open_samples({str(tmp_path): 1, str(rendered_pairs): 1}, CONFIG, "thermal", split="train")
    assert len(samples) == 2 + 48


def test_a_share_that_is_not_positive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a positive number"):
        open_samples({str(write(tmp_path, 2)): 0}, CONFIG, "thermal")
