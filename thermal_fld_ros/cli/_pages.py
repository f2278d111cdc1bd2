# SPDX-License-Identifier: Apache-2.0
"""Shared by the commands that serve a page."""

from __future__ import annotations

import argparse
import webbrowser

from thermal_fld_ros.labelling.page import PageServer

PORT = 8765


def add_page_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the page's port and browser."""
    parser.add_argument(
        "--port", type=int, default=PORT, help="port of the page; 0: any free port (default: %(default)s)"
    )
    parser.add_argument("--no-browser", action="store_true", help="print the address, but do not open a browser")


def serve(server: PageServer, args: argparse.Namespace) -> None:
    """Print the address, open it in the browser and serve until Ctrl-C."""
    print(f"{server.url}\nPress Ctrl-C to stop the server.", flush=True)
    if not args.no_browser:
        webbrowser.open(server.url)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
