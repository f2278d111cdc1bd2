# SPDX-License-Identifier: Apache-2.0
"""From a checkpoint to the ONNX file that the node runs, with the metadata that the runtime reads (docs/architecture.md)."""

from __future__ import annotations

import datetime
import io
import json
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from thermal_fld_ros.distillation.checkpoint import load_trained, save_trained
from thermal_fld_ros.distillation.config import recipes
from thermal_fld_ros.distillation.model_card import model_card
from thermal_fld_ros.distillation.networks import FaceDetectorNet, LandmarkNet, confidence, pick_peaks
from thermal_fld_ros.files import write_bytes

OPSET = 17
RENDERS = "renders of the ICT-FaceKit morphable face (MIT); no photographs of people"
SCENES_SOURCE = (
    "scenes without faces of HIT-UAV (Suo et al., github suojiashun/HIT-UAV-Infrared-Thermal-Dataset, CC BY 4.0)"
)


class RuntimeLandmarks(nn.Module):
    """image (N, 1, S, S) -> points (N, 68, 2) crop pixels, confidence (N, 68), score (N,)."""

    def __init__(self, network: LandmarkNet):
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See the class."""
        found, size = self.network(image), self.network.size
        return found.points * size + (size - 1) / 2, confidence(found.log_spread), torch.sigmoid(found.logit)


class RuntimeDetector(nn.Module):
    """image (1, 1, H, W) -> boxes (K, 4) x0, y0, x1, y1 input pixels, scores (K,), best first."""

    def __init__(self, network: FaceDetectorNet):
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        return pick_peaks(*self.network(image))


def export(
    checkpoint: Path,
    out: Path,
    command: str,
    comparison: dict[str, dict[str, float]] | None = None,
) -> dict[str, Any]:
    """Write the ONNX file of a checkpoint, and beside it its metadata (.json) and model card (.md); returns the metadata.

    Beside a landmark network lie its weights (.pt) too, which further training starts from.

    The network is run by onnxruntime and compared with torch before anything is written.

    Parameters
    ----------
    checkpoint, out : Path
    command : str
        That trained it.
    comparison : dict, optional
        Size and NME in % by test set, for this network and others that were trained beside it, by their names.

    Raises
    ------
    ValueError
        When the checkpoint cannot be used, its network does not take thermal images, or onnxruntime's outputs differ
        from torch's.
    OSError
        When a file cannot be written; what was there is as it was.
    """
    network, state = load_trained(checkpoint)
    if isinstance(network, LandmarkNet) and network.channels != 1:
        raise ValueError(f"{checkpoint} takes {state['config']['modality']} images, expected a thermal network")
    runtime = _runtime_of(network, state["config"])
    metadata = _metadata(state, command, runtime.input) | ({"comparison": comparison} if comparison else {})
    model = _with_metadata(_onnx(runtime), metadata)
    _compare(model, runtime)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(out, model)
    if isinstance(network, LandmarkNet):
        save_trained(state, out.with_suffix(".pt"))
    _describe(metadata, network, out)
    return metadata


class _Runtime(NamedTuple):
    """A network as the robot runs it: its outputs, its dynamic axes, images of two sizes to try it with, and the input's metadata."""

    module: nn.Module
    outputs: list[str]
    axes: dict[str, dict[int, str]]
    images: tuple[Tensor, Tensor]
    input: dict[str, Any]


def _runtime_of(network: nn.Module, config: dict[str, Any]) -> _Runtime:
    if isinstance(network, LandmarkNet):
        size, outputs = network.size, ["points", "confidence", "score"]
        images = torch.rand(2, 1, size, size), torch.rand(1, 1, size, size)
        axes = {name: {0: "N"} for name in ("image", *outputs)}
        shape = {"size": size, "crop_scale": config["crop_scale"]}
        return _Runtime(RuntimeLandmarks(network).eval(), outputs, axes, images, shape)
    assert isinstance(network, FaceDetectorNet)
    images = torch.rand(1, 1, 256, 320), torch.rand(1, 1, 320, 224)
    shape = {"max_side": config["max_side"], "multiple": 2 ** (1 + len(config["network"]["widths"]))}
    return _Runtime(RuntimeDetector(network).eval(), ["boxes", "scores"], {"image": {2: "H", 3: "W"}}, images, shape)


def _onnx(runtime: _Runtime) -> bytes:
    exported = io.BytesIO()
    with warnings.catch_warnings():
        # patches are normalised by their own statistics, in training and at run time
        warnings.filterwarnings("ignore", message=".*'instance_norm' is set to train=True")
        torch.onnx.export(
            runtime.module, (runtime.images[0],), exported, input_names=["image"], output_names=runtime.outputs,  # type: ignore[arg-type]
            dynamic_axes=runtime.axes, opset_version=OPSET, dynamo=False,
        )  # fmt: skip
    return exported.getvalue()


def _with_metadata(model: bytes, metadata: dict[str, Any]) -> bytes:
    network = onnx.load_model_from_string(model)
    onnx.helper.set_model_props(network, {"thermal_fld_ros": json.dumps(metadata)})
    return bytes(network.SerializeToString())


def set_gate(model: Path, gate: dict[str, float]) -> None:
    """Write the weights of the gate (`perception.gate.Gate`) into a landmark network's files: .onnx, .json, .md and .pt.

    Raises
    ------
    ValueError
        When the weights (.pt) beside the model cannot be used.
    OSError
        When a file cannot be read or written.
    """
    weights = model.with_suffix(".pt")
    _, state = load_trained(weights)
    state["config"]["gate"] = gate
    save_trained(state, weights)
    told = json.loads(model.with_suffix(".json").read_text(encoding="utf-8"))
    export(weights, model, told["training"]["command"], told.get("comparison"))


def export_weights(checkpoint: Path, out: Path, command: str) -> dict[str, Any]:
    """Write the weights of a checkpoint alone (.pt), in half precision, which other trainings start from; returns the metadata.

    A network for RGB images, of which there is no ONNX file, gets its metadata (.json) and model card (.md) here.
    """
    network, state = load_trained(checkpoint)
    rgb = state["config"].get("modality") == "rgb"
    save_trained(state, out, torch.float16)
    shape = {key: state["config"][key] for key in ("size", "crop_scale") if key in state["config"]}
    metadata = _metadata(state, command, shape)
    if rgb:
        metadata |= {"name": out.stem, "task": "teacher"}
        _describe(metadata, network, out)
    return metadata


def _metadata(state: dict[str, Any], command: str, shape: dict[str, Any]) -> dict[str, Any]:
    """What the runtime reads, of a checkpoint; ``shape`` is that of the input."""
    config, before = state["config"], state.get("before", [])
    made = {key: recipe for one in before for key, recipe in (one["recipes"] or {}).items()}
    made |= state.get("recipes") or recipes(config)
    scenes = any("scenes" in one for one in (config, *(one["config"] for one in before)))
    return {
        "name": config["name"], "version": str(config["version"]),
        "task": "detection" if config["task"] == "detection" else "landmarks", "licence": "Apache-2.0",
        "input": shape, "normalisation": config["normalisation"], "scheme": "ibug68", "threshold": config["threshold"],
        "training": {"command": command, "git": state["git"], "config": config,
                     "data": config.get("about_data") or _data(made, scenes),
                     "recipes": made, "before": [{key: one[key] for key in ("config", "git")} for one in before],
                     "date": datetime.date.today().isoformat()},
        "metrics": state["metrics"], **({"gate": config["gate"]} if "gate" in config else {}),
    }  # fmt: skip


def _data(made: dict[str, Any], scenes: bool) -> str:
    """What a network was trained on, with the authors and licences of the photographs (``photos --sources``)."""
    sources = [source for note in made.values() for source in note.values() if isinstance(source, dict)]
    credits = [
        f"{s['title']} ({s['authors']}, {s['licence']})" for s in sources if {"title", "authors", "licence"} <= s.keys()
    ]
    people, _, without = RENDERS.partition("; ")
    photographs = f"photographs of people: {', '.join(dict.fromkeys(credits))}" if credits else without
    return "; ".join([people, photographs, *([SCENES_SOURCE] if scenes else [])])


def _describe(metadata: dict[str, Any], network: nn.Module, out: Path) -> None:
    """Write JSON and model card beside the file of a network."""
    parameters = sum(p.numel() for p in network.parameters())
    described = metadata | {"file": out.name, "bytes": out.stat().st_size, "parameters": parameters}
    out.with_suffix(".json").write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
    out.with_suffix(".md").write_text(model_card(described), encoding="utf-8")


def _compare(model: bytes, runtime: _Runtime) -> None:
    """Raise ValueError where onnxruntime's outputs are not torch's."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    for image in runtime.images:
        with torch.no_grad():
            expected = runtime.module(image)
        found = session.run(runtime.outputs, {"image": image.numpy()})
        for name, ours, theirs in zip(runtime.outputs, found, expected, strict=True):
            reference = theirs.numpy()
            if name == "boxes":
                # Peaks of nearly equal score may change places, and at the last one another may be taken: compare the others, each with
                # the nearest.
                scores = found[runtime.outputs.index("scores")]
                ours = ours[scores > scores.min() + 1e-4]
                reference = reference[np.abs(reference[None] - ours[:, None]).max(-1).argmin(1)]
            if not np.allclose(ours, reference, atol=0.02):
                difference = np.abs(ours - reference).max()
                raise ValueError(f"onnxruntime's output {name} differs from torch's by {difference:.3g}")
