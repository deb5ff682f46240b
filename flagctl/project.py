"""A flag repository on disk: where it is, and reading it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from flagctl.errors import ProblemsError, UsageError

if TYPE_CHECKING:
    from flagctl.files.repository import Reading
    from flagctl.files.walk import Tree
    from flagctl.model.repository import Settings

Progress = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]
SETTINGS = "flags/flagctl.yaml"


def find_root(start: Path) -> Path | None:
    """The nearest folder at or above `start` that holds `flags/flagctl.yaml`."""
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / SETTINGS).is_file():
            return folder
        if folder.name == "flags" and (folder / "flagctl.yaml").is_file():
            return folder.parent
    return None


def _silently(what: str) -> AbstractContextManager[Callable[[int, int], None]]:
    return nullcontext(lambda done, total: None)


class Project:
    """The flag repository in a folder.

    root: the folder that holds `flags/`. It may be a folder of a larger Git repository.
    progress: makes, for the name of some long work, a context that is told of (files done, files in all).
    past: the files of a commit, to be read in place of those on disk.
    """

    def __init__(self, root: Path, progress: Progress = _silently, past: Tree | None = None) -> None:
        from flagctl.files.walk import DiskTree

        self.root = root
        self.progress = progress
        self.past = past
        self.tree: Tree = past or DiskTree(root)

    @classmethod
    def find(cls, start: Path, progress: Progress = _silently) -> Project:
        """The repository around `start`; raises UsageError that says where was looked."""
        if not start.is_dir():
            raise UsageError(f"{start} is no folder", hint="-C and FLAGCTL_REPO name a folder in a flag repository")
        root = find_root(start)
        if root is None:
            raise UsageError(
                f"no {SETTINGS} in {start.resolve()} or above it",
                hint="start a flag repository here with `flagctl init`, or name one with -C DIR",
            )
        return cls(root, progress)

    def read(self, tree: Tree | None = None) -> Reading:
        """Everything under `flags/`, of the work tree or of another tree; unchanged files come from the cache."""
        from flagctl.files.cache import Cache
        from flagctl.files.repository import read_repository

        with self.progress("reading flag files") as report:
            cache = Cache.beside(self.root)
            return read_repository(tree or self.tree, cache=cache, report=report, keep=self.past is None)

    def settings(self) -> Settings:
        """The settings alone; raises ProblemsError when they make no sense."""
        from flagctl.files.understand import understand
        from flagctl.files.walk import Entry

        parsed = understand(Entry(SETTINGS, "settings"), self.tree.read(SETTINGS))
        if parsed.model is None:
            raise ProblemsError(
                f"{SETTINGS} has problems", parsed.problems, hint=f"flagctl check {SETTINGS} shows where"
            )
        settings: Settings = parsed.model
        return settings

    def closure(self, environment: str, key: str) -> Reading:
        """Settings, attributes, and one flag with all it needs."""
        from flagctl.files.repository import read_closure

        return read_closure(self.tree, environment, key)
