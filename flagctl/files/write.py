"""Putting a file in its place: whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from typing import TYPE_CHECKING

from flagctl.errors import OutsideError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UNFINISHED = ".tmp"
"""What the name of an unfinished file ends in."""

_HINTS = {
    errno.ENOSPC: "free some space; the file is as it was",
    errno.EDQUOT: "your disk quota is used up; the file is as it was",
    errno.EACCES: "ask for the right to write there; the file is as it was",
    errno.EPERM: "ask for the right to write there; the file is as it was",
    errno.EROFS: "the file system is mounted read-only",
    errno.ENOTDIR: "a file stands where a folder is needed",
    errno.EEXIST: "a file stands where a folder is needed",
    errno.EISDIR: "a folder stands where a file is needed",
}


def write(path: Path, data: bytes, *, draft: Path | None = None) -> None:
    """`data` as the file at `path`, with the mode it had; folders are made as needed.

    Written elsewhere, synced and renamed: whoever reads sees the whole old or the whole new file, also
    after a crash. draft: a folder for the unfinished file; beside it where that is on another disk or None.
    Raises OutsideError, and leaves nothing behind.
    """
    with replacing(path, draft=draft) as temporary:
        temporary.write_bytes(data)


@contextlib.contextmanager
def replacing(path: Path, *, draft: Path | None = None) -> Iterator[Path]:
    """For somebody else to write: an empty file that becomes the one at `path`, as `write` does it.

    It does so when the block ends well; when it raises, nothing is left behind.
    """
    name = f".{path.name[:100]}.{secrets.token_hex(4)}{UNFINISHED}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        same_disk = draft is not None and draft.stat().st_dev == path.parent.stat().st_dev
        temporary = (draft if draft is not None and same_disk else path.parent) / name
        try:
            temporary.open("xb").close()
            yield temporary
            _keep(temporary, mode=_mode(path))
            temporary.replace(path)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()
        _sync_folder(path.parent)
    except OSError as error:
        raise OutsideError(
            f"{path} can't be written: {error.strerror or error}", hint=_HINTS.get(error.errno or 0, "")
        ) from error


def remove(path: Path) -> None:
    """Without the file at `path`. Raises OutsideError."""
    try:
        path.unlink()
        _sync_folder(path.parent)
    except OSError as error:
        raise OutsideError(
            f"{path} can't be removed: {error.strerror or error}", hint=_HINTS.get(error.errno or 0, "")
        ) from error


def _mode(path: Path) -> int | None:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return None


def _keep(path: Path, *, mode: int | None) -> None:
    """Give a file its mode, and have it on the disk."""
    with path.open("rb") as file:
        if mode is not None:
            os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
