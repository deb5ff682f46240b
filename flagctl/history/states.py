"""The states that an environment's files went through, on the first-parent history of a commit.

One `git log --raw` tells every change; contents are read only of the files that somebody asks about.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from flagctl.errors import OutsideError
from flagctl.files.understand import understand
from flagctl.files.walk import SETTINGS, Entry, Tree, classify

if TYPE_CHECKING:
    from flagctl.history.git import Git

_LINK = b"120000"


class Step(msgspec.Struct, frozen=True):
    """A commit, its committer's time, and what it changed: path, Git's names before and after, "" for none."""

    commit: str
    time: int
    changes: tuple[tuple[str, str, str], ...]


class Author(msgspec.Struct, frozen=True):
    """Who made a commit, and what they said of it."""

    commit: str
    author: str
    email: str
    subject: str
    reason: str


class Version(msgspec.Struct, frozen=True):
    """The flag of an environment since a commit that changed its meaning; its file then, "" for none."""

    number: int
    commit: str
    time: int
    path: str
    blob: str


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


def versions(git: Git, head: str, environment: str, key: str) -> list[Version]:
    """Every version of a flag, the first first; number 1 is the commit that brought it.

    A comment or another layout is no version. A file that can't be read means what its text says.
    """
    blobs = Blobs(git)
    found: list[Version] = []
    meaning: Any = None
    try:
        for step in reversed(list(steps(git, head, [f":(glob)flags/{environment}/**/{key}.yaml"]))):
            entries = [(classify(path), new) for path, _, new in step.changes]
            there = [(entry.path, new) for entry, new in entries if entry.kind == "flag" and new]
            if not there and not any(entry.kind == "flag" for entry, _ in entries):
                continue
            path, blob = there[0] if there else ("", "")
            now = _meaning(Entry(path, "flag", environment, key), blobs.read(blob)) if blob else None
            if now != meaning:
                found.append(Version(len(found) + 1, step.commit, step.time, path, blob))
            meaning = now
    finally:
        blobs.close()
    return found


def authors(git: Git, commits: Sequence[str]) -> dict[str, Author]:
    """Who made these commits, by their hashes."""
    if not commits:
        return {}
    reason = "%(trailers:key=Reason,valueonly,unfold,separator=%x20)"
    out = git.read("log", "-z", "--no-walk=unsorted", f"--format=%H%x01%an%x01%ae%x01%s%x01{reason}", *commits)
    found = {}
    for row in filter(None, out.split("\0")):
        commit, author, email, subject, why = row.split("\x01", 4)
        found[commit] = Author(commit, author, email, subject, " ".join(why.split()))
    return found


def listing(git: Git, commit: str, environment: str) -> dict[str, str]:
    """Git's name for each file of an environment and for the settings, at a commit."""
    found = {}
    for record in git.read("ls-tree", "-r", "-z", commit, "--", f"flags/{environment}/", SETTINGS).split("\0"):
        about, _, path = record.partition("\t")
        if about and not about.startswith("120000"):
            found[path] = about.split(" ")[2]
    return found


class Blobs:
    """The contents of files by Git's names for them. One `git cat-file --batch` answers; `close` ends it."""

    def __init__(self, git: Git) -> None:
        self._git = git
        self._process: Any = None

    def read(self, name: str) -> bytes:
        """A file's bytes; raises OutsideError when Git does not have them."""
        if self._process is None:
            self._process = self._git.start("cat-file", "--batch")
        self._process.stdin.write(name.encode() + b"\n")
        self._process.stdin.flush()
        header = self._process.stdout.readline().split()
        if len(header) != 3:
            raise OutsideError(f"Git has no object {name}", hint="git fsck looks for damage; git fetch may bring it")
        data: bytes = self._process.stdout.read(int(header[2]))
        self._process.stdout.read(1)
        return data

    def close(self) -> None:
        """End the process that reads; a later read starts another."""
        if self._process is not None:
            self._process.stdin.close()
            self._process.stdout.close()
            self._process.wait()
            self._process = None


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


def _meaning(entry: Entry, raw: bytes) -> Any:
    parsed = understand(entry, raw, bulk=False)
    return raw if parsed.model is None else parsed.model


def _there(mode: bytes, name: bytes) -> str:
    return "" if mode in (_LINK, b"000000") or not name.strip(b"0") else name.decode()


def _fields(stream: Any) -> Iterator[bytes]:
    rest = b""
    while block := stream.read1(1 << 16):
        *fields, rest = (rest + block).split(b"\0")
        yield from fields
    if rest:
        yield rest
