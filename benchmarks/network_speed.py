# SPDX-License-Identifier: Apache-2.0
"""How fast networks are on one thread: those of the shipped files, of an earlier commit's, and landmark networks of other sizes.

    source scripts/env.sh
    python benchmarks/network_speed.py [--rounds 40] [--before COMMIT]

The networks of other sizes have random weights, and the graph that `export` writes: so their speed is known before one is trained. All
run in turns on random input, the landmark networks on one crop, the detectors at the input that they make of an image. Times are medians
in ms; ratios are medians over the rounds: to the earlier commit's file, or to the wide network that teaches the shipped one.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from earlier import file_of
from numpy.typing import NDArray
from pipeline import machine
from torch import nn

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from thermal_fld_ros.distillation.export import OPSET, RuntimeLandmarks  # noqa: E402
from thermal_fld_ros.distillation.fields import read_mapping  # noqa: E402
from thermal_fld_ros.distillation.networks import LandmarkNet  # noqa: E402
from thermal_fld_ros.perception.detector import Detector  # noqa: E402
from thermal_fld_ros.perception.landmarker import Landmarker  # noqa: E402
from thermal_fld_ros.perception.models import (  # noqa: E402
    DETECTOR_FILE,
    LANDMARKS_FILE,
    default_model_folder,
    load_model,
)

RUNS = 10
"""Of a network in each round."""
IMAGES = ((640, 512), (160, 120))
"""Sizes of the images in which faces are detected."""
COUNTED = ("Conv", "Gemm", "MatMul")
"""Operators whose multiplications are counted; the shipped networks have no others that count."""
SMALLER: dict[str, dict[str, Any]] = {
    "crop of 96": {"size": 96},
    "bins 80": {"bins": 80},
    "depths 1 1 2": {"depths": [1, 1, 2]},
    "widths 16 32 64, shipped": {"stem": 16, "widths": [16, 32, 64]},
    "widths 16 32 64, neck 32, bins 80": {"stem": 16, "widths": [16, 32, 64], "neck": 32, "bins": 80},
    "widths 24 40 64": {"stem": 16, "widths": [24, 40, 64]},
    "crop of 96, widths 24 40 64": {"size": 96, "widths": [24, 40, 64]},
    "crop of 96, widths 16 32 64, neck 32": {"size": 96, "widths": [16, 32, 64], "neck": 32},
    "separable": {"separable": True},
    "separable, widths 32 64 96": {"separable": True, "widths": [32, 64, 96]},
}


@dataclass(frozen=True, eq=False)
class Candidate:
    """A network as it is timed.

    Attributes
    ----------
    session : InferenceSession
        On one thread.
    image : (1, 1, H, W) float32
    mmac : float
        Millions of multiplications.
    parameters : int
    """

    session: onnxruntime.InferenceSession
    image: NDArray[np.float32]
    mmac: float
    parameters: int = 0

    @classmethod
    def of(cls, content: bytes, size: tuple[int, int], parameters: int = 0) -> Candidate:
        """Of an ONNX file's bytes, for an input of `size` (width, height)."""
        image = np.random.default_rng(0).random((1, 1, size[1], size[0]), dtype=np.float32)
        return cls(session_of(content), image, multiplications(content, image), parameters)

    def seconds(self) -> float:
        """Of the median run of a few."""
        found = []
        for _ in range(RUNS):
            began = time.perf_counter()
            self.session.run(None, {"image": self.image})
            found.append(time.perf_counter() - began)
        return float(np.median(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--before", metavar="COMMIT", help="time the networks of an earlier version, too")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/network_speed.json")
    args = parser.parse_args()
    torch.set_num_threads(1)
    started_on = machine()
    config = read_mapping(ROOT / "config/training/face_landmarks_lids.yaml")
    wide = {"size": config["size"], **config["network"]}
    networks = {name: untrained({**wide, **changes}) for name, changes in ({"wide": {}} | SMALLER).items()}
    folder = default_model_folder()
    versions = {"now": {file: (folder / file).read_bytes() for file in (DETECTOR_FILE, LANDMARKS_FILE)}}
    if args.before:
        versions[args.before] = {file: file_of(args.before, f"models/{file}") for file in versions["now"]}
    files = {version: of_files(contents) for version, contents in versions.items()}
    everything = [*networks.values(), *(candidate for each in files.values() for candidate in each.values())]
    times: dict[Candidate, list[float]] = {candidate: [] for candidate in everything}
    for _ in range(args.rounds):
        for candidate, found in times.items():
            found.append(candidate.seconds())

    def figures(candidate: Candidate, reference: Candidate) -> dict[str, float]:
        own, base = np.array(times[candidate]), np.array(times[reference])
        return {
            "mmac": candidate.mmac,
            "median_ms": round(1e3 * float(np.median(own)), 3),
            "ratio": round(float(np.median(own / base)), 3),
        }

    result: dict[str, Any] = {"machine": started_on, "threads": 1, "wide": wide, "before": args.before}
    reference = files[args.before or "now"]
    result["files"] = {
        case: {
            "input": list(files["now"][case].image.shape[:1:-1]),
            "versions": {version: figures(each[case], reference[case]) for version, each in files.items()},
        }
        for case in files["now"]
    }
    result["networks"] = {
        name: {"parameters": candidate.parameters, **figures(candidate, networks["wide"])}
        for name, candidate in networks.items()
    }
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for case, found in result["files"].items():
        for version, row in found["versions"].items():
            print(f"{case + ', ' + version:40} {row['mmac']:5.1f} MMAC, {row['median_ms']:.2f} ms, {row['ratio']:.2f}")
    for name, row in result["networks"].items():
        print(
            f"{name:40} {row['parameters'] / 1e6:.2f} M, {row['mmac']:5.1f} MMAC, {row['median_ms']:.2f} ms, {row['ratio']:.2f}"
        )


def of_files(contents: dict[str, bytes]) -> dict[str, Candidate]:
    """The landmark network on a crop, and the detector at the input that it makes of each size of images."""
    with tempfile.TemporaryDirectory() as folder:
        for file, content in contents.items():
            Path(folder, file).write_bytes(content)
        size = Landmarker(load_model(Path(folder, LANDMARKS_FILE), provider="cpu")).size
        detector = Detector(load_model(Path(folder, DETECTOR_FILE), provider="cpu"))
    candidates = {"landmarks": Candidate.of(contents[LANDMARKS_FILE], (size, size))}
    for image in IMAGES:
        padded = detector._sizes(image)[1]
        candidates[f"detector, {image[0]} x {image[1]}"] = Candidate.of(contents[DETECTOR_FILE], padded)
    return candidates


def untrained(settings: dict[str, Any]) -> Candidate:
    """A landmark network of random weights."""
    separable = settings.pop("separable", False)
    network = LandmarkNet(**settings).eval()
    if separable:
        make_separable(network.encoder)
    image = torch.rand(1, 1, network.size, network.size)
    buffer = io.BytesIO()
    names = ["points", "confidence", "score"]
    axes = {name: {0: "N"} for name in ["image", *names]}
    torch.onnx.export(
        RuntimeLandmarks(network).eval(), (image,), buffer, input_names=["image"], output_names=names,  # type: ignore[arg-type]
        dynamic_axes=axes, opset_version=OPSET, dynamo=False,
    )  # fmt: skip
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return Candidate.of(buffer.getvalue(), (network.size, network.size), parameters)


def session_of(content: bytes) -> onnxruntime.InferenceSession:
    """On one thread of the processor."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def make_separable(module: nn.Module) -> None:
    """Replace each 3x3 convolution of more than one channel by a depth-wise and a point-wise one."""
    for name, child in module.named_children():
        if isinstance(child, nn.Conv2d) and child.kernel_size == (3, 3) and child.in_channels > 1:
            depthwise = nn.Conv2d(child.in_channels, child.in_channels, 3, child.stride, 1, groups=child.in_channels)
            pointwise = nn.Conv2d(child.in_channels, child.out_channels, 1, bias=False)
            setattr(module, name, nn.Sequential(depthwise, nn.ReLU(), pointwise))
        else:
            make_separable(child)


def multiplications(content: bytes, image: NDArray[np.float32]) -> float:
    """Millions of multiplications in the convolutions and products of matrices of an ONNX file that is run on an image."""
    model = onnx.load_from_string(content)
    weights = {tensor.name: tensor.dims for tensor in model.graph.initializer}
    nodes = [node for node in model.graph.node if node.op_type in COUNTED]
    wanted = dict.fromkeys(name for node in nodes for name in (node.input[0], node.output[0]) if name != "image")
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted)
    found = session_of(model.SerializeToString()).run(list(wanted), {"image": image})
    shapes = {name: value.shape for name, value in zip(wanted, found, strict=True)}
    total = 0
    for node in nodes:
        summands = np.prod(weights[node.input[1]][1:]) if node.op_type == "Conv" else shapes[node.input[0]][-1]
        total += int(np.prod(shapes[node.output[0]])) * int(summands)
    return round(total / 1e6, 1)


if __name__ == "__main__":
    main()
