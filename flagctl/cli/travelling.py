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
    from flagctl.history.moment import At
    from flagctl.history.trails import version

    if not key or not environment:
        raise UsageError("a version is of one flag in one environment", hint=f"-e ENV --at {key or 'KEY'}@v{number}")
    found = version(git, git.resolve("HEAD"), environment, key, number)
    return At(found.commit, float(found.time))


def in_bare(folder: Path, progress: Progress) -> Project | None:
    """The flags of a bare repository, as they are at its HEAD; None when `folder` is none, or holds no flags.

    Raises UsageError where they stand in one of its folders.
    """
    from flagctl.history.git import Git
    from flagctl.history.travel import CommitTree
    from flagctl.project import SETTINGS, Project

    if not (folder / "objects").is_dir() or not (folder / "HEAD").is_file():
        return None
    git = Git(folder, bare=True)
    head = git.head()
    if head is None or not git.bare:
        return None
    tree = CommitTree(git, head.commit, resolved=True)
    if SETTINGS in tree.paths():
        return Project(folder, progress, tree)
    names = git.read("ls-tree", "-r", "-z", "--name-only", head.commit).split("\0")
    for name in names:
        if name.endswith(f"/{SETTINGS}"):
            below = name.removesuffix(f"/{SETTINGS}")
            raise UsageError(
                f"the flags of this repository stand in {below}, where only a work tree shows them",
                hint=f"git -C {folder} worktree add --detach /tmp/flags, then flagctl -C /tmp/flags/{below}",
            )
    return None
