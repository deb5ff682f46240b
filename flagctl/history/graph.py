"""Git's commit-graph with changed-path filters, by which the log of one file does not look into every commit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flagctl.errors import OutsideError

if TYPE_CHECKING:
    from flagctl.history.git import Git

COMMAND = ("commit-graph", "write", "--reachable", "--changed-paths")
MANY = 1000
"""Commits from which on it is worth having."""
_HEAD, _CHUNK = 8, 12


def has_filters(git: Git) -> bool:
    """Whether some commit-graph file holds filters (chunk BIDX of gitformat-commit-graph(5))."""
    info = git.common / "objects" / "info"
    return any(_filtered(file) for file in (info / "commit-graph", *info.glob("commit-graphs/*.graph")))


def _filtered(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            head = opened.read(_HEAD)
            table = opened.read(_CHUNK * head[6]) if head[:4] == b"CGPH" else b""
    except (OSError, IndexError):
        return False
    return any(table[start : start + 4] == b"BIDX" for start in range(0, len(table), _CHUNK))


def set_up(git: Git) -> bool:
    """Write it, and have fetches keep it; whether anything was done. Git's own maintenance keeps it, too."""
    status, _, _ = git.look("config", "--get", "fetch.writeCommitGraph")
    if status:
        git.run("config", "fetch.writeCommitGraph", "true")
    head = git.head()
    if head is None or has_filters(git):
        return False
    from flagctl.history.trails import look_ahead

    look_ahead(git, head.commit)  # before there are filters: without them one walk of Git is enough
    code, _, err = git.run(*COMMAND, "--no-progress")
    if code:
        raise OutsideError(f"Git could not write its commit-graph: {err.strip()}", hint=f"git {' '.join(COMMAND)}")
    return True
