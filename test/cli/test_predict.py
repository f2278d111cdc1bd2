# SPDX-License-Identifier: Apache-2.0
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from dummy_models import face_scene

from thermal_fld_ros import cli
from thermal_fld_ros.__main__ import main


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.npz"
    images = [face_scene((160, 120), [(60 + i, 60, 30)], seed=i) for i in range(5)]
    np.savez_compressed(path, frames=np.stack(images), stamps=10 + np.arange(5) / 9)
    return path


def predict(models: Path, *arguments: object) -> int:
    return main(["predict", *map(str, arguments), "--models", str(models)])


def records(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_json_has_one_object_a_frame(dummy_models: Path, clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "faces.jsonl"
    assert predict(dummy_models, clip, "--unit", "centikelvin", "--json", out) == 0
    found = records(out)
    assert [record["frame"] for record in found] == [0, 1, 2, 3, 4]
    assert [record["stamp"] for record in found] == pytest.approx(list(10 + np.arange(5) / 9))
    assert found[2]["source"] == "clip.npz[2]"
    assert (found[0]["width"], found[0]["height"]) == (160, 120)
    for record in found:
        (face,) = record["faces"]
        assert set(face) == {"id", "score", "roi", "points", "confidence", "temperatures"}
        assert (face["id"], len(face["roi"]), len(face["confidence"])) == ("f0001", 4, 68)
        assert np.shape(face["points"]) == (68, 2)
        assert face["temperatures"]["nose"] == pytest.approx(34.85, abs=0.3)


def test_json_goes_to_standard_output_where_nothing_else_is_asked(dummy_models: Path, clip: Path, capsys) -> None:
    assert predict(dummy_models, clip) == 0
    output = capsys.readouterr()
    faces = [json.loads(line)["faces"] for line in output.out.splitlines()]
    assert [len(found) for found in faces] == [1] * 5
    assert set(faces[0][0]["temperatures"].values()) == {None}
    assert "5 frames, faces in 5" in output.err


def test_rotated_frames_give_points_in_the_incoming_image(dummy_models: Path, tmp_path: Path, capsys) -> None:
    cv2.imwrite(str(tmp_path / "image.png"), face_scene((120, 160), [(40, 100, 30)]))
    assert predict(dummy_models, tmp_path / "image.png", "--rotate", 90, "--rows", 5, 7) == 0
    (face,) = json.loads(capsys.readouterr().out)["faces"]
    assert np.mean(face["points"], axis=0) == pytest.approx((40, 100), abs=6)
    brows, chin = np.mean(face["points"][17:27], axis=0), np.array(face["points"][8])
    assert brows[0] < chin[0] - 10  # the left side becomes the top


def test_overlay_into_a_video_a_folder_and_a_file(dummy_models: Path, clip: Path, tmp_path: Path) -> None:
    assert predict(dummy_models, clip, "--overlay", tmp_path / "out.avi", "--json", tmp_path / "out.jsonl") == 0
    video = cv2.VideoCapture(str(tmp_path / "out.avi"))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 5
    assert video.read()[1].shape == (480, 640, 3)

    assert predict(dummy_models, clip, "--overlay", tmp_path / "folder") == 0
    assert len(sorted((tmp_path / "folder").glob("*.png"))) == 5

    cv2.imwrite(str(tmp_path / "image.png"), face_scene((160, 120), [(60, 60, 30)]))
    assert predict(dummy_models, tmp_path / "image.png", "--overlay", tmp_path / "drawn.png") == 0
    assert cv2.imread(str(tmp_path / "drawn.png")).shape == (480, 640, 3)


def test_a_folder_of_sizes_makes_one_video(dummy_models: Path, tmp_path: Path) -> None:
    for index, size in enumerate([(160, 120), (120, 160), (320, 240)]):
        cv2.imwrite(str(tmp_path / f"{index}.png"), face_scene(size, [(60, 60, 30)]))
    assert predict(dummy_models, tmp_path, "--overlay", tmp_path / "out.avi") == 0
    assert cv2.VideoCapture(str(tmp_path / "out.avi")).get(cv2.CAP_PROP_FRAME_COUNT) == 3


def test_unrelated_images_share_no_ids(dummy_models: Path, clip: Path, tmp_path: Path) -> None:
    predict(dummy_models, clip, "--independent", "--json", tmp_path / "out.jsonl")
    assert [record["faces"][0]["id"] for record in records(tmp_path / "out.jsonl")] == [f"f000{i}" for i in range(1, 6)]


def test_a_frame_that_cannot_be_decoded_is_told_and_skipped(dummy_models: Path, tmp_path: Path, capsys) -> None:
    image = face_scene((160, 120), [(60, 60, 30)]).astype(np.float32)
    np.save(tmp_path / "clip.npy", np.stack([image, np.full_like(image, np.nan), image]))
    assert predict(dummy_models, tmp_path / "clip.npy", "--json", tmp_path / "out.jsonl") == 0
    found = records(tmp_path / "out.jsonl")
    assert "faces" not in found[1]
    assert found[1]["error"].startswith("not_finite: 100% of the pixels")
    assert len(found[2]["faces"]) == 1
    assert "clip.npy[1]: 100% of the pixels" in capsys.readouterr().err


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """A folder of three images, one of them cut."""
    folder = tmp_path / "damaged"
    folder.mkdir()
    for name in "abc":
        cv2.imwrite(str(folder / f"{name}.png"), face_scene((160, 120), [(60, 60, 30)]))
    (folder / "b.png").write_bytes((folder / "b.png").read_bytes()[:1000])
    (folder / "._a.png").write_bytes(b"Mac OS X")
    return folder


def test_a_damaged_file_is_named_and_counted_and_the_rest_goes_on(
    dummy_models: Path, damaged: Path, tmp_path: Path, capsys
) -> None:
    assert predict(dummy_models, damaged, "--json", tmp_path / "out.jsonl", "--independent") == 0
    found = records(tmp_path / "out.jsonl")
    assert [len(record.get("faces", [])) for record in found] == [1, 0, 1]
    assert found[1]["source"] == "b.png" and "b.png: not an image" in found[1]["error"]
    told = capsys.readouterr().err
    assert "b.png: not an image that OpenCV can read" in told
    assert "3 frames, faces in 2, 1 could not be decoded" in told
    assert "hidden files" in told
    assert predict(dummy_models, damaged, "--json", tmp_path / "out.jsonl", "--strict") == 1


def test_frames_of_a_closed_shutter_are_marked_and_the_switch_looks_at_them(
    dummy_models: Path, tmp_path: Path, capsys
) -> None:
    scenes = [face_scene((160, 120), [(60 + i, 60, 30)], seed=i) for i in range(4)]
    np.savez(tmp_path / "clip.npz", frames=np.stack([*scenes, *[scenes[-1]] * 3]), stamps=np.arange(7) / 9)
    assert predict(dummy_models, tmp_path / "clip.npz", "--json", tmp_path / "out.jsonl") == 0
    found = records(tmp_path / "out.jsonl")
    assert [record["shutter"] for record in found] == ["live"] * 4 + ["repeated", "frozen", "frozen"]
    assert [len(record["faces"]) for record in found] == [1] * 5 + [0] * 2
    assert found[4]["faces"] == found[3]["faces"]
    assert "2 from a closed shutter" in capsys.readouterr().err
    assert predict(dummy_models, tmp_path / "clip.npz", "--json", tmp_path / "out.jsonl", "--no-shutter") == 0
    found = records(tmp_path / "out.jsonl")
    assert {(record["shutter"], len(record["faces"])) for record in found} == {("live", 1)}


def test_a_provider_that_is_not_there_is_an_error(dummy_models: Path, clip: Path, capsys) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    assert predict(dummy_models, clip, "--provider", "cuda") == 2
    assert 'execution provider "cuda" is required' in capsys.readouterr().err
    assert predict(dummy_models, clip, "--provider", "cpu") == 0


def test_axes_of_another_order_are_said(dummy_models: Path, tmp_path: Path, capsys) -> None:
    scenes = np.stack([face_scene((160, 120), [(60, 60, 30)], seed=i) for i in range(5)])
    np.save(tmp_path / "clip.npy", scenes.transpose(1, 2, 0))
    assert predict(dummy_models, tmp_path / "clip.npy", "--json", tmp_path / "out.jsonl") == 0
    assert "read as (H, W, T), 5 images" in capsys.readouterr().err
    assert [len(record["faces"]) for record in records(tmp_path / "out.jsonl")] == [1] * 5
    assert predict(dummy_models, tmp_path / "clip.npy", "--axes", "HWT", "--json", tmp_path / "out.jsonl") == 0
    assert "read as" not in capsys.readouterr().err
    assert predict(dummy_models, tmp_path / "clip.npy", "--axes", "HTX") == 2


def test_the_list_tells_what_an_input_is_taken_for(clip: Path, damaged: Path, tmp_path: Path, capsys) -> None:
    assert main(["predict", str(clip), "--list", "--unit", "centikelvin"]) == 0
    told = capsys.readouterr().out
    for text in (
        "array (5, 120, 160) uint16, axes THW", "160 x 120 px, mono16", "centikelvin, as --unit says", "degC, median",
        "10.000 to 10.444 s, 9 images a second",
    ):  # fmt: skip
        assert text in told
    assert main(["predict", str(clip), "--list"]) == 0
    told = capsys.readouterr().out
    assert "counts, as neither --unit nor the input says" in told
    assert "a room temperature in degC: centikelvin (" in told
    assert main(["predict", str(damaged), "--list"]) == 0
    told = capsys.readouterr().out
    assert "folder of 3 .png" in told and "1, the first:" in told and "b.png" in told


def test_an_implausible_unit_is_told(dummy_models: Path, clip: Path, capsys) -> None:
    predict(dummy_models, clip, "--unit", "kelvin")
    assert 'is the unit really "kelvin"' in capsys.readouterr().err
    predict(dummy_models, clip, "--unit", "0.01,-273.15")
    output = capsys.readouterr()
    assert "is the unit really" not in output.err
    assert json.loads(output.out.splitlines()[0])["faces"][0]["temperatures"]["nose"] == pytest.approx(34.85, abs=0.3)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["absent.npz"], "absent.npz: no such file or folder"),
        (["clip.npz", "--unit", "fahrenheit"], 'unit "fahrenheit" is unknown, expected counts'),
        (["clip.npz", "--rows", "-1", "0"], "rows to drop must not be negative"),
        (["clip.npz", "--threads", "0"], "threads is 0"),
        (["clip.npz", "--overlay", "one.png"], "one image file cannot hold 5 frames"),
        (["clip.npz", "--models", "nowhere"], "nowhere/face_detector.onnx: cannot be read"),
    ],
)
def test_wrong_calls_are_told_in_one_line(
    dummy_models: Path, clip: Path, monkeypatch: pytest.MonkeyPatch, capsys, arguments: list[str], text: str
) -> None:
    monkeypatch.chdir(clip.parent)
    assert main(["predict", "--models", str(dummy_models), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert text in error
    assert error.count("\n") == 1


# The entry point


def test_help_lists_every_command_without_importing_it() -> None:
    program = "import sys; from thermal_fld_ros.__main__ import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    program += "print(sorted({'cv2', 'onnxruntime', 'torch', 'numba', 'rclpy'} & set(sys.modules)))"
    root = Path(__file__).parents[2]
    result = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    assert "predict" in result.stdout
    assert "Find faces and their landmarks" in result.stdout
    assert result.stdout.endswith("[]\n")


def test_predict_needs_neither_ros_nor_training_libraries(dummy_models: Path, clip: Path) -> None:
    program = (
        "import sys; from thermal_fld_ros.__main__ import main\n"
        f"main(['predict', {str(clip)!r}, '--models', {str(dummy_models)!r}])\n"
        "assert not {'rclpy', 'torch', 'numba', 'onnx', 'rosbags'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[2], capture_output=True, check=True)


@pytest.mark.parametrize("arguments", [[], ["dance"]])
def test_an_unknown_command_is_refused(arguments: list[str], capsys) -> None:
    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert error.value.code == 2
    assert "COMMAND" in capsys.readouterr().err


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    module = '"""Learn."""\n\nimport numba.absent\n\ndef add_arguments(parser): ...\n\ndef run(args): return 0\n'
    (tmp_path / "learn.py").write_text(module)
    monkeypatch.setattr(cli, "__path__", [*cli.__path__, str(tmp_path)])
    monkeypatch.setitem(sys.modules, "numba", None)
    assert main(["learn"]) == 1
    assert 'learn needs numba.absent: pip install "thermal_fld_ros[train]"' in capsys.readouterr().err
