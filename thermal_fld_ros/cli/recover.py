# SPDX-License-Identifier: Apache-2.0
"""Finish bags that a killed recording of the capture node has left.

  thermal-fld recover captures/2026-01-31_12-00-00

Works in place: what is cut is removed, index, footer and metadata.yaml are written. A bag that is whole stays as it is. Needs no ROS.
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
                f"{bag / name}: damaged, it stays as it is and is no part of the bag: {reason}{cure}", file=sys.stderr
            )
            status = 2
        print(f"{bag}: {'finished ' + ', '.join(result.finished) if result.finished else 'nothing to do'}; {counts}")
    return status
