"""The versions of flags beside what is shown or built: as of a commit, or of HEAD and what was not committed yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from flagctl.files.walk import classify

if TYPE_CHECKING:
    from flagctl.history.git import Git
    from flagctl.project import Project

_Numbers = dict[tuple[str, str], int]


class Versions(msgspec.Struct, frozen=True):
    """By environment and key; `changed` are those whose file is not as committed."""

    numbers: _Numbers = {}
    changed: frozenset[tuple[str, str]] = frozenset()

    def text(self, environment: str, key: str) -> str:
        """«v7», «v7+» with uncommitted changes, "" where nobody knows."""
        place = environment, key
        number = self.numbers.get(place)
        if number is None:
            return ""
        return f"v{number}{'+' if place in self.changed else ''}"


def of_project(project: Project) -> Versions:
    """The versions of the files that the project reads; none outside a whole Git history."""
    from flagctl.errors import FlagctlError
    from flagctl.history.git import Git
    from flagctl.history.travel import CommitTree

    try:
        git = Git(project.root, bare=True)
        if isinstance(project.past, CommitTree):
            return Versions(of_commit(project, git, project.past.commit))
        head = git.head()
        if head is None:
            return Versions()
        changed = git.read("diff-index", "--name-only", "-z", "--relative", "HEAD", "--", "flags").split("\0")
        entries = [classify(path) for path in changed if path]
        return Versions(
            of_commit(project, git, head.commit), frozenset((entry.environment, entry.name) for entry in entries)
        )
    except FlagctlError:
        return Versions()


def of_flag(project: Project, environment: str, key: str) -> Versions:
    """The version of one flag, for which its own history is enough; none as above."""
    from flagctl.errors import FlagctlError
    from flagctl.history.git import Git
    from flagctl.history.trails import versions
    from flagctl.history.travel import CommitTree

    try:
        git = Git(project.root, bare=True)
        commit = project.past.commit if isinstance(project.past, CommitTree) else git.resolve("HEAD")
        numbers = {(environment, key): versions(git, commit, environment, key)[-1].number}
        if isinstance(project.past, CommitTree):
            return Versions(numbers)
        changed = git.read("diff-index", "--name-only", "-z", "--relative", "HEAD", "--", f"flags/{environment}")
        entries = [classify(path) for path in changed.split("\0") if path]
        return Versions(numbers, frozenset((entry.environment, entry.name) for entry in entries))
    except FlagctlError:
        return Versions()


def of_commit(project: Project, git: Git, commit: str) -> _Numbers:
    """The versions at a commit; none in a shallow clone, which can't know them."""
    from flagctl.errors import RefusedError
    from flagctl.history.ledger import Ledger

    try:
        return Ledger(git, commit, project.progress).versions()
    except RefusedError:
        return {}
