"""The open clients of this process: closed at its end, mended after a fork."""

from __future__ import annotations

import atexit
import os
from typing import Protocol
from weakref import WeakSet


class Living(Protocol):
    """Something with a life of its own."""

    def close(self) -> None:
        """End it."""

    def after_fork(self) -> None:
        """Go on in the child of a fork, where its thread did not come along."""


OPEN: WeakSet[Living] = WeakSet()


def _close_all() -> None:
    for one in list(OPEN):
        one.close()


def _fork_all() -> None:
    for one in list(OPEN):
        one.after_fork()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_fork_all)
