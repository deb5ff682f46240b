"""Bytes in a place, named by a URL: where published snapshots lie."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from flagctl.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from flagctl.stores.base import Store

_SUPPORTED = "a target is a folder for now: file:published (beside flags/) or file:///srv/flags"


def open_store(url: str, base: Path) -> Store:
    """The store a target's URL names; opening one neither reads nor writes.

    base: the flag repository's root, from which `file:relative` is counted.
    Raises UsageError for a URL that names no place this flagctl can write to.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UsageError(f"the target {url!r} is not a URL: {error}", hint=_SUPPORTED) from None
    if not parts.scheme:
        raise UsageError(f"the target {url!r} says no scheme", hint=f"did you mean file:{url}?")
    if parts.scheme != "file":
        raise UsageError(f"the target {url!r} needs {parts.scheme}:, which flagctl can't write to", hint=_SUPPORTED)
    if parts.netloc not in ("", "localhost"):
        raise UsageError(
            f"the target {url!r} names the host {parts.netloc!r}, but a folder is on this machine",
            hint=f"for a folder beside flags/ write file:{parts.netloc}{parts.path}; an absolute path needs file:///",
        )
    path = unquote(parts.path)
    if not path or "\0" in path or parts.query or parts.fragment:
        raise UsageError(f"the target {url!r} names no folder", hint=f"{_SUPPORTED}; write ? as %3F and # as %23")

    from flagctl.stores.folder import FolderStore

    return FolderStore(base / path, url)
