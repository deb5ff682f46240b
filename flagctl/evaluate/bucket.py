"""Bucketing: a salt and a value to one of 100,000 buckets, without state (schema/vectors).

`murmur3_x86_32` is Austin Appleby's MurmurHash3 (public domain), seed 0, read as unsigned; scaling by
`(hash * total) >> 32` is flagd's `fractional` of generations 2 and 3. The CBOR text head is RFC 8949, 3.1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import mmh3

BUCKETS = 100_000
_PORTABLE_LENGTH = 120
_DOTS = "." * _PORTABLE_LENGTH
_SMALLEST, _LARGEST = -(2**63), 2**64 - 1
_LAUNCHDARKLY_SCALE = 0xFFF_FFFF_FFFF_FFFF


def key_text(value: object) -> str | None:
    """The text that is hashed for a context's value: text as it is, an integer in decimal.

    None for what can't be bucketed: nothing, empty text (OpenFeature SDKs send it for «no targeting
    key»), a boolean, a float, an integer beyond 64 bits, a list, an object.
    """
    if isinstance(value, str):
        return str.__str__(value) or None  # an Enum with text in it has its own idea of str()
    if isinstance(value, int) and not isinstance(value, bool):
        number = int.__index__(value)
        return str(number) if _SMALLEST <= number <= _LARGEST else None
    return None


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _cbor_text(text: str) -> bytes:
    data = _utf8(text)
    size = len(data)
    if size < 24:
        return bytes((0x60 + size,)) + data
    width = next(w for w in (1, 2, 4, 8) if size < 1 << 8 * w)
    return bytes((0x77 + width.bit_length(),)) + size.to_bytes(width, "big") + data


def _portable(salt: str, value: str) -> bytes:
    return _cbor_text((salt + ":" + value + _DOTS)[:_PORTABLE_LENGTH])


def _flagd_2(salt: str, value: str) -> bytes:
    return _utf8(salt + value)


def _flagd_3(salt: str, value: str) -> bytes:
    return _cbor_text(salt + value)


GENERATIONS: dict[str, Callable[[str, str], bytes]] = {
    "portable": _portable,
    "flagd-2": _flagd_2,
    "flagd-3": _flagd_3,
}


def bits(generation: str, salt: str, value: str) -> int:
    """The 32 bits of a person under a salt."""
    return mmh3.hash(GENERATIONS[generation](salt, value), 0, False)


def bucket(generation: str, salt: str, value: str) -> int:
    """The bucket, 0..99,999, of a person under a salt."""
    return bits(generation, salt, value) * BUCKETS >> 32


def threshold(share: int) -> int:
    """The least number of 32 bits whose bucket is not below a share: `bits < threshold(n)` says `bucket < n`."""
    return -(-(share << 32) // BUCKETS)


def in_canary(canary: Mapping[str, Any], instance: str) -> bool:
    """Whether an instance takes a canary snapshot, by its `canary` block: share (thousandths of a percent) and salt.

    bucket("portable", salt, instance id) < share: a larger share only adds instances. Beside that, a reader takes
    the canary only while its version is above the live one's, and never goes below a version it has seen.
    """
    return bucket("portable", canary["salt"], instance) < int(canary["share"])


def _launchdarkly(foreign: Mapping[str, Any], key: str, value: str) -> int:
    import hashlib  # loads OpenSSL, for which few flags have a use

    seed = foreign.get("seed")
    prefix = f"{key}.{foreign.get('salt', '')}" if seed is None else str(seed)
    digest = hashlib.sha1(_utf8(f"{prefix}.{value}"), usedforsecurity=False).hexdigest()
    return min(int(digest[:15], 16) * BUCKETS // _LAUNCHDARKLY_SCALE, BUCKETS - 1)


FOREIGN: dict[str, Callable[[Mapping[str, Any], str, str], int]] = {"launchdarkly-sha1": _launchdarkly}
"""Other products' algorithms by name: (the flag's `bucketing` block, flag key, value) to a bucket.

launchdarkly-sha1: the first 15 hex digits of SHA-1 over `key.salt.value`, or `seed.value`, as LaunchDarkly's
server SDKs do; the flag's own salt never takes part.
"""
