# SPDX-License-Identifier: Apache-2.0
"""From a checkpoint to the ONNX file that the node runs, with the metadata that the runtime reads (docs/architecture.md)."""

from __future__ import annotations

import datetime
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from thermal_fld_ros.distillation.checkpoint import load_trained, save_trained
from thermal_fld_ros.distillation.networks import FaceDetectorNet, LandmarkNet, confidence
from thermal_fld_ros.distillation.tasks import pick_peaks
from thermal_fld_ros.distillation.trainer import recipes
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
    config = state["config"]
    landmarks = isinstance(network, LandmarkNet)
    if isinstance(network, LandmarkNet):
        if network.channels != 1:
            raise ValueError(f"{checkpoint} takes {config['modality']} images, expected a thermal network")
        runtime: nn.Module = RuntimeLandmarks(network).eval()
        example = torch.rand(2, 1, config["size"], config["size"])
        other = example[:1]
        outputs, dynamic = ["points", "confidence", "score"], {0: "N"}
        shape: dict[str, Any] = {"size": config["size"], "crop_scale": config["crop_scale"]}
    else:
        runtime = RuntimeDetector(network).eval()  # type: ignore[arg-type]
        example, other = torch.rand(1, 1, 256, 320), torch.rand(1, 1, 320, 224)
        outputs, dynamic = ["boxes", "scores"], {2: "H", 3: "W"}
        shape = {"max_side": config["max_side"], "multiple": 2 ** (1 + len(config["network"]["widths"]))}
    axes = {"image": dynamic, **({name: {0: "N"} for name in outputs} if landmarks else {})}
    exported = io.BytesIO()
    torch.onnx.export(runtime, (example,), exported, input_names=["image"], output_names=outputs, dynamic_axes=axes,  # type: ignore[arg-type]
                      opset_version=OPSET, dynamo=False)  # fmt: skip
    metadata = _metadata(state, command, shape) | ({"comparison": comparison} if comparison else {})
    model = _with_metadata(exported.getvalue(), metadata)
    for image in (example, other):
        _compare(model, runtime, image, outputs)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(out, model)
    if landmarks:
        save_trained(state, out.with_suffix(".pt"))
    _describe(metadata, network, out)
    return metadata


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
    """Write the weights of a checkpoint alone (.pt), which other trainings start from; returns the metadata.

    A network for RGB images, of which there is no ONNX file, gets its metadata (.json) and model card (.md) here, and is written in
    half precision.
    """
    network, state = load_trained(checkpoint)
    rgb = state["config"].get("modality") == "rgb"
    save_trained(state, out, torch.float16 if rgb else torch.float32)
    shape = {key: state["config"][key] for key in ("size", "crop_scale") if key in state["config"]}
    metadata = _metadata(state, command, shape)
    if rgb:
        metadata |= {"name": out.stem, "task": "teacher"}
        _describe(metadata, network, out)
    return metadata


def _metadata(state: dict[str, Any], command: str, shape: dict[str, Any]) -> dict[str, Any]:
    """What the runtime reads, of a checkpoint; ``shape`` is that of the input."""
    config = state["config"]
    return {
        "name": config["name"], "version": str(config["version"]),
        "task": "detection" if config["task"] == "detection" else "landmarks", "licence": "Apache-2.0",
        "input": shape, "normalisation": config["normalisation"], "scheme": "ibug68", "threshold": config["threshold"],
        "training": {"command": command, "git": state["git"], "config": config,
                     "data": config.get("about_data", f"{RENDERS}; {SCENES_SOURCE}" if "scenes" in config else RENDERS),
                     "recipes": state.get("recipes") or recipes(config), "date": datetime.date.today().isoformat()},
        "metrics": state["figures"], **({"gate": config["gate"]} if "gate" in config else {}),
    }  # fmt: skip


def _describe(metadata: dict[str, Any], network: nn.Module, out: Path) -> None:
    """Write JSON and model card beside the file of a network."""
    parameters = sum(p.numel() for p in network.parameters())
    described = metadata | {"file": out.name, "bytes": out.stat().st_size, "parameters": parameters}
    out.with_suffix(".json").write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
    out.with_suffix(".md").write_text(model_card(described), encoding="utf-8")


PURPOSE = {
    "landmarks": "Finds the 68 iBUG points of one face in a square crop of a thermal image, with a confidence for each point and "
    "a score that tells whether its points are right. For human-robot interaction and ergonomics; not for "
    "identification, and no medical device.",
    "teacher": "Finds the 68 iBUG points of one face in a square crop of an RGB image, with a confidence for each point. Labels "
    "recordings (`dataset --teacher own`) and teaches thermal networks (`adapt --teacher`); the detector does not use it.",
    "detection": "Finds faces in a thermal image, as boxes around their 68 landmarks (brows to chin). For human-robot interaction "
    "and ergonomics; not for surveillance or identification.",
}
METRICS = {
    "nme": "mean point error over 68 points on {faces}, % of sqrt(w h) of the box",
    "nme51": "the same over the 51 inner points", "median": "median of the faces' mean errors, same unit",
    "recall": "share of {faces} of 10 px and more found at IoU 0.5 and the working point",
    "false_per_image": "boxes that overlap no face by IoU 0.3, an image, at the working point",
}  # fmt: skip


def model_card(metadata: dict[str, Any]) -> str:
    """Describe a model for people, from its JSON alone."""
    training = metadata["training"]
    adapted = training["config"].get("adapted_from")
    faces = "the faces that chose the epoch" if adapted else "rendered test faces"
    file = metadata.get("file", f"{metadata['name']}.onnx")
    rows = [
        ("file", f"`{file}`, {metadata['bytes'] / 1e6:.2f} MB, {metadata['parameters'] / 1e6:.2f} M parameters"),
        ("version", metadata["version"]), ("licence", metadata["licence"]),
        ("input", f"`{json.dumps(metadata['input'])}`, normalised by `{json.dumps(metadata['normalisation'])}`"),
        ("working point", f"score {metadata['threshold']}"),
        *([("gate", f"`{json.dumps(metadata['gate'])}`: weights of the detector's and this network's logit, and bias")]
          if "gate" in metadata else []),
         ("trained on", training["data"]),
        ("trained by", f"`{training['command']}` at commit {training['git']}, {training['date']}"),
        *([("adapted from", f"{adapted['name']} {adapted['version']}, commit {adapted['git']}")] if adapted else []),
        *((METRICS[k].format(faces=faces), f"{v:.3g}") for k, v in metadata["metrics"].items() if k in METRICS),
    ]  # fmt: skip
    command = "adapt" if adapted else "export"
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    return f"""# {metadata["name"]}

{PURPOSE[metadata["task"]]}

| | |
|---|---|
{table}
{_compared(metadata.get("comparison", {}))}
{_caution(metadata)}
Written by `python -m thermal_fld_ros {command}` from `{metadata["name"]}.json`, which holds the file's own metadata.
"""


def _caution(metadata: dict[str, Any]) -> str:
    """What the figures do not tell."""
    if "adapted_from" in metadata["training"]["config"]:
        return (
            "The held-out faces are of the camera that it was adapted to, and their labels are those of the data set: the "
            "figures say little of other cameras, and nothing of what the labels have wrong."
        )
    measured = "" if metadata["task"] == "teacher" else "; what was measured there is in `docs/accuracy.md`"
    return f"Figures of rendered people say little of real cameras{measured}."


def _compared(comparison: dict[str, dict[str, float]]) -> str:
    """A table of the networks that were trained beside this one; empty where there are none."""
    if not comparison:
        return ""
    sets = list(next(iter(comparison.values())))
    head = f"| {' | '.join(['trained beside it', *sets])} |\n{'|---' * (1 + len(sets))}|"
    rows = [f"| {' | '.join([name, *(f'{values[key]:.3g}' for key in sets)])} |" for name, values in comparison.items()]
    told = "NME in % of sqrt(w h), given the box, of all networks of the same plan (`docs/distillation.md`):"
    return "\n".join(["", told, "", head, *rows, ""])


def _compare(model: bytes, runtime: nn.Module, example: Tensor, outputs: list[str]) -> None:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    with torch.no_grad():
        expected = runtime(example)
    for name, ours, theirs in zip(outputs, session.run(outputs, {"image": example.numpy()}), expected, strict=True):
        reference = theirs.numpy()
        if name == "boxes":  # peaks of nearly equal score may change places: compare each with the nearest
            reference = reference[np.abs(reference[None] - ours[:, None]).max(-1).argmin(1)]
        if not np.allclose(ours, reference, atol=0.02):
            raise ValueError(
                f"onnxruntime's output {name} differs from torch's by {np.abs(ours - reference).max():.3g}"
            )
