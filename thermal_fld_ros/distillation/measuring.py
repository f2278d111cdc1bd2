# SPDX-License-Identifier: Apache-2.0
"""What a trained landmark network costs, and how good it is."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from thermal_fld_ros.datasets.sample import DataSet
from thermal_fld_ros.distillation.checkpoint import load_trained
from thermal_fld_ros.evaluation.given_box import given_box_errors
from thermal_fld_ros.perception.landmarker import Landmarker
from thermal_fld_ros.perception.models import load_model


def measurements(checkpoint: Path, model: Path, sets: Sequence[DataSet]) -> dict[str, Any]:
    """What a landmark network costs, and its errors on test sets by the protocol "given box" of ``evaluate``.

    Returns
    -------
    dict with ``parameters``, ``macs`` (multiply-accumulates a face), ``cpu_ms`` (processor time a face, onnxruntime with one
    thread) and ``tests``: by data set, its ``given_box_errors``.
    """
    landmarker = Landmarker(load_model(model, provider="cpu"))
    network, _ = load_trained(checkpoint)
    return {
        "parameters": sum(p.numel() for p in network.parameters()),
        "macs": macs(network, landmarker.size),
        "cpu_ms": round(cpu_ms(landmarker), 3),
        "tests": {data.name: given_box_errors(landmarker, data) for data in sets},
    }


def macs(network: nn.Module, size: int, channels: int = 1) -> int:
    """Multiply-accumulates of convolutions and matrix products for one crop."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, channels, size, size))
    return int(counter.get_total_flops()) // 2


def cpu_ms(landmarker: Landmarker, repeats: int = 200) -> float:
    """Processor time of the network for one face in ms: the median of ``repeats`` runs."""
    image = np.random.default_rng(0).random((1, 1, landmarker.size, landmarker.size), np.float32)
    times = []
    for _ in range(repeats + 20):
        started = time.process_time()
        landmarker.model.run(image=image)
        times.append(time.process_time() - started)
    return float(np.median(times[20:])) * 1000
