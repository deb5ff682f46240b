"""What a command is given: where to look for the repository, the clock, and where to print."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from flagctl.cli.output import Output
from flagctl.errors import UsageError
from flagctl.model import times

if TYPE_CHECKING:
    from flagctl.history.forge import Forge
    from flagctl.history.git import Git
    from flagctl.project import Project


class Session:
    """One run of the command line. The only place below which no clock and no environment is read."""

    def __init__(self, out: Output, directory: Path | None) -> None:
        self.out = out
        self.chdir = directory
        self._project: Project | None = None

    @property
    def directory(self) -> Path:
        """Where to start looking: `-C`, else FLAGCTL_REPO, else the working directory."""
        return self.chdir or Path(os.environ.get("FLAGCTL_REPO") or Path.cwd())

    def project(self) -> Project:
        """The flag repository around `directory`, or an error that says where was looked."""
        if self._project is None:
            from flagctl.project import Project

            try:
                self._project = Project.find(self.directory, self.out.progress)
            except UsageError:
                from flagctl.cli.travelling import in_bare

                self._project = in_bare(self.directory, self.out.progress)
                if self._project is None:
                    raise
        return self._project

    def then(
        self,
        at: str | None,
        clock: str | None = None,
        *,
        key: str = "",
        environment: str | None = None,
        only: bool = False,
    ) -> tuple[Project, float]:
        """The flag repository and the clock as of `--at`, both of now without it; `--clock` sets the clock alone.

        key, environment: of which flag `@v7` is a version. only: no other environment will be read.
        """
        if at is None:
            return self.project(), self.now(clock)
        from flagctl.cli.travelling import travelled

        project, found = travelled(self.project(), at, self.now(), key=key, environment=environment or "", only=only)
        self.out.say(f"as of commit {found.commit[:10]}, {times.text(found.time)}")
        return project, found.time if clock is None else self.now(clock)

    def writable(self) -> Project:
        """The flag repository, to be changed: what a killed flagctl left half done is taken back first."""
        from flagctl.history.writer import tidy

        project = self.project()
        for path in tidy(project.root):
            self.out.warn(f"{path} is as it was committed: an earlier flagctl was ended while it changed the file")
        return project

    def forge(self, git: Git) -> Forge | None:
        """The forge of a repository, by its remote and the tokens in the environment."""
        from flagctl.history.forge import forge_of

        return forge_of(git, os.environ)

    def now(self, clock: str | None = None) -> float:
        """Seconds since the epoch: the clock's, or what `--clock` or `--at` says."""
        if clock is None:
            return time.time()
        micro = times.microseconds(clock)
        if micro is None:
            raise UsageError(
                f'"{clock}" is no time with a zone',
                hint="write 2026-12-01T09:00:00Z, or a date alone for its midnight UTC",
            )
        return micro / 1_000_000
