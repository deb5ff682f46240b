"""The files of a commit, read without checking it out."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from flagctl.errors import OutsideError
from flagctl.files.walk import Tree

if TYPE_CHECKING:
    from types import TracebackType

    from flagctl.history.git import Git

_LINK, _SUBMODULE = "120000", "160000"


class CommitTree(Tree):
    """Files below `flags/` at a revision; a `flagctl.files.walk.Tree`.

    One `git cat-file --batch` answers all reads; `close` ends it, as does leaving a `with` block.
    """

    def __init__(self, git: Git, revision: str) -> None:
        """Raises UsageError when the revision names no commit."""
        self.commit = git.resolve(revision)
        self.refused: dict[str, str] = {}
        self._git = git
        self._process: Any = None
        self._objects: dict[str, str] | None = None

    def __enter__(self) -> CommitTree:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process that reads; a later read starts another."""
        if self._process is not None:
            self._process.stdin.close()
            self._process.stdout.close()
            self._process.wait()
            self._process = None

    def paths(self, under: str = "flags") -> list[str]:
        """See flagctl.files.walk.Tree."""
        return sorted(path for path in self._listed() if path.startswith(f"{under}/"))

    def read(self, path: str) -> bytes:
        """See flagctl.files.walk.Tree."""
        blob = self._listed().get(path)
        if blob is None:
            raise OutsideError(f"{path} is not in commit {self.commit[:12]}")
        return self._blob(blob)

    def _listed(self) -> dict[str, str]:
        if self._objects is None:
            self._objects = {}
            links = {}
            for record in self._git.read("ls-tree", "-r", "-z", self.commit, "--", "flags/").split("\0"):
                if not record:
                    continue
                about, _, path = record.partition("\t")
                mode, _, blob = about.split(" ")
                if "\ufffd" in path:
                    self.refused[path] = "has a name that is not UTF-8"
                elif any(part.startswith(".") for part in path.split("/")):
                    continue
                elif mode == _SUBMODULE:
                    self.refused[path] = "is a Git submodule, not a folder"
                elif mode == _LINK:
                    links[path] = blob
                else:
                    self._objects[path] = blob
            self._objects |= self._followed(links)
        return self._objects

    def _followed(self, links: dict[str, str]) -> dict[str, str]:
        # As on disk: a link may stay inside its environment's folder, and has to end at a file.
        files, found = self._objects or {}, {}
        for path, blob in links.items():
            home = "/".join(path.split("/")[:2])
            target = posixpath.normpath(
                posixpath.join(posixpath.dirname(path), self._blob(blob).decode("utf-8", "replace"))
            )
            if not target.startswith(home + "/"):
                self.refused[path] = f"is a symbolic link that leaves {home}"
            elif target not in files:
                self.refused[path] = "is a symbolic link to no file"
            else:
                found[path] = files[target]
        return found

    def _blob(self, name: str) -> bytes:
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
