"""Compressed bytes, the same for the same data, and bytes that may be compressed or not."""

from __future__ import annotations

import zlib
from functools import lru_cache

from flagctl.errors import OutsideError

LARGEST = 1 << 30
"""Bytes that are unpacked at most; a damaged or hostile file could claim to hold any number."""
_LEVEL = 3
_GZIP = 31
_MAGIC = b"\x1f\x8b"


@lru_cache(maxsize=4)
def pack(data: bytes) -> bytes:
    """The data as gzip, without a time in it."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    return packer.compress(data) + packer.flush()


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
