"""Bucketing of whole columns: the same MurmurHash3 that `flagctl.evaluate.bucket` takes, over many values at once."""

from __future__ import annotations

import mmh3
import polars as pl
import polars_hash

from flagctl.evaluate.bucket import BUCKETS, GENERATIONS

_PORTABLE = 120
_HEADS = pl.Series([chr(0x60 + size) if size < 24 else "x" + chr(size) for size in range(128)])
"""The CBOR heads of texts of 0..127 bytes: all of them that are ASCII themselves."""


def hashes(generation: str, salt: str, keys: pl.Series) -> pl.Series:
    """The unsigned hash of each key, before it is scaled to a bucket; null for a null key."""
    frame = keys.alias("key").to_frame()
    key = pl.col("key")
    if generation == "flagd-2":
        return _murmur(frame, pl.concat_str(pl.lit(salt), key))
    if generation == "flagd-3":
        return _flagd_3(frame, salt)
    if not salt.isascii():
        return _one_by_one(generation, salt, keys)
    # An ASCII text of 120 characters always has the CBOR head "xx".
    text = pl.concat_str(pl.lit(f"xx{salt}:"), key, pl.lit("." * _PORTABLE)).str.head(_PORTABLE + 2)
    found = _murmur(frame, text)
    odd = (keys.str.len_bytes() != keys.str.len_chars()).fill_null(False)
    return found if not odd.any() else found.zip_with(~odd, _one_by_one(generation, salt, keys.set(~odd, None)))


def limit(upper: int) -> int:
    """Which hashes have a bucket below `upper`: those below this."""
    return -(-(upper << 32) // BUCKETS)


def _murmur(frame: pl.DataFrame, text: pl.Expr) -> pl.Series:
    return frame.select(polars_hash.concat_str(text).nchash.murmur32()).to_series()


def _flagd_3(frame: pl.DataFrame, salt: str) -> pl.Series:
    texts = frame.select(pl.concat_str(pl.lit(salt), pl.col("key"))).to_series()
    sizes = texts.str.len_bytes()
    short = (sizes < len(_HEADS)).fill_null(True)
    heads = _HEADS.gather(sizes.set(~short, 0))
    found = _murmur(pl.DataFrame({"head": heads, "text": texts}), pl.concat_str("head", "text"))
    if short.all():
        return found
    return found.zip_with(short, _one_by_one("flagd-3", salt, frame["key"].set(short, None)))


def _one_by_one(generation: str, salt: str, keys: pl.Series) -> pl.Series:
    spell = GENERATIONS[generation]
    found = [None if key is None else mmh3.hash(spell(salt, key), 0, False) for key in keys]
    return pl.Series(keys.name, found, dtype=pl.UInt32)
