# SPDX-License-Identifier: Apache-2.0
"""Finish the bags of recordings of the capture node that were killed.

  thermal-fld recover captures/2026-01-31_12-00-00

The bag is repaired in place: incomplete records are removed, and index, footer and metadata.yaml are written. A complete bag is left as it
is. ROS is not needed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from thermal_fld_ros.capture.bag import WRITE_ERRORS, BagError, recover
from thermal_fld_ros.recordings.manifest import mcap_cure


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("bags", type=Path, nargs="+", metavar="BAG", help="folder of a recording")


def run(arguments: argparse.Namespace) -> int:
    """Recover each bag; the exit status is 2 where one is none, is still being recorded, is damaged or cannot be written."""
    status = 0
    for bag in arguments.bags:
        try:
            result = recover(bag.absolute())
        except (BagError, *WRITE_ERRORS) as error:
            print(error, file=sys.stderr)
            status = 2
            continue
        counts = ", ".join(f"{topic} {count}" for topic, count in result.counts.items()) or "no messages"
        for name, reason in result.damaged.items():
            cure = f" {mcap_cure(bag / name)}" if name.endswith(".mcap") else ""
            print(
                f"{bag / name}: the file is damaged and was left as it is, outside of the bag: {reason}{cure}",
                file=sys.stderr,
            )
            status = 2
        print(f"{bag}: {'finished ' + ', '.join(result.finished) if result.finished else 'nothing to do'}; {counts}")
    return status
