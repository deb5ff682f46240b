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
from flagctl.history.travel import Blobs

if TYPE_CHECKING:
    from flagctl.history.git import Git

_LINK = b"120000"


class Step(msgspec.Struct, frozen=True):
    """A commit, its committer's time, and what it changed: path, Git's names before and after, "" for none."""

    commit: str
    time: int
    changes: tuple[tuple[str, str, str], ...]


def steps(git: Git, head: str, paths: Sequence[str], *, until: str = "") -> Iterator[Step]:
    """The commits that touched these paths, newest first, down to `until`, that one not included."""
    span = [head, f"^{until}"] if until else [head]
    process = git.start(
        "log", "--first-parent", "--diff-merges=first-parent", "--raw", "--no-renames", "--no-abbrev", "-z",
        "--relative", "--format=%x01%H %ct", *span, "--", *paths,
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
            old_mode, new_mode, old, new, _ = field.strip().removeprefix(b":").split(b" ")
            path = next(fields).decode("utf-8", "replace")
            changes.append((path, _there(old_mode, old), _there(new_mode, new)))
    if commit:
        yield Step(commit, time, tuple(changes))
    if process.wait():
        raise OutsideError("git log failed", hint="git fsck looks for damage")


def listing(git: Git, commit: str, environment: str) -> dict[str, str]:
    """Git's name for each file of an environment and for the settings, at a commit."""
    found = {}
    for record in git.read("ls-tree", "-r", "-z", commit, "--", f"flags/{environment}/", SETTINGS).split("\0"):
        about, _, path = record.partition("\t")
        if about and not about.startswith("120000"):
            found[path] = about.split(" ")[2]
    return found


class StateTree(Tree):
    """Some files with the contents they had; see flagctl.files.walk.Tree."""

    def __init__(self, objects: dict[str, str], blobs: Blobs) -> None:
        self.refused: dict[str, str] = {}
        self._objects = objects
        self._blobs = blobs

    def paths(self, under: str = "flags") -> list[str]:
        """See flagctl.files.walk.Tree."""
        return sorted(path for path in self._objects if path.startswith(f"{under}/"))

    def read(self, path: str) -> bytes:
        """See flagctl.files.walk.Tree."""
        if path not in self._objects:
            raise OutsideError(f"{path} was not there")
        return self._blobs.read(self._objects[path])


def _there(mode: bytes, name: bytes) -> str:
    return "" if mode in (_LINK, b"000000") or not name.strip(b"0") else name.decode()


def _fields(stream: Any) -> Iterator[bytes]:
    rest = b""
    while block := stream.read1(1 << 16):
        *fields, rest = (rest + block).split(b"\0")
        yield from fields
    if rest:
        yield rest
