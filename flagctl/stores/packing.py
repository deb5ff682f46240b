"""Compressed bytes, the same for the same data, and bytes that may be compressed or not."""

from __future__ import annotations

import zlib
from collections import deque
from functools import lru_cache
from typing import Any

from flagctl.errors import OutsideError

LARGEST = 1 << 30
"""Bytes that are unpacked at most; a damaged or hostile file could claim to hold any number."""
_LEVEL = 3
_GZIP = 31
_MAGIC = b"\x1f\x8b"
_HEADER = _MAGIC + b"\x08\0\0\0\0\0\0\x03"
"""No name, no time, nothing about the level, and «Unix», also where zlib would say otherwise."""


_ahead: deque[tuple[bytes, Any, bytes]] = deque(maxlen=8)
"""Beginnings, the compressor after each, and what it has given so far."""


@lru_cache(maxsize=4)
def pack(data: bytes) -> bytes:
    """The data as gzip, without a time in it."""
    for start, reached, given in _ahead:
        if data.startswith(start):
            packer = reached.copy()
            return _headed(given + packer.compress(memoryview(data)[len(start) :]) + packer.flush())
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    return _headed(packer.compress(data) + packer.flush())


def _headed(packed: bytes) -> bytes:
    return packed if packed.startswith(_HEADER) else _HEADER + packed[len(_HEADER) :]


def is_strange(data: bytes) -> bool:
    """Whether it is packed under a header that `pack` does not write: one that fell to a flipped bit, or a stranger's.

    It is read all the same: who puts a file back by hand, or a service that compresses by itself, does no harm.
    """
    return data.startswith(_MAGIC) and not data.startswith(_HEADER)


def pack_ahead(start: bytes) -> None:
    """Do at once what `pack` would do for data that begin so, of which only the end is still to come."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    given = packer.compress(start)
    _ahead.append((start, packer, given))


def unpack(data: bytes, what: str) -> bytes:
    """The data that was packed; data that was not is given back. Raises OutsideError for half of it."""
    if not data.startswith(_MAGIC):
        return data
    unpacker = zlib.decompressobj(_GZIP)
    try:
        found = unpacker.decompress(data, LARGEST)
    except zlib.error as error:
        raise OutsideError(f"{what} is damaged: {error}", hint="publish again") from None
    if not unpacker.eof or unpacker.unconsumed_tail:
        raise OutsideError(f"{what} is damaged: its end is missing", hint="publish again")
    return found
