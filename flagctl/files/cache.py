"""What files were understood as, by their content, so that an unchanged file is not understood twice.

One file on disk: a mark of the flagctl that wrote it, a digest of all that follows, then entries. A cache
that is truncated, damaged or another version's is as good as none; it is safe to delete at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

import flagctl
from flagctl.files import schema
from flagctl.files.understand import Parsed
from flagctl.model.flag import Flag, Segment
from flagctl.model.repository import Attribute, Expectation, Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flagctl.files.walk import Entry

_SIZE = 16
_ROOMS = ("files", "model")
"""The code that makes models from bytes."""


_encode = msgspec.msgpack.Encoder().encode
_decoders: dict[str, msgspec.msgpack.Decoder[Any]] = {
    "flag": msgspec.msgpack.Decoder(Parsed[Flag]),
    "segment": msgspec.msgpack.Decoder(Parsed[Segment]),
    "settings": msgspec.msgpack.Decoder(Parsed[Settings]),
    "attributes": msgspec.msgpack.Decoder(Parsed[dict[str, Attribute]]),
    "test": msgspec.msgpack.Decoder(Parsed[list[Expectation]]),
}


class Cache:
    """Understood files, kept in the file at `path`. Neither reading nor writing it ever fails aloud."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known = _load(path)
        self._used: dict[bytes, msgspec.Raw] = {}
        self._new = False

    @classmethod
    def beside(cls, root: Path) -> Cache:
        """The cache of the flag repository in `root`: in its Git folder, else in the user's cache folder."""
        return cls(place(root, ".cache"))

    def get(self, entry: Entry, raw: bytes) -> Parsed[Any] | None:
        """What a file with this content was understood as. The path counts: problems and tests name it."""
        key = _digest(raw) + entry.path.encode()
        stored = self._known.get(key)
        if stored is None:
            return None
        self._used[key] = stored
        parsed: Parsed[Any] = _decoders[entry.kind].decode(stored)
        return parsed

    def put(self, entry: Entry, raw: bytes, parsed: Parsed[Any]) -> None:
        """Keep what a file was understood as."""
        key = _digest(raw) + entry.path.encode()
        self._used[key] = self._known[key] = msgspec.Raw(_encode(parsed))
        self._new = True

    def save(self) -> None:
        """Write what was used since this cache was opened, if any of it is new; the rest is dropped."""
        if not self._new:
            return
        keep(self.path, _encode(self._used), _ROOMS)
        self._new = False


def place(root: Path, ending: str) -> Path:
    """Where something about the flag repository in `root` is kept; see `Cache.beside`."""
    root = root.resolve()
    name = f"{_digest(bytes(root)).hex()[:16]}{ending}"
    git = next((folder / ".git" for folder in (root, *root.parents) if (folder / ".git").exists()), None)
    if git is not None and git.is_dir():
        return git / "flagctl" / name
    # in a linked work tree .git is a file; its real folder is Git's business
    folder = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111  # never raises
    return Path(folder) / "flagctl" / name


def keep(path: Path, body: bytes, rooms: Sequence[str]) -> None:
    """Store bytes that the code of these rooms made. Never fails aloud."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, _mark(rooms) + _digest(body) + body)


def kept(path: Path, rooms: Sequence[str]) -> memoryview | None:
    """What `keep` stored, None where there is nothing or it is damaged or another flagctl's."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    mark, digest, body = data[:_SIZE], data[_SIZE : 2 * _SIZE], memoryview(data)[2 * _SIZE :]
    return body if mark == _mark(rooms) and digest == hashlib.blake2b(body, digest_size=_SIZE).digest() else None


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_SIZE).digest()


def _mark(rooms: Sequence[str]) -> bytes:
    """Stands for this flagctl: its version, its schemas, and the code of these rooms."""
    seen = hashlib.blake2b(flagctl.__version__.encode(), digest_size=_SIZE)
    for kind in _decoders:
        seen.update(schema.schema_bytes(kind))
    package = Path(flagctl.__file__).parent
    for room in rooms:
        for source in sorted((package / room).glob("*.py")):
            seen.update(source.read_bytes())
    return seen.digest()


def _load(path: Path) -> dict[bytes, msgspec.Raw]:
    body = kept(path, _ROOMS)
    if body is None:
        return {}
    try:
        return msgspec.msgpack.decode(body, type=dict[bytes, msgspec.Raw])
    except msgspec.MsgspecError:
        return {}


def _replace(path: Path, data: bytes) -> None:
    # not by tempfile: loading it takes longer than all that is kept of one flag's log
    aside = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
