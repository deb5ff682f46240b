"""The states that an environment's files went through, on the first-parent history of a commit.

One `git log --raw` tells every change, and nothing of who made it: over a long history that takes half the time of
`touches`. Contents are read only of the files that somebody asks about.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from flagctl.errors import OutsideError
from flagctl.files.walk import SETTINGS, Tree
from flagctl.history.travel import LINK_MODE, Blobs, end_of

if TYPE_CHECKING:
    from flagctl.history.git import Git

LINK = "@"
"""Stands before Git's name for a symbolic link."""


class Step(msgspec.Struct, frozen=True):
    """A commit, its committer's time, and what it changed: path, names as in `listing` before and after."""

    commit: str
    time: int
    changes: tuple[tuple[str, str, str], ...]


def steps(git: Git, head: str, paths: Sequence[str], *, until: str = "") -> Iterator[Step]:
    """The commits that touched these paths, newest first, down to `until`, that one not included."""
    span = [head, f"^{until}"] if until else [head]
    process = git.start(
        "log", "--first-parent", "--diff-merges=first-parent", "--raw", "--no-renames", "--no-abbrev", "-z",
        git.relative, "--format=%x01%H %ct", *span, "--", *git.spec(*paths),
    )  # fmt: skip
    process.stdin.close()
    commit, time, changes = "", 0, list[tuple[str, str, str]]()
    fields = _fields(process.stdout)
    for field in fields:
        if b"\x01" in field:
            if commit:
                yield Step(commit, time, tuple(changes))
            commit, _, rest = field.partition(b"\x01")[2].decode().partition(" ")
            time, changes = int(rest.split("\n")[0]), []
        elif b":" in field[:2]:
            old_mode, new_mode, old, new, _ = field.strip().removeprefix(b":").decode().split(" ")
            path = next(fields).decode("utf-8", "replace")
            changes.append((path, _there(old_mode, old), _there(new_mode, new)))
    if commit:
        yield Step(commit, time, tuple(changes))
    if process.wait():
        raise OutsideError("git log failed", hint="git fsck looks for damage")


def listing(git: Git, commit: str, environment: str) -> dict[str, str]:
    """Git's name for each file of an environment and for the settings, at a commit; LINK before one of a link."""
    files = git.files(commit, f"flags/{environment}/", SETTINGS)
    return {path: _there(mode, name) for mode, name, path in files}


class StateTree(Tree):
    """Some files with the contents they had; see flagctl.files.walk.Tree."""

    def __init__(self, objects: dict[str, str], blobs: Blobs) -> None:
        self.refused: dict[str, str] = {}
        files = {path: name for path, name in objects.items() if not name.startswith(LINK)}
        self._objects = dict(files)
        self._blobs = blobs
        for path in objects.keys() - files.keys():
            end = target(path, objects[path], blobs)
            if end in files:
                self._objects[path] = files[end]
            else:
                self.refused[path] = "is a symbolic link to no file of its environment"

    def paths(self, under: str = "flags") -> list[str]:
        """See flagctl.files.walk.Tree."""
        return sorted(path for path in self._objects if path.startswith(f"{under}/"))

    def read(self, path: str) -> bytes:
        """See flagctl.files.walk.Tree."""
        if path not in self._objects:
            raise OutsideError(f"{path} was not there")
        return self._blobs.read(self._objects[path])


def target(path: str, name: str, blobs: Blobs) -> str:
    """Where a link in an environment leads, "" for out of it. name: as `listing` has it."""
    return end_of(path, blobs.read(name.removeprefix(LINK)))


def _there(mode: str, name: str) -> str:
    return "" if not name.strip("0") else f"{LINK}{name}" if mode == LINK_MODE else name


def _fields(stream: Any) -> Iterator[bytes]:
    rest = b""
    while block := stream.read1(1 << 16):
        *fields, rest = (rest + block).split(b"\0")
        yield from fields
    if rest:
        yield rest
