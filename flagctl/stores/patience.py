"""How long an answer may take as a whole: a time-out is about each silence, and a byte now and then is none."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flagctl.stores.packing import LARGEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WHOLE = 6
"""Silences, each as long as may be, that an answer may take in all: a few are an overloaded server, more are none."""
_SLOWEST = 10_000
"""Bytes a second that an answer comes with, or it is given up: a telephone line of 1999 is not that slow."""
_PIECE = 1 << 16
_AGAIN = 0.1


def read_all(read1: Callable[[int], bytes], silence: float, *, clock: Callable[[], float] = time.monotonic) -> bytes:
    """All that is left of an answer; the larger it is the longer it may take.

    read1: gives what there is, at most so many bytes, and waits only while there is nothing. silence: seconds that it
    waits at most. Raises TimeoutError.
    """
    began, size = clock(), 0
    pieces: list[bytes] = []
    while size < LARGEST and (piece := read1(_PIECE)):
        pieces.append(piece)
        size += len(piece)
        taken = clock() - began
        if taken > WHOLE * silence + size / _SLOWEST:
            raise TimeoutError(f"timed out: it sent {size:,} bytes in {taken:.0f} seconds")
    return b"".join(pieces)


@contextmanager
def cut_after(silence: float, cut: Callable[[], object]) -> Iterator[None]:
    """Call `cut`, which breaks what the block waits for, when it takes longer than an answer may; and until it ends.

    For libraries that read an answer by themselves. Raises TimeoutError instead of what the block raises then.
    """
    over, late = threading.Event(), threading.Event()

    def watch() -> None:
        if not over.wait(WHOLE * silence):
            late.set()
            while not over.wait(_AGAIN):
                cut()

    threading.Thread(target=watch, daemon=True, name="flagctl-patience").start()
    try:
        yield
    except Exception:
        if late.is_set():
            raise TimeoutError(f"its answer was not whole after {WHOLE * silence:.0f} seconds") from None
        raise
    finally:
        over.set()
