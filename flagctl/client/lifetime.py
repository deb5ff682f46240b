"""The open clients of this process: closed at its end, mended after a fork."""

from __future__ import annotations

import atexit
import os
import time
from typing import Protocol
from weakref import WeakSet

GOODBYE = 2.0
"""Seconds that an end waits for a look that is under way: its network may be silent."""


class Living(Protocol):
    """Something with a life of its own."""

    def close(self, patience: float = GOODBYE) -> None:
        """End it, within so many seconds."""

    def after_fork(self) -> None:
        """Go on in the child of a fork, where its thread did not come along."""


OPEN: WeakSet[Living] = WeakSet()


def _close_all() -> None:
    end = time.monotonic() + GOODBYE  # for all together
    for one in list(OPEN):
        one.close(max(0.0, end - time.monotonic()))


def _fork_all() -> None:
    for one in list(OPEN):
        one.after_fork()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_fork_all)
