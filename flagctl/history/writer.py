"""One writer at a time in a work tree; what a killed one left undone is taken back by the next.

The lock is the kernel's, so it goes with its process. A writer says in a journal what it is about to write;
texts found that stand there and are not committed are put back as they were.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from flagctl.errors import OutsideError, RefusedError
from flagctl.files.write import UNFINISHED, remove, write

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from flagctl.history.git import Git

JOURNAL = "journal"
_PATIENCE = 300
_PAUSE = 0.1


class _Journal(msgspec.Struct, frozen=True):
    """The texts of files before and after, by path; None for no file."""

    before: dict[str, str | None]
    after: dict[str, str | None]


class Writer:
    """Holds the lock of a work tree; see `alone`."""

    def __init__(self, git: Git) -> None:
        self.git = git
        self.folder = Path(git.folder) / "flagctl"
        self._journal = self.folder / JOURNAL

    def write(self, texts: Mapping[str, str | None]) -> None:
        """See write_all."""
        write_all(self.git.root, texts, draft=self.folder)

    def begin(self, before: Mapping[str, str | None], after: Mapping[str, str | None]) -> None:
        """Note what is about to be written, for whoever comes after a crash."""
        write(self._journal, msgspec.json.encode(_Journal(dict(before), dict(after))), draft=self.folder)

    def end(self) -> None:
        """All is committed, or as it was."""
        self._journal.unlink(missing_ok=True)

    def recover(self) -> list[str]:
        """Put back what a killed writer wrote and did not commit; the paths of these files."""
        for leftover in self.folder.glob(f".*{UNFINISHED}"):
            leftover.unlink(missing_ok=True)
        try:
            left = msgspec.json.decode(self._journal.read_bytes(), type=_Journal)
        except FileNotFoundError:
            return []
        except msgspec.MsgspecError:
            self.end()
            return []
        if (Path(self.git.folder) / "index.lock").exists():
            raise OutsideError(
                "Git's index is locked", hint=f"another git is at work; if none is, remove {self.git.folder}/index.lock"
            )
        undone = [path for path in left.after if self._is_undone(path, left)]
        self.write({path: left.before[path] for path in undone})
        if new := [path for path in left.after if left.before[path] is None and self._committed(path) is None]:
            self.git.run("update-index", "--force-remove", "--", *new)
        self.end()
        return undone

    def _is_undone(self, path: str, left: _Journal) -> bool:
        file = self.git.root / path
        found = file.read_bytes() if file.is_file() else None
        after, before = left.after[path], left.before[path]
        if found != (None if after is None else after.encode()):
            return False
        committed = self._committed(path)
        if committed is None or before is None:
            return committed is before
        # Git may keep LF where the work tree has CR LF.
        return committed.replace("\r\n", "\n") == before.replace("\r\n", "\n")

    def _committed(self, path: str) -> str | None:
        status, out, _ = self.git.run("cat-file", "blob", f"HEAD:{self.git.prefix}{path}")
        return None if status else out


def write_all(root: Path, texts: Mapping[str, str | None], *, draft: Path | None = None) -> None:
    """These files with these texts (None: no file), each whole or not at all. Raises OutsideError."""
    for path, text in texts.items():
        file = root / path
        if text is not None:
            write(file, text.encode(), draft=draft)
        elif file.exists():
            remove(file)


def tidy(root: Path) -> list[str]:
    """Take back what a killed writer left in the work tree around `root`; the paths of these files."""
    if not _journal_beside(root):
        return []
    from flagctl.history.git import Git

    git = Git(root)
    with alone(git, recover=False) as writer:
        return writer.recover()


def _journal_beside(root: Path) -> bool:
    # Every command that changes something asks, so Git is not started for it.
    there = next((folder / ".git" for folder in (root, *root.parents) if (folder / ".git").exists()), None)
    if there is None:
        return False
    if there.is_file():  # of a linked work tree
        there = Path(there.parent, there.read_text().removeprefix("gitdir:").strip())
    return (there / "flagctl" / JOURNAL).exists()


@contextlib.contextmanager
def alone(git: Git, *, recover: bool = True) -> Iterator[Writer]:
    """Nobody else writes in this work tree through flagctl; raises RefusedError when somebody does for too long.

    Raises OutsideError where nothing can be written at all.
    """
    writer = Writer(git)
    path = writer.folder / "lock"
    try:
        writer.folder.mkdir(exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise OutsideError(f"{path} can't be written: {error.strerror}", hint="nothing was changed") from error
    try:
        _lock(descriptor, path)
        if recover:
            writer.recover()
        yield writer
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> None:
    for _ in range(_PATIENCE):
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE)
    raise RefusedError(
        f"another flagctl has been changing files here for {_PATIENCE * _PAUSE:.0f} seconds",
        hint=f"run the command again; fuser {path} says who it is",
    )
