# SPDX-License-Identifier: Apache-2.0
"""Inputs as people have them: what comes of each, in this version and in an earlier one.

    source scripts/env.sh
    python benchmarks/inputs.py --before 094e941 --out docs/results/inputs.md

It writes small inputs of every kind into a temporary folder, from the rendered demo clip and from nothing else, runs one command
on each with both versions and puts what they said side by side. The earlier version is taken from the repository's history.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "test"), str(ROOT / "benchmarks")]

from earlier import check_out  # noqa: E402
from input_files import (  # noqa: E402
    ROS1_TYPES,
    compressed_depth,
    compressed_message,
    image_message,
    png,
    raw_from_celsius,
    rvl,
    write_bag,
    write_deep_video,
    write_radiometric_jpeg,
    write_ros1_bag,
    write_table,
)

from thermal_fld_ros.provenance import git_state  # noqa: E402

LONGEST = 230
"""Characters of what a command said that are kept."""

FRAMES = np.load(ROOT / "resource/demo_clip.npz")["frames"][40:46]
CELSIUS = FRAMES.astype(np.float64) / 100.0 - 273.15
TIMES = [1_700_000_000_000 + 111 * k for k in range(len(FRAMES))]

PAIRS = (
    "import sys; from thermal_fld_ros.labelling.recordings import Matching, open_recording; "
    "r = open_recording(sys.argv[1], Matching()); print(r.length, 'pairs', r.left_out, getattr(r, 'how', ''))"
)
CAMERA = (
    "from sensor_msgs.msg import CameraInfo; from thermal_fld_ros.nodes.camera import CameraIntrinsics; "
    "info = CameraInfo(width=640, height=512, k=[400.0, 0, 320, 0, 400, 256, 0, 0, 1], {changes}); "
    "camera = CameraIntrinsics(lambda text: None); camera.update(info); "
    "import inspect, numpy; from thermal_fld_ros.perception.decoding import decode_array; "
    "frame = decode_array(numpy.zeros({shape}, numpy.uint16){options}); "
    "found = camera.of(frame if 'frame' in inspect.signature(camera.of).parameters else frame.image_size); "
    "print(camera.status, 'K ' + str(found.matrix[:2].ravel().tolist()) if found else '')"
)


def calibrated(changes: str, shape: tuple[int, int] = (512, 640), rows: tuple[int, int] | None = None) -> str:
    """Code that asks for the camera of an image of this shape, calibrated by a camera_info of 640 x 512 px with these changes."""
    options = (
        f", __import__('thermal_fld_ros.perception.decoding').perception.decoding.Decoding(rows={rows})" if rows else ""
    )
    return CAMERA.format(changes=changes, shape=shape, options=options)


@dataclass(frozen=True)
class Case:
    """A kind of input: how it is written into a folder, and the arguments that are run on it."""

    kind: str
    write: Callable[[Path], Any]
    arguments: tuple[str, ...]
    python: str = ""


def images(folder: Path, names: Callable[[int], str], frames: np.ndarray = FRAMES) -> None:
    """Write frames as images of these names."""
    for k, frame in enumerate(frames):
        (folder / names(k)).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / names(k)), frame)


def pairs(folder: Path, thermal: Callable[[int], str], rgb: Callable[[int], str]) -> None:
    """Write pairs of images of these names."""
    images(folder, thermal)
    images(folder, rgb, np.repeat((FRAMES >> 7).astype(np.uint8)[..., None], 3, axis=3))


def damaged(folder: Path) -> None:
    """A folder with a file that was cut, and what systems write beside files."""
    images(folder, lambda k: f"{k}.png")
    (folder / "2.png").write_bytes((folder / "2.png").read_bytes()[:3000])
    (folder / "._1.png").write_bytes(b"Mac OS X")
    (folder / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")


def messages(encoding: str = "mono16", dtype: Any = np.uint16, **options: Any) -> list[Any]:
    """The frames as image messages."""
    return [image_message(frame.astype(dtype), 10.0 + k / 9, encoding, **options) for k, frame in enumerate(FRAMES)]


def bag(folder: Path, encoding: str = "mono16", dtype: Any = np.uint16, shift: int = 0) -> Path:
    """A bag of raw images."""
    found = [
        image_message((frame.astype(np.int64) - shift).astype(dtype), 10.0 + k / 9, encoding)
        for k, frame in enumerate(FRAMES)
    ]
    return write_bag(folder / "bag", {"/image": found})


def compressed(folder: Path, form: str, code: Callable[[np.ndarray], np.ndarray]) -> None:
    """A bag of compressed images."""
    found = [compressed_message(code(frame), form, 10.0 + k / 9) for k, frame in enumerate(FRAMES)]
    write_bag(folder / "bag", {"/image": found})


def without_metadata(folder: Path) -> None:
    (bag(folder) / "metadata.yaml").unlink()


def without_storage(folder: Path) -> None:
    """As `ros2 bag reindex` leaves it where the storage is not named."""
    file = bag(folder) / "metadata.yaml"
    file.write_text(re.sub(r"storage_identifier:.*", "storage_identifier: ''", file.read_text()))


def without_profile(folder: Path) -> None:
    """An MCAP whose header names no profile."""
    (file,) = bag(folder).glob("*.mcap")
    content = file.read_bytes()
    length = int.from_bytes(content[25:29], "little")
    header = b"\0\0\0\0" + (length + 4).to_bytes(4, "little") + b"ros2"
    file.write_bytes(content[:17] + header + content[29:])


def cut(folder: Path) -> None:
    """A plain bag whose recording was killed."""
    (file,) = bag(folder).glob("*.mcap")
    (folder / "bag/bag_0.mcap").write_bytes(file.read_bytes()[:-200])
    file.unlink()
    (folder / "bag/metadata.yaml").unlink()


def repeats(folder: Path) -> None:
    """A 9 Hz camera that sends each image three times."""
    np.savez(folder / "clip.npz", frames=np.repeat(FRAMES, 3, axis=0), stamps=np.arange(18) / 27, unit="centikelvin")


def shutter(folder: Path) -> None:
    """A closed shutter: the last image for half a second."""
    frames = np.concatenate([FRAMES, np.repeat(FRAMES[-1:], 5, axis=0)])
    np.savez(folder / "clip.npz", frames=frames, stamps=np.arange(11) / 9, unit="centikelvin")


NPZ = ("predict", "clip.npz")
BAG = ("predict", "bag")
CASES = (
    Case("two folders, times in the names 4 ms apart",
         lambda f: pairs(f, lambda k: f"t/frame_{TIMES[k]}.png", lambda k: f"v/frame_{TIMES[k] + 4}.png"), ("t:v",), PAIRS),
    Case("FLIR ADAS: thermal_8_bit, RGB",
         lambda f: pairs(f, lambda k: f"in/thermal_8_bit/FLIR_0{k}.png", lambda k: f"in/RGB/FLIR_0{k}.png"), ("in",), PAIRS),
    Case("LLVIP: infrared, visible",
         lambda f: pairs(f, lambda k: f"in/infrared/0{k}.png", lambda k: f"in/visible/0{k}.png"), ("in",), PAIRS),
    Case("KAIST: lwir, visible",
         lambda f: pairs(f, lambda k: f"in/V000/lwir/I0{k}.png", lambda k: f"in/V000/visible/I0{k}.png"), ("in",), PAIRS),
    Case("TIFF of 6 pages", lambda f: cv2.imwritemulti(str(f / "stack.tif"), list(FRAMES)), ("predict", "stack.tif")),
    Case("FFV1 video of 16 bit", lambda f: write_deep_video(f / "clip.mkv", list(FRAMES), 9.0), ("predict", "clip.mkv")),
    Case("the same, as centikelvin", lambda f: write_deep_video(f / "clip.mkv", list(FRAMES), 9.0),
         ("predict", "clip.mkv", "--unit", "centikelvin")),
    Case("radiometric JPEG of FLIR", lambda f: write_radiometric_jpeg(f / "IR_1.jpg", raw_from_celsius(CELSIUS[0])),
         ("predict", "IR_1.jpg")),
    Case("9 Hz camera, each image three times", repeats, NPZ),
    Case("closed shutter", shutter, NPZ),
    Case("closed shutter, looked at all the same", shutter, (*NPZ, "--no-shutter")),
    Case("--provider cuda without a GPU", repeats, (*NPZ, "--provider", "cuda")),
    Case("array (H, W, T)", lambda f: np.save(f / "clip.npy", FRAMES.transpose(1, 2, 0)), ("predict", "clip.npy")),
    Case("array that may be (T, H, W) or (H, W, T)", lambda f: np.save(f / "clip.npy", np.zeros((160, 120, 160), np.uint16)),
         ("predict", "clip.npy")),
    Case("`recover` on a plain bag that was cut", cut, ("recover", "bag")),
    Case("plain bag that was cut", cut, BAG),
    Case("empty storage_identifier", without_storage, BAG),
    Case("MCAP without a profile", without_profile, BAG),
    Case("bag without metadata.yaml", without_metadata, BAG),
    Case("bag of ROS 1", lambda f: write_ros1_bag(f / "a.bag", {"/image": messages(types=ROS1_TYPES)}), ("predict", "a.bag")),
    Case("compressedDepth, PNG", lambda f: compressed(f, "16UC1; compressedDepth png", lambda x: compressed_depth(png(x))), BAG),
    Case("compressedDepth, RVL", lambda f: compressed(f, "16UC1; compressedDepth rvl", lambda x: compressed_depth(rvl(x))), BAG),
    Case("compressed, 16-bit PNG", lambda f: compressed(f, "16UC1; png compressed ", png), BAG),
    Case("encoding 16SC1", lambda f: bag(f, "16SC1", np.int16, 30000), BAG),
    Case("encoding 64FC1", lambda f: bag(f, "64FC1", np.float64), BAG),
    Case("encoding misspelt: Mono16", lambda f: bag(f, "Mono16"), BAG),
    Case("camera_info: equidistant", lambda f: None, (), calibrated("distortion_model='equidistant', d=[0.1, 0.0, 0.0, 0.0]")),
    Case("camera_info: binning 2 x 2", lambda f: None, (), calibrated("binning_x=2, binning_y=2", (256, 320))),
    Case("camera_info: telemetry rows dropped", lambda f: None, (), calibrated("", (514, 640), (2, 0))),
    Case("CSV with semicolons and decimal commas", lambda f: write_table(f / "IR.csv", [CELSIUS[0]], "semicolon"), ("predict", "IR.csv")),
    Case("CSV of ResearchIR, 6 images", lambda f: write_table(f / "IR.csv", list(CELSIUS), "researchir"), ("predict", "IR.csv")),
    Case("folder with a damaged file, ._1.png and Thumbs.db", damaged, ("predict", ".")),
    Case("the same with --strict", damaged, ("predict", ".", "--strict")),
    Case("what is it taken for", lambda f: np.savez(f / "clip.npz", frames=FRAMES), (*NPZ, "--list")),
)  # fmt: skip


def main() -> None:
    """Run all cases with both versions."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", metavar="COMMIT", help="the earlier version (default: only this one)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="Markdown (default: standard output)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        roots = [check_out(args.before, Path(temporary, "earlier"))] if args.before else []
        rows = []
        for number, case in enumerate(CASES):
            said = []
            for root in (*roots, ROOT):
                folder = Path(temporary, f"{number}_{root.name}")
                folder.mkdir()
                case.write(folder)
                said.append(outcome(case, folder, root))
            rows.append([case.kind, command(case), *said])
            print(f"{case.kind}: {said[-1]}", file=sys.stderr)
    text = page(rows, args.before)
    if args.out:
        args.out.write_text(text, encoding="utf-8")
    else:
        print(text, end="")


def command(case: Case) -> str:
    """What a person would type."""
    if case.python:
        what = "CameraIntrinsics.update" if case.python.startswith("from sensor_msgs") else "open_recording"
        return f"`{what}({', '.join(case.arguments)})`"
    return f"`{' '.join(case.arguments)}`"


def outcome(case: Case, folder: Path, root: Path) -> str:
    """Exit status and what was said, the last and most telling first."""
    start = ["-c", case.python] if case.python else ["-m", "thermal_fld_ros"]
    more = ["--json", "out.jsonl"] if case.arguments[:1] == ("predict",) and "--list" not in case.arguments else []
    path = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, *start, *case.arguments, *more],
        cwd=folder, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    lines = [line.strip() for line in (done.stdout + "\n" + done.stderr).splitlines() if line.strip()]
    lines = [line for line in lines if not re.match(r"\[ ?(WARN|ERROR|INFO)|usage:|\d+ frames, \d+\.\d/s|\[[#.]", line)]
    if "Traceback (most recent call last):" in lines:
        lines = ["traceback", lines[-1]]
    lines = [line for line in lines if "taken for a sequence" not in line]
    lines += [f"forehead {value:.1f} degC" for value in forehead(folder / "out.jsonl")]
    text = re.sub(r"\s+", " ", "; ".join(lines[:9] if "--list" in case.arguments else [*lines[-2:], *lines[:-2][:2]]))
    for place in (folder, root):
        text = text.replace(f"{place}/", "").replace(str(place), ".")
    text = text.replace("|", "\\|")
    return f"exit {done.returncode}: {text[:LONGEST]}{'...' if len(text) > LONGEST else ''}"


def forehead(file: Path) -> list[float]:
    """The first temperature of a forehead that `predict` has written, if any."""
    lines = file.read_text().splitlines() if file.is_file() else []
    found = [face["temperatures"]["forehead"] for line in lines for face in json.loads(line).get("faces", [])]
    return [value for value in found if value is not None][:1]


def page(rows: list[list[str]], before: str | None) -> str:
    """The document."""
    heads = ["input", "command", *([f"{before}"] if before else []), "now"]
    lines = [
        "# Input, case by case",
        "",
        f"Written by `python benchmarks/inputs.py{f' --before {before}' if before else ''}`, from small inputs that it makes of the "
        f"rendered demo clip. The column *now* is commit {git_state()}.",
        "Each row is one example of a kind of input, and [input](../input.md) lists what is supported. The clip has one face in each "
        f"of its {len(FRAMES)} images. If there are temperatures, the first forehead temperature is shown.",
        "",
        "| " + " | ".join(heads) + " |",
        "|" + "---|" * len(heads),
        *("| " + " | ".join(row) + " |" for row in rows),
        "",
        "Over DDS: `test/nodes/test_detector.py` and `test/nodes/test_capture.py` feed the nodes with compressedDepth, repeated images "
        "and 16SC1; `test/nodes/test_device.py` feeds the camera node with the buffers of a Y16 and of a two-part camera; "
        "`test/packaging/test_demo.py` has the demo fail where every image is refused.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
