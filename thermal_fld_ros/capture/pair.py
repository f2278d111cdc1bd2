# SPDX-License-Identifier: Apache-2.0
"""What is recorded together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class CapturedPair:
    """What belongs together: a message of each role.

    Attributes
    ----------
    messages : role -> bytes
        As they were received.
    stamp : int
        Of the thermal image, ns.
    gap : int
        The RGB image's stamp minus the thermal one's, clock offset included, ns.
    """

    messages: Mapping[str, bytes]
    stamp: int
    gap: int

    @property
    def size(self) -> int:
        """Bytes of all messages."""
        return sum(map(len, self.messages.values()))
