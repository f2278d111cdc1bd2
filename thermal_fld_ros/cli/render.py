# SPDX-License-Identifier: Apache-2.0
"""Render labelled thermal images of people from the ICT-FaceKit morphable face.

  thermal-fld render --face-model FaceXModel --out runs/faces --count 1000

ICT-FaceKit's face model is not part of this package: docs/training.md says where to get it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m thermal_fld_ros render``."""
    parser.add_argument(
        "--face-model", type=Path, required=True, help="ICT-FaceKit's FaceXModel folder or its cached .npz"
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of the data set, or PNG file of the contact sheet"
    )
    parser.add_argument("--kind", choices=("face", "frame", "pair", "clip"), default="face",
                        help="face: one face in the middle (landmarks); frame: a camera's view (detector); "
                             "pair: a face in thermal and in colour, with its segmentation; "
                             "clip: two moving people, 160x120 at 9 Hz, one .npz")  # fmt: skip
    parser.add_argument("--count", type=int, default=1000, help="number of images")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first image; image k has the seed SEED + k")
    parser.add_argument(
        "--size", type=_size, help="size in pixels, such as 128 or 320x256 (default: 160; frames: 320x256; pairs: 128)"
    )
    parser.add_argument("--misregistration", type=float, default=0.0, metavar="FACTOR",
                        help="pairs: error of the registration; 1 is about 1.5 degrees and 2 %% of the image")  # fmt: skip
    parser.add_argument("--without", action="append", default=[], metavar="INGREDIENT",
                        help="leave an ingredient out of every scene, may be repeated: glasses, hair, poses, thermal, ... "
                             "(thermal_fld_ros/synthesis/ingredients.py)")  # fmt: skip
    parser.add_argument("--processes", type=int, default=1, help="number of processes that render (default: 1)")
    parser.add_argument(
        "--sheet", action="store_true", help="draw a contact sheet with the landmarks instead of a data set"
    )
    parser.add_argument(
        "--beside", type=Path, metavar="FOLDER", help="folder of your own thermal images to show on the sheet, too"
    )


def run(args: argparse.Namespace) -> int:
    """Render a data set or a contact sheet."""
    from thermal_fld_ros.synthesis.morphable import MorphableModelError

    try:
        _render(args)
    except (MorphableModelError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _render(args: argparse.Namespace) -> None:
    from tqdm import tqdm

    from thermal_fld_ros.synthesis.shards import SIZES, Recipe, render_shards

    if args.count < 1:
        raise ValueError(f"--count {args.count}: expected 1 or more")
    if args.beside and not args.sheet:
        raise ValueError("--beside can only be used with --sheet")
    if args.kind == "clip":
        from thermal_fld_ros.synthesis.clip import render_clip

        if args.sheet or args.size or args.misregistration or args.without:
            raise ValueError("--sheet, --size, --misregistration and --without cannot be used with --kind clip")
        render_clip(args.face_model, args.out, tqdm(range(args.count), unit="frame"), args.seed)
        return
    size = args.size or SIZES[args.kind]
    recipe = Recipe(args.kind, args.count, args.seed, size, args.misregistration, tuple(args.without))
    if args.sheet:
        from thermal_fld_ros.synthesis.sheet import renders_sheet

        real = renders_sheet(args.face_model, args.out, recipe, args.beside)
        shown = f"{args.count} renders" + (f" and {real} images of {args.beside}" if args.beside else "")
        print(f"{args.out}: {shown}; landmarks green where visible, red where hidden")
        return
    with tqdm(total=args.count, unit="image") as bar:
        for done in render_shards(args.face_model, args.out, recipe, args.processes):
            bar.update(done - bar.n)


def _size(text: str) -> tuple[int, int]:
    try:
        width, _, height = text.partition("x")
        return int(width), int(height or width)
    except ValueError:
        raise argparse.ArgumentTypeError(f'"{text}", expected pixels such as 128 or 320x256') from None
