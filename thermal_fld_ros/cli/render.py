# SPDX-License-Identifier: Apache-2.0
"""Render labelled thermal images of people from the ICT-FaceKit morphable face."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m thermal_fld_ros render``."""
    parser.add_argument("--face-model", type=Path, required=True, help="ICT-FaceKit's FaceXModel folder or its cached .npz")
    parser.add_argument("--out", type=Path, required=True, help="folder of the data set, or the PNG of a contact sheet")
    parser.add_argument("--kind", choices=("face", "frame", "clip"), default="face",
                        help="face: one face in the middle (landmarks); frame: a camera's view (detector); "
                             "clip: two moving people, 160x120 at 9 Hz, one .npz")  # fmt: skip
    parser.add_argument("--count", type=int, default=1000, help="number of images")
    parser.add_argument("--seed", type=int, default=0, help="image k is the scene of seed + k")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--sheet", action="store_true", help="draw a contact sheet with the landmarks instead of a data set")


def run(args: argparse.Namespace) -> int:
    """Render a data set or a contact sheet."""
    from tqdm import tqdm

    from thermal_fld_ros.synthesis.shards import Recipe, render_shards

    if args.sheet:
        from thermal_fld_ros.synthesis.sheet import contact_sheet

        contact_sheet(args.face_model, args.out, args.kind, args.count, args.seed)
        print(f"{args.out}: {args.count} renders, landmarks green where visible, red where hidden")
        return 0
    if args.kind == "clip":
        from thermal_fld_ros.synthesis.clip import render_clip

        render_clip(args.face_model, args.out, tqdm(range(args.count), unit="frame"), args.seed)
        return 0
    recipe = Recipe(args.kind, args.count, args.seed, (160, 160) if args.kind == "face" else (320, 256))
    with tqdm(total=args.count, unit="image") as bar:
        for done in render_shards(args.face_model, args.out, recipe, args.processes):
            bar.update(done - bar.n)
    return 0
