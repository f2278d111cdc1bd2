# SPDX-License-Identifier: Apache-2.0
"""How fast landmark networks of other sizes would be, before one is trained: random weights, one crop, one thread, in turns.

    source scripts/env.sh
    python benchmarks/network_speed.py [--rounds 40]

The graph is the one that `export` writes. Times are medians in ms; ratios to the shipped configuration are medians over the rounds.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from pipeline import machine
from torch import nn

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from thermal_fld_ros.distillation.export import OPSET, RuntimeLandmarks  # noqa: E402
from thermal_fld_ros.distillation.networks import LandmarkNet  # noqa: E402
from thermal_fld_ros.distillation.trainer import load_config  # noqa: E402

RUNS = 10
"""Of a network in each round."""
SMALLER: dict[str, dict[str, Any]] = {
    "crop of 96": {"size": 96},
    "bins 80": {"bins": 80},
    "depths 1 1 2": {"depths": [1, 1, 2]},
    "widths 16 32 64": {"stem": 16, "widths": [16, 32, 64]},
    "widths 16 32 64, neck 32, bins 80": {"stem": 16, "widths": [16, 32, 64], "neck": 32, "bins": 80},
    "widths 24 40 64": {"stem": 16, "widths": [24, 40, 64]},
    "crop of 96, widths 24 40 64": {"size": 96, "widths": [24, 40, 64]},
    "crop of 96, widths 16 32 64, neck 32": {"size": 96, "widths": [16, 32, 64], "neck": 32},
    "separable": {"separable": True},
    "separable, widths 32 64 96": {"separable": True, "widths": [32, 64, 96]},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/network_speed.json")
    args = parser.parse_args()
    torch.set_num_threads(1)
    started_on = machine()
    config = load_config(ROOT / "config/training/face_landmarks.yaml")
    shipped = {"size": config["size"], **config["network"]}
    rows = {name: prepared({**shipped, **changes}) for name, changes in ({"shipped": {}} | SMALLER).items()}
    times: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(args.rounds):
        for name, row in rows.items():
            times[name].append(fastest(row["session"], row["image"]))
    base = np.array(times["shipped"])
    result = {
        name: {
            "parameters": row["parameters"],
            "mmac": row["mmac"],
            "median_ms": round(1e3 * float(np.median(times[name])), 3),
            "ratio": round(float(np.median(np.array(times[name]) / base)), 3),
        }
        for name, row in rows.items()
    }
    text = json.dumps({"machine": started_on, "threads": 1, "shipped": shipped, "networks": result}, indent=1)
    args.out.write_text(text + "\n", encoding="utf-8")
    for name, row in result.items():
        print(
            f"{name:40} {row['parameters'] / 1e6:.2f} M, {row['mmac']:5.1f} MMAC, {row['median_ms']:.2f} ms, {row['ratio']:.2f}"
        )


def prepared(settings: dict[str, Any]) -> dict[str, Any]:
    """A session of one thread for a network of random weights, an image for it, and its size."""
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
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(buffer.getvalue(), options, providers=["CPUExecutionProvider"])
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return {"session": session, "image": image.numpy(), "parameters": parameters, "mmac": convolutions(network, image)}


def make_separable(module: nn.Module) -> None:
    """Replace each 3x3 convolution of more than one channel by a depth-wise and a point-wise one."""
    for name, child in module.named_children():
        if isinstance(child, nn.Conv2d) and child.kernel_size == (3, 3) and child.in_channels > 1:
            depthwise = nn.Conv2d(child.in_channels, child.in_channels, 3, child.stride, 1, groups=child.in_channels)
            pointwise = nn.Conv2d(child.in_channels, child.out_channels, 1, bias=False)
            setattr(module, name, nn.Sequential(depthwise, nn.ReLU(), pointwise))
        else:
            make_separable(child)


def convolutions(network: nn.Module, image: torch.Tensor) -> float:
    """Millions of multiplications in the convolutions and linear layers."""
    total = 0

    def count(layer: nn.Module, _: Any, output: torch.Tensor) -> None:
        nonlocal total
        weight = layer.weight
        total += output.numel() // weight.shape[0] * weight.numel()  # type: ignore[union-attr, operator]

    hooks = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    with torch.inference_mode():
        network(image)
    for hook in hooks:
        hook.remove()
    return round(total / 1e6, 1)


def fastest(session: onnxruntime.InferenceSession, image: Any) -> float:
    """Seconds of the median run of a few."""
    seconds = []
    for _ in range(RUNS):
        began = time.perf_counter()
        session.run(None, {"image": image})
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds))


if __name__ == "__main__":
    main()
