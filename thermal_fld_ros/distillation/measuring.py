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
from thermal_fld_ros.distillation.config import CHANNELS, LandmarkConfig
from thermal_fld_ros.distillation.networks import landmark_net
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


def training_macs(config: LandmarkConfig, teacher: LandmarkConfig | None = None) -> int:
    """Multiply-accumulates of one sample in training; a pass backwards through what learns counts as two forwards.

    The student's backbone and head pass forwards and backwards (3), a teacher's forwards (1). Forward injection is a pass of the student's
    head more (3), reverse injection one of the teacher's head forwards, and backwards to its input (2).
    """
    encoder, head = _parts(config)
    total = 3 * (encoder + head)
    if teacher is not None:
        teacher_encoder, teacher_head = _parts(teacher)
        total += teacher_encoder + teacher_head
        total += 2 * teacher_head if "reverse_injection" in config.terms else 0
        total += 3 * head if "forward_injection" in config.terms else 0
    return total


def _parts(config: LandmarkConfig) -> tuple[int, int]:
    """Multiply-accumulates of a pass through encoder and head of a network."""
    network = landmark_net(config)
    channels = CHANNELS[config.modality]
    encoder = macs(network.encoder, config.size, channels)
    return encoder, macs(network, config.size, channels) - encoder


def cpu_ms(landmarker: Landmarker, repeats: int = 200) -> float:
    """Processor time of the network for one face in ms: the median of ``repeats`` runs."""
    image = np.random.default_rng(0).random((1, 1, landmarker.size, landmarker.size), np.float32)
    times = []
    for _ in range(repeats + 20):
        started = time.process_time()
        landmarker.model.run(image=image)
        times.append(time.process_time() - started)
    return float(np.median(times[20:])) * 1000
