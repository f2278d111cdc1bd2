# SPDX-License-Identifier: Apache-2.0
"""Point the CMake exports of the ROS 2 wheels at this virtual environment.

The exports carry the absolute paths of the machine that built the wheels, for the headers of Python and of numpy; a
message package cannot be built against them as they are. Run by the environment's own Python. Running it again changes
nothing.
"""

import re
import sys
import sysconfig
from pathlib import Path

import numpy as np

BUILDER = r"/opt/python/cp\d+-cp\d+"
REPAIRS = (
    (re.compile(BUILDER + r"/lib/python[\d.]+/site-packages/numpy/_?core/include"), np.get_include()),
    (re.compile(BUILDER + r"/include/python[\d.]+"), sysconfig.get_path("include")),
)


def repair(prefix: Path) -> int:
    """Repair every export under `prefix` and return how many files changed."""
    changed = 0
    for export in prefix.glob("share/**/*.cmake"):
        text = before = export.read_text(encoding="utf-8")
        for pattern, path in REPAIRS:
            text = pattern.sub(lambda _, path=path: path, text)
        if text != before:
            export.write_text(text, encoding="utf-8")
            changed += 1
    return changed


if __name__ == "__main__":
    print(f"repaired {repair(Path(sys.prefix))} CMake exports")
