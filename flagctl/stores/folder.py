"""A folder as a store: each key is a file, each write a rename.

<folder>/<environment>/snapshot.json
<folder>/<environment>/history/<version>-<commit>.json
<folder>/<environment>/.lock            held while somebody publishes; the kernel frees it when they die
<folder>/<environment>/**/.*.tmp        a write that was cut short; the next publisher sweeps it
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
import time
from typing import TYPE_CHECKING

from flagctl.errors import OutsideError
from flagctl.stores.base import UNCHANGED, WAITS, LostRaceError, Stored, history_prefix, newest_of, wait_silently

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from flagctl.stores.base import Release
    from flagctl.stores.folder_watch import FolderWatch

_LOCK = ".lock"
_TEMPORARY = ".tmp"
_PAUSE = 0.05
_PATIENCE = 600
"""How often a held lock is tried again, every _PAUSE seconds: half a minute. A publisher needs milliseconds."""

_HINTS = {
    errno.ENOSPC: "free some space, then publish again; what was live is still live",
    errno.EDQUOT: "your disk quota is used up; what was live is still live",
    errno.EROFS: "the file system is mounted read-only; name another folder with --target",
    errno.EACCES: "ask for the right to write there, or name another folder with --target",
    errno.EPERM: "ask for the right to write there, or name another folder with --target",
    errno.ENOTDIR: "a file stands where a folder is needed; name another folder with --target",
    errno.EEXIST: "a file stands where a folder is needed; name another folder with --target",
    errno.EISDIR: "a folder stands where a file is needed; move it away",
    errno.ENOLCK: "the file system can't lock files; publish to a local folder",
    errno.EOPNOTSUPP: "the file system can't lock files; publish to a local folder",
}


@contextlib.contextmanager
def _outside(doing: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = _HINTS.get(error.errno or 0, "")
        raise OutsideError(f"can't {doing} {path}: {error.strerror or error}", hint=hint) from error


def _sync_folder(folder: Path) -> None:
    """Make renames and new names in `folder` outlive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    if not folder.parent.exists():
        _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    os.fsync(descriptor)


def _replace(path: Path, data: bytes) -> None:
    """The whole new file or the whole old one, at any instant and after a crash."""
    _make_folder(path.parent)
    temporary = path.parent / f".{path.name}.{secrets.token_hex(4)}{_TEMPORARY}"
    # Not tempfile: it makes files that only their owner may read, and services run as somebody else.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        try:
            _write_all(descriptor, data)
        finally:
            os.close(descriptor)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _lock(descriptor: int, path: Path, waiting: Callable[[str, str], None]) -> None:
    longest = _PATIENCE * _PAUSE
    hint = f"see who it is with «fuser {path}»; the lock goes away with that process, there is no need to remove it"
    for i in range(_PATIENCE):
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if i == round(WAITS / _PAUSE):
                waiting(f"waiting for another publisher, which holds {path}, for at most {longest:.0f} seconds", hint)
            time.sleep(_PAUSE)
    raise OutsideError(f"another publisher has held {path} for {longest:.0f} seconds", hint=hint)


class FolderStore:
    """A folder on this machine. One object serves one thread."""

    caution = ""

    def __init__(self, root: Path, url: str) -> None:
        self.root = root
        self.url = url
        self.waiting = wait_silently
        self._held: set[str] = set()

    def get(self, key: str) -> Stored | None:
        """See Store. The token is a digest of the bytes and a mark of the file."""
        path = self.root / key
        with _outside("read", path):
            try:
                with path.open("rb") as file:
                    data, status = file.read(), os.fstat(file.fileno())
            except FileNotFoundError:
                return None
        token = f"{hashlib.sha256(data).hexdigest()}@{_mark(status)}"
        return Stored(data, token, len(data), status.st_mtime)

    def read_if_changed(self, key: str, token: str) -> Stored | None:
        """See Reader. A file that is the same by number, size and time is not read."""
        path = self.root / key
        with _outside("read", path):
            try:
                mark = _mark(path.stat())
            except FileNotFoundError:
                return None
        if token.endswith(f"@{mark}"):
            return UNCHANGED
        found = self.get(key)
        return UNCHANGED if found is not None and _same(found.token, token) else found

    def watch(self, environment: str) -> FolderWatch:
        """Who is told when something in an environment's folder is replaced."""
        from flagctl.stores.folder_watch import FolderWatch

        return FolderWatch(self.root / environment)

    def put(self, key: str, data: bytes) -> None:
        """See Store."""
        with self.hold(_environment(key)), _outside("write", self.root / key):
            _replace(self.root / key, data)

    def swap(self, key: str, data: bytes, token: str | None) -> None:
        """See Store."""
        with self.hold(_environment(key)):
            found = self.get(key)
            if (token is None) != (found is None) or (found and token and not _same(found.token, token)):
                raise LostRaceError(
                    f"{self.root / key} was changed by somebody else meanwhile", hint="look at it, then publish again"
                )
            self.put(key, data)

    def release(self, key: str, release: Release, token: str | None) -> None:
        """See Store."""
        self.swap(key, release.data, token)

    def confirm(self, environment: str) -> None:
        """See Store; what was written stays."""

    def newest(self, environment: str, live: int) -> int:
        """See Store."""
        return newest_of(self.keys(history_prefix(environment)), live)

    def keep(self, key: str, data: bytes) -> None:
        """See Store."""
        if not (self.root / key).exists():
            self.put(key, data)

    def keys(self, prefix: str) -> list[str]:
        """See Store; locks and unfinished writes are no keys."""
        folder = self.root / prefix.rpartition("/")[0]
        with _outside("list", folder):
            found = {path.relative_to(self.root).as_posix(): path for path in folder.rglob("[!.]*")}
            return sorted(key for key, path in found.items() if key.startswith(prefix) and path.is_file())

    @contextlib.contextmanager
    def hold(self, environment: str) -> Iterator[None]:
        """See Store; may be nested. Raises OutsideError when another publisher does not let go in half a minute."""
        if environment in self._held:
            yield
            return
        folder = self.root / environment
        path = folder / _LOCK
        with _outside("lock", path):
            _make_folder(folder)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            with _outside("lock", path):
                _lock(descriptor, path, self.waiting)
            with _outside("tidy", folder):
                for leftover in folder.rglob(f".*{_TEMPORARY}"):
                    leftover.unlink(missing_ok=True)
            self._held.add(environment)
            yield
        finally:
            self._held.discard(environment)
            os.close(descriptor)

    def probe(self) -> None:
        """See Store."""
        place = next(path for path in (self.root, *self.root.parents) if path.exists())
        with _outside("write to", self.root):
            if not place.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            if not os.access(place, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _mark(status: os.stat_result) -> str:
    return f"{status.st_ino}.{status.st_size}.{status.st_mtime_ns}"


def _same(one: str, other: str) -> bool:
    return one.partition("@")[0] == other.partition("@")[0]


def _environment(key: str) -> str:
    return key.partition("/")[0]
