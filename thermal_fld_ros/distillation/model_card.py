# SPDX-License-Identifier: Apache-2.0
"""The page that describes a network for people, from its metadata."""

from __future__ import annotations

import json
from typing import Any

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
    before = training.get("before", [])
    stages = [one["config"] for one in before] + [training["config"]]
    teacher = next((stage["teacher"] for stage in reversed(stages) if stage.get("teacher")), None)
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
        *([("student by MLCM-KD of", f"`{teacher}`, see `docs/distillation.md`")] if teacher else []),
        ("trained by", f"`{training['command']}` at commit {training['git']}, {training['date']}"),
        *([("stages before", "; ".join(map(_stage, before)))] if before and not adapted else []),
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


def _stage(trained: dict[str, Any]) -> str:
    """One of the trainings whose weights a network began with."""
    config = trained["config"]
    teacher = f" of `{config['teacher']}`" if config.get("teacher") else ""
    pairs = config["pairs"]
    folders = ", ".join(f"`{folder}`" for folder in ([pairs] if isinstance(pairs, str) else pairs))
    return f"{config['epochs']} epochs by {', '.join(config['terms'])}{teacher} on {folders}, commit {trained['git']}"


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
    """A table of the networks that were trained beside this one, to tell what each way is worth; empty where there are none."""
    if not comparison:
        return ""
    sets = list(next(iter(comparison.values())))
    head = f"| {' | '.join(['trained beside it', *sets])} |\n{'|---' * (1 + len(sets))}|"
    rows = [f"| {' | '.join([name, *(f'{values[key]:.3g}' for key in sets)])} |" for name, values in comparison.items()]
    told = "NME in % of sqrt(w h), given the box, of networks that were trained beside it, means over seeds (`docs/distillation.md`):"
    return "\n".join(["", told, "", head, *rows, ""])
