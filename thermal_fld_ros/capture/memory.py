# SPDX-License-Identifier: Apache-2.0
"""Memory for images that come and go."""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's mallopt."""

LARGEST_BLOCK, KEPT_FREE = 32 << 20, 128 << 20
"""Bytes. The first is the most that glibc permits."""


def keep_large_blocks() -> None:
    """Let this process keep the memory of images that it has freed, for the next ones.

    glibc gives large blocks back to the kernel and asks for them again, zeroed, page by page: 1600 page faults and more than half of the
    processor time of writing a pair of images (`benchmarks/capture.py`). Without glibc nothing changes.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(M_MMAP_THRESHOLD, LARGEST_BLOCK)
        libc.mallopt(M_TRIM_THRESHOLD, KEPT_FREE)
