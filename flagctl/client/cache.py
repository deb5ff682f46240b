"""The last good snapshot on disk: what a service starts with when its source is down.

A file is one line that says what follows, and the snapshot's bytes:

    flagctl/cached/1 sha256:<of the bytes>

The file's own time is when it was last known to be what is live. It is written beside its place and renamed, so
that a reader finds the old or the new one whole; a file that is cut off, changed or of another format counts as none.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from pathlib import Path
from urllib.parse import quote

import msgspec

FORMAT = "flagctl/cached/1"
_WRITTEN: dict[Path, bytes] = {}
"""What this process wrote last, by place."""


class Kept(msgspec.Struct, frozen=True):
    """A snapshot's bytes, and when they were last known to be live (seconds since the epoch)."""

    data: bytes
    at: float


def default_folder() -> Path:
    """`$XDG_CACHE_HOME/flagctl/client`, as the XDG base directory specification says."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    home = Path(base) if base.startswith("/") else Path(os.path.expanduser("~/.cache"))  # noqa: PTH111 - never raises
    return home / "flagctl" / "client"


class DiskCache:
    """One file for one source and environment. Nothing here raises: a cache that fails is no cache."""

    def __init__(self, folder: Path, source: str, environment: str) -> None:
        """source: where the snapshots are from; environment: of what, with its audience if there is one."""
        digest = hashlib.sha256(f"{source}\0{environment}".encode("utf-8", "surrogatepass")).hexdigest()[:16]
        self.path = folder / f"{quote(environment, safe='')[:80]}-{digest}.snapshot"

    def read(self) -> Kept | None:
        """What was kept, None when there is nothing whole."""
        try:
            at = self.path.stat().st_mtime
            head, _, data = self.path.read_bytes().partition(b"\n")
        except OSError:
            return None
        return Kept(data, at) if head == _head(data) else None

    def holds(self, data: bytes) -> bool:
        """Whether these bytes are what is kept, told by the first line alone."""
        try:
            with self.path.open("rb") as file:
                return file.readline(200).rstrip(b"\n") == _head(data)
        except OSError:
            return False

    def write(self, data: bytes, at: float) -> bool:
        """Keep it; false when that can't be done (a full disk, a folder that is not ours)."""
        head = _head(data)
        if _WRITTEN.get(self.path) == head and self.path.exists():  # by another client of this process
            self.confirm(at)
            return True
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}-{threading.get_ident()}")
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(head + b"\n")
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.utime(temporary, (at, at))
            temporary.replace(self.path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            return False
        _WRITTEN[self.path] = head
        return True

    def confirm(self, at: float) -> None:
        """What is kept was still live at `at`."""
        with contextlib.suppress(OSError):
            os.utime(self.path, (at, at))


def _head(data: bytes) -> bytes:
    return f"{FORMAT} sha256:{hashlib.sha256(data).hexdigest()}".encode()
