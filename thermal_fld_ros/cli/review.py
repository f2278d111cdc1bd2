# SPDX-License-Identifier: Apache-2.0
"""Review the faces of a data set and strike out bad ones, on a page in the browser.

  thermal-fld review mydata

The page is on this machine only. On a robot or a server: ssh -L 8765:127.0.0.1:8765 ROBOT, then open the printed address.
A strike is written to the index at once and can be taken back. Training does not read faces that are struck out.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from thermal_fld_ros.cli._pages import add_page_options, serve
from thermal_fld_ros.labelling.review import ReviewServer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="of `dataset`")
    add_page_options(parser)


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C; the exit status."""
    try:
        server = ReviewServer(args.folder, args.port)
    except (ValueError, OSError, OverflowError) as error:
        print(f"error: {args.folder}: {error}" if isinstance(error, OSError) else f"error: {error}", file=sys.stderr)
        return 2
    serve(server, args)
    struck = sum(face["struck"] is not None for face in server.listed())
    print(f"{args.folder}: {struck} faces are struck")
    return 0
