"""Bytes in a place, named by a URL: where published snapshots lie.

base           what every store can do
address        where a target is, as URL and options say
masking        URLs and texts with nothing secret in them
packing        compressed bytes
patience       how long an answer may take as a whole
folder         a folder
folder_watch   being told that something in it was replaced
http           a web server, to read only
s3             S3 and what speaks its protocol
s3_client      boto3's client
s3_conditions  whether a service keeps to If-Match
s3_lease       one publisher at a time where it does not
redis          one server, Sentinels, a cluster
redis_client   redis-py's clients
redis_watch    being told of a new version
redis_log      streams that a service adds to
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flagctl.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from flagctl.stores.base import Reader, Store
    from flagctl.stores.redis_log import RedisLog


def open_store(url: str, base: Path, options: Mapping[str, str | int | bool] | None = None) -> Store:
    """The store a target's URL names; opening one neither reads nor writes.

    base: the flag repository's root, from which `file:relative` is counted. options: what settings say beside
    the URL. Raises UsageError for a URL that names no place flagctl can write to.
    """
    require_store(url, options)
    store: Store = open_reader(url, base, options)  # type: ignore[assignment]
    return store


def require_store(url: str, options: Mapping[str, str | int | bool] | None = None) -> None:
    """Raise UsageError for a target that can't be published to as it is written."""
    from flagctl.stores.address import parse

    address = parse(url, options)
    if address.kind == "http":
        raise UsageError(f"the target {address.shown!r} can only be read", hint="publish to a folder, S3 or Redis")


def open_reader(url: str, base: Path, options: Mapping[str, str | int | bool] | None = None) -> Reader:
    """As `open_store`, for reading; takes http: and https: too."""
    from flagctl.stores.address import parse

    address = parse(url, options)
    if address.kind == "file":
        from flagctl.stores.folder import FolderStore

        return FolderStore(base / address.path, url)
    if address.kind == "s3":
        from flagctl.stores.s3 import S3Store

        return S3Store(address)
    if address.kind == "redis":
        from flagctl.stores.redis import RedisStore

        return RedisStore(address)
    from flagctl.stores.http import HttpReader

    return HttpReader(address)


def open_log(url: str) -> RedisLog:
    """Streams in the Redis that a URL names. Raises UsageError for a URL of another kind."""
    from flagctl.stores.address import parse
    from flagctl.stores.redis_log import RedisLog

    address = parse(url, None)
    if address.kind != "redis":
        raise UsageError(f"{address.shown!r} is no Redis", hint="redis://HOST:PORT/0")
    return RedisLog(address)
