"""Which files a flag repository has, by their names alone."""

from __future__ import annotations

import errno
import os
import re
import stat
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from flagctl.errors import OutsideError

if TYPE_CHECKING:
    from collections.abc import Iterable

SETTINGS = "flags/flagctl.yaml"
ATTRIBUTES = "flags/attributes.yaml"
KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""What flags, segments and environments may be called."""

# opening a FIFO would wait for its writer; Windows has none of these but O_BINARY
_OPEN = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)

EntryKind = Literal["settings", "attributes", "flag", "segment", "test", "other"]


class Entry(msgspec.Struct, frozen=True, gc=False):
    """What a path means. `environment` is "" outside environments; `name` is the key or the segment's name."""

    path: str
    kind: EntryKind
    environment: str = ""
    name: str = ""


class Tree(Protocol):
    """Files below `flags/`, on disk or at a commit.

    refused: paths that `paths` left out, with the reason as the end of a sentence that begins with the path.
    """

    refused: dict[str, str]

    def paths(self, under: str = "flags") -> list[str]:
        """Paths of all files below the folder `under`, relative to the root, with forward slashes, sorted."""

    def folders(self, under: str) -> dict[str, set[str]]:
        """Every folder at or below `under` with the names in it: enough to find a few files among many."""
        found: dict[str, set[str]] = {}
        for path in self.paths(under):
            folder, _, name = path.rpartition("/")
            found.setdefault(folder, set()).add(name)
        return found

    def expect(self, paths: Iterable[str]) -> None:
        """These files are read next, once each: where one after the other takes longer, they may be got at once."""
        return

    def read(self, path: str) -> bytes:
        """A file's bytes. Raises OutsideError when it can't be read."""


class DiskTree(Tree):
    """The files of a folder as they are now. Hidden files and folders are passed over."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._prefix = f"{root}{os.sep}"  # joining Paths takes as long as reading a file
        self.refused: dict[str, str] = {}

    def paths(self, under: str = "flags") -> list[str]:
        """See Tree. A folder that isn't there has no files; what is refused is noted anew."""
        self.refused = {path: why for path, why in self.refused.items() if not path.startswith(under)}
        found: list[str] = []
        folders = [under]
        while folders:
            folder = folders.pop()
            try:
                with os.scandir(self.root / folder) as entries:
                    for entry in entries:
                        name = entry.name
                        if name.isascii() and name[0] != "." and entry.is_file(follow_symlinks=False):
                            found.append(f"{folder}/{name}")
                        elif name[0] != ".":
                            self._take(folder, entry, found, folders)
            except FileNotFoundError:
                continue
            except OSError as error:
                self.refused[folder] = f"can't be listed: {error.strerror}"
        found.sort()
        return found

    def _take(self, folder: str, entry: os.DirEntry[str], found: list[str], folders: list[str]) -> None:
        """Anything but a file with an everyday name."""
        path = f"{folder}/{entry.name}"
        if _unreadable_name(entry.name):
            self.refused[_shown(path)] = "has a name that is not UTF-8"
        elif entry.is_dir(follow_symlinks=False):
            folders.append(path)
            if path.endswith((".yaml", ".yml")):
                self.refused[path] = "is a folder, not a file"
        elif entry.is_symlink() and (why := self._refuse_link(path)):
            self.refused[path] = why
        elif entry.is_file():
            found.append(path)
        else:
            self.refused[path] = "is no regular file"

    def folders(self, under: str) -> dict[str, set[str]]:
        """See Tree. Looks at no file, `read` refuses what is none; a folder that is called like one is passed over."""
        found: dict[str, set[str]] = {}
        waiting = [under]
        while waiting:
            folder = waiting.pop()
            try:
                names = found[folder] = set(os.listdir(f"{self._prefix}{folder}"))  # noqa: PTH208  # names alone, for speed
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                self.refused[folder] = f"can't be listed: {error.strerror}"
                continue
            waiting += [
                f"{folder}/{name}"
                for name in names
                if not name.endswith(".yaml") and name[0] != "." and not (self.root / folder / name).is_symlink()
            ]
        return found

    def _refuse_link(self, path: str) -> str:
        # review rules are written as paths: what production serves must not come from outside its folder
        home = "/".join(path.split("/")[:2])
        target = os.path.realpath(self.root / path)
        if not target.startswith(os.path.realpath(self.root / "flags") + home.removeprefix("flags") + os.sep):
            return f"is a symbolic link that leaves {home}"
        return "" if Path(target).is_file() else "is a symbolic link to no file"

    def read(self, path: str) -> bytes:
        """See Tree. Never waits: a FIFO or a device is refused, as is a link that `paths` refuses."""
        try:
            return self._read(path, _OPEN | _NO_LINK)
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise OutsideError(f"{path} can't be read: {error.strerror}") from error
        except ValueError as error:
            raise OutsideError(f"{path!r} can't be read: {error}") from error
        if why := self._refuse_link(path):
            raise OutsideError(f"{path} {why}")
        try:
            return self._read(path, _OPEN)
        except OSError as error:
            raise OutsideError(f"{path} can't be read: {error.strerror}") from error

    def _read(self, path: str, flags: int) -> bytes:
        handle = os.open(f"{self._prefix}{path}", flags)
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise OutsideError(f"{path} is no regular file")
            size = status.st_size
            raw = os.read(handle, size + 1)
            while len(raw) != size and (more := os.read(handle, 1 << 20)):
                raw += more
            return raw
        finally:
            os.close(handle)


def _unreadable_name(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return True
    return False


def _shown(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


@lru_cache(maxsize=1 << 15)  # a history names the same files again and again
def classify(path: str) -> Entry:
    """What a path below `flags/` means, by its name alone; names are not checked here."""
    if path == SETTINGS:
        return Entry(path, "settings")
    if path == ATTRIBUTES:
        return Entry(path, "attributes")
    parts = path.split("/")
    if not path.endswith(".yaml") or len(parts) < 3:
        return Entry(path, "other")
    name = parts[-1][:-5]
    if parts[1] == "tests":
        return Entry(path, "test", "", name)
    kind: EntryKind = "segment" if parts[2] == "segments" and len(parts) > 3 else "flag"
    return Entry(path, kind, parts[1], name)


def find(tree: Tree | Path, environment: str, key: str) -> str | None:
    """The path of a flag's file in an environment, from names alone; None when there is none."""
    tree = DiskTree(tree) if isinstance(tree, Path) else tree
    ending = f"/{key}.yaml"
    for path in tree.paths(f"flags/{environment}"):
        if path.endswith(ending) and classify(path).kind == "flag":
            return path
    return None
