"""The files of a commit, read without checking it out."""

from __future__ import annotations

import posixpath
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from flagctl.errors import OutsideError
from flagctl.files.walk import ATTRIBUTES, SETTINGS, Tree

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from flagctl.history.git import Git

_AT_ONCE = 500
"""Names that fit into a pipe together, with 64 digits each."""
LINK_MODE, _SUBMODULE = "120000", "160000"


class CommitTree(Tree):
    """Files below `flags/` at a revision; a `flagctl.files.walk.Tree`.

    One `git cat-file --batch` answers all reads; `close` ends it, as does leaving a `with` block.
    """

    def __init__(self, git: Git, revision: str, *, only: str = "", resolved: bool = False) -> None:
        """Raises UsageError when the revision names no commit.

        only: settings, attributes and this environment ("": all there is). resolved: the revision is a commit's hash.
        """
        self.commit = revision if resolved else git.resolve(revision)
        self._scope = [SETTINGS, ATTRIBUTES, f"flags/{only}/"] if only else ["flags/"]
        self.refused: dict[str, str] = {}
        self._git = git
        self._blobs = Blobs(git)
        self._objects: dict[str, str] | None = None

    def __enter__(self) -> CommitTree:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process that reads; a later read starts another."""
        self._blobs.close()

    def paths(self, under: str = "flags") -> list[str]:
        """See flagctl.files.walk.Tree."""
        return sorted(path for path in self._listed() if path.startswith(f"{under}/"))

    def read(self, path: str) -> bytes:
        """See flagctl.files.walk.Tree."""
        blob = self._listed().get(path)
        if blob is None:
            raise OutsideError(f"{path} is not in commit {self.commit[:12]}")
        return self._blobs.read(blob)

    def expect(self, paths: Iterable[str]) -> None:
        """See flagctl.files.walk.Tree."""
        listed = self._listed()
        self._blobs.fetch(listed[path] for path in paths if path in listed)

    def _listed(self) -> dict[str, str]:
        if self._objects is None:
            self._objects = {}
            links = {}
            for mode, blob, path in self._git.files(self.commit, *self._scope):
                if "\ufffd" in path:
                    self.refused[path] = "has a name that is not UTF-8"
                elif any(part.startswith(".") for part in path.split("/")):
                    continue
                elif mode == _SUBMODULE:
                    self.refused[path] = "is a Git submodule, not a folder"
                elif mode == LINK_MODE:
                    links[path] = blob
                else:
                    self._objects[path] = blob
            self._objects |= self._followed(links)
        return self._objects

    def _followed(self, links: dict[str, str]) -> dict[str, str]:
        # As on disk: a link may stay inside its environment's folder, and has to end at a file.
        files, found = self._objects or {}, {}
        for path, blob in links.items():
            target = end_of(path, self._blobs.read(blob))
            if not target:
                self.refused[path] = f"is a symbolic link that leaves {'/'.join(path.split('/')[:2])}"
            elif target not in files:
                self.refused[path] = "is a symbolic link to no file"
            else:
                found[path] = files[target]
        return found


def end_of(path: str, link: bytes) -> str:
    """Where a symbolic link leads, "" where it leaves the folder of its environment. link: its content."""
    end = posixpath.normpath(posixpath.join(posixpath.dirname(path), link.decode("utf-8", "replace")))
    return end if end.startswith("/".join(path.split("/")[:2]) + "/") else ""


class Blobs:
    """The contents of files by Git's names for them. One `git cat-file --batch` answers; `close` ends it."""

    def __init__(self, git: Git) -> None:
        self._git = git
        self._process: Any = None
        self._ahead: dict[str, bytes] = {}
        self._left = Counter[str]()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read(self, name: str) -> bytes:
        """A file's bytes; raises OutsideError when Git does not have them."""
        if name in self._ahead:
            self._left[name] -= 1
            return self._ahead[name] if self._left[name] > 0 else self._ahead.pop(name)
        self._ask([name])
        return self._answer(name)

    def peek(self, name: str) -> bytes:
        """The same, of a file that will be asked for again."""
        data = self._ahead[name] = self.read(name)
        self._left[name] += 1
        return data

    def fetch(self, names: Iterable[str]) -> None:
        """Read what will soon be asked for, as often as named: one after the other, Git and we would wait in turn.

        What Git does not have is told when it is asked for.
        """
        counts = Counter(names)
        wanted = [name for name in counts if name not in self._ahead]
        self._left.update(counts)
        for start in range(0, len(wanted), _AT_ONCE):
            some = wanted[start : start + _AT_ONCE]
            self._ask(some)
            for name in some:
                with suppress(OutsideError):
                    self._ahead[name] = self._answer(name)

    def close(self) -> None:
        """End the process that reads; a later read starts another."""
        if self._process is not None:
            self._process.stdin.close()
            self._process.stdout.close()
            self._process.wait()
            self._process = None

    def _ask(self, names: list[str]) -> None:
        if self._process is None:
            self._process = self._git.start("cat-file", "--batch")
        self._process.stdin.write("".join(f"{name}\n" for name in names).encode())
        self._process.stdin.flush()

    def _answer(self, name: str) -> bytes:
        header = self._process.stdout.readline().split()
        if len(header) != 3:
            raise OutsideError(f"Git has no object {name}", hint="git fsck looks for damage; git fetch may bring it")
        data: bytes = self._process.stdout.read(int(header[2]))
        self._process.stdout.read(1)
        return data
