"""The CODEOWNERS file of a Git repository, and whether our part of it is as it should be."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from flagctl.errors import OutsideError
from flagctl.plan.codeowners import BEGIN, renewed
from flagctl.problems import Problem

if TYPE_CHECKING:
    from flagctl.history.git import Git
    from flagctl.model.repository import Repository

_PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS")
"""Where forges look; GitHub takes the first of its three."""


def place(git: Git) -> Path:
    """The file that is there, else where a new one goes."""
    top = Path(git.read("rev-parse", "--show-toplevel").rstrip("\n"))
    return next((top / name for name in _PLACES if (top / name).is_file()), top / _PLACES[0])


def texts(git: Git, repository: Repository) -> tuple[Path, str, str]:
    """The file, what it says, and what it should say. Raises OutsideError."""
    file = place(git)
    try:
        now = file.read_text(encoding="utf-8") if file.is_file() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise OutsideError(f"{file} can't be read: {error}") from error
    return file, now, renewed(now, repository, git.prefix)


def stale(root: Path, repository: Repository) -> list[Problem]:
    """A problem where `flagctl codeowners` wrote a file once, and would write another today."""
    from flagctl.history.git import Git

    git = Git.find(root)
    if git is None or not place(git).is_file():
        return []
    file, now, wanted = texts(git, repository)
    lines = now.splitlines()
    if BEGIN not in lines or now == wanted:
        return []
    return [
        Problem(
            rule="stale-codeowners",
            message="owners or settings have changed since this was written",
            file=Path(os.path.relpath(file, root)).as_posix(),
            line=lines.index(BEGIN) + 1,
            column=1,
            hint="flagctl codeowners writes it anew",
        )
    ]
