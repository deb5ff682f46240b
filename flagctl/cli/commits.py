"""Snapshots as commits say them, compiled anew, for what compares them with what is published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flagctl.errors import OutsideError, UsageError
from flagctl.files.walk import ATTRIBUTES, SETTINGS

if TYPE_CHECKING:
    from flagctl.files.repository import Reading
    from flagctl.model.repository import Repository, Settings
    from flagctl.project import Project


class Commits:
    """The commits of a flag repository; each is read once."""

    def __init__(self, project: Project) -> None:
        from flagctl.history.git import Git

        self.project = project
        self.git = Git(project.root, bare=True)
        self._read: dict[str, Reading] = {}
        self._versions: dict[str, dict[tuple[str, str], int]] = {}

    def repository(self, commit: str) -> Repository:
        """What a commit says. Raises OutsideError when this clone has no such commit."""
        return self._reading(commit).repository

    def settings(self, commit: str) -> Settings:
        """The settings of a commit. Raises OutsideError when this clone has no such commit."""
        return self.repository(commit).settings

    def snapshot(self, commit: str, environment: str) -> tuple[dict[str, Any], Settings]:
        """An environment's snapshot at a commit, version 0, and the commit's settings.

        Its flags have no versions in a shallow clone.

        Raises OutsideError when this clone has no such commit, UsageError when that has no such environment.
        """
        from flagctl.compile.snapshot import snapshot
        from flagctl.model import times
        from flagctl.model.repository import require_environment

        repository = self.repository(commit)
        require_environment(environment, repository.environments)
        time = times.text(int(self.git.read("show", "--no-patch", "--format=%ct", commit)))
        numbers = self._numbers(commit)
        document = snapshot(
            repository.environments[environment],
            repository.settings,
            repository.attributes,
            commit=commit,
            commit_time=time,
            versions={key: number for (where, key), number in numbers.items() if where == environment},
        )
        return document, repository.settings

    def since(self, environment: str, commit: str) -> list[tuple[str, str]] | None:
        """Commits after this one that touched the environment, newest first; None when it is not in our history."""
        if not self.git.is_ancestor(commit, "HEAD"):
            return None
        paths = [f"flags/{environment}", ATTRIBUTES, SETTINGS]
        out = self.git.read("log", "-z", "--format=%h%x1f%s", f"{commit}..HEAD", "--", *self.git.spec(*paths))
        return [(short, subject) for short, _, subject in (line.partition("\x1f") for line in out.split("\0") if line)]

    def lost(self, commit: str) -> bool:
        """Whether a commit is neither in our history nor after it; a shallow clone does not know."""
        ends = (commit, "HEAD")
        return not self.git.shallow and not any(map(self.git.is_ancestor, ends, reversed(ends)))

    def _numbers(self, commit: str) -> dict[tuple[str, str], int]:
        from flagctl.cli.versions import of_commit

        if commit not in self._versions:
            self._versions[commit] = of_commit(self.project, self.git, commit)
        return self._versions[commit]

    def _reading(self, commit: str) -> Reading:
        from flagctl.history.travel import CommitTree

        if commit not in self._read:
            try:
                tree = CommitTree(self.git, commit)
            except UsageError:
                raise OutsideError(
                    f"this clone has no commit {commit[:12]}, so what is published can't be compared with it",
                    hint="git fetch --unshallow, or git fetch --all; is it another repository's? If the branch was "
                    "rewritten and that commit is gone for good: flagctl publish --allow-older",
                ) from None
            with tree:
                self._read[commit] = self.project.read(tree)
        return self._read[commit]
