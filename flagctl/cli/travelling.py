"""The flag repository as it was: what `--at` means, and a repository that has no work tree."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from flagctl.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from flagctl.history.git import Git
    from flagctl.history.moment import At
    from flagctl.project import Progress, Project

_VERSION = re.compile(r"([^@]*)@v([1-9][0-9]{0,8})")


def travelled(project: Project, at: str, now: float, *, key: str, environment: str, only: bool) -> tuple[Project, At]:
    """The repository at a revision, a date, or the commit that made version N of a flag (`@v7`, `KEY@v7`).

    only: no other environment will be read.
    """
    from flagctl.history import moment
    from flagctl.history.git import Git
    from flagctl.history.travel import CommitTree
    from flagctl.project import Project

    git = Git(project.root, bare=True)
    if version := _VERSION.fullmatch(at):
        found = _of_version(git, version[1] or key, environment, int(version[2]))
    else:
        found = moment.at(git, at, now)
    return Project(
        project.root, project.progress, CommitTree(git, found.commit, only=environment if only else "", resolved=True)
    ), found


def _of_version(git: Git, key: str, environment: str, number: int) -> At:
    from flagctl.files.walk import classify
    from flagctl.history.moment import At
    from flagctl.history.trails import version

    if not key or not environment:
        raise UsageError("a version is of one flag in one environment", hint=f"-e ENV --at {key or 'KEY'}@v{number}")
    found = version(git, git.resolve("HEAD"), environment, key, number)
    old = classify(found.path).name
    if old != key:
        raise UsageError(
            f"{key} was called {old} at version {number}",
            hint=f"flagctl show {old} -e {environment} --at {found.commit[:10]}",
        )
    return At(found.commit, float(found.time))


def in_bare(folder: Path, progress: Progress) -> Project | None:
    """The flags of a bare repository, as they are at its HEAD; None when `folder` is in none.

    folder: the repository, or what would be a folder in it. Raises UsageError where no flags stand at or below
    that, or those of several repositories.
    """
    from flagctl.history.git import Git
    from flagctl.history.travel import CommitTree
    from flagctl.project import SETTINGS, Project

    folder = folder.absolute()
    home = next(place for place in (folder, *folder.parents) if place.is_dir())
    if not (home / "objects").is_dir() or not (home / "HEAD").is_file():
        return None
    git = Git(home, bare=True)
    if not git.bare:
        return None
    head = git.head()
    if head is None:
        raise UsageError(
            f"the HEAD of {home} is {git.branch()}, on which nothing is committed",
            hint=f"git -C {home} symbolic-ref HEAD refs/heads/BRANCH",
        )
    prefix = f"{folder.relative_to(home).as_posix()}/".removeprefix("./")
    below = [path for _, _, path in git.files(head.commit) if path.startswith(prefix)]
    found = [path.removesuffix(SETTINGS) for path in below if f"/{path}".endswith(f"/{SETTINGS}")]
    if not found:
        raise UsageError(
            f"no {SETTINGS} in {folder} at its HEAD",
            hint=f"git -C {home} ls-tree -r --name-only HEAD shows what is there",
        )
    if len(found) > 1 and prefix not in found:
        names = ", ".join(name.rstrip("/") for name in found)
        raise UsageError(f"several folders of {folder} hold flags: {names}", hint=f"flagctl -C {home / found[0]}")
    root = home / min(found, key=len)
    return Project(root, progress, CommitTree(Git(root, bare=True), head.commit, resolved=True))
