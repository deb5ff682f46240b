"""Private signing keys among the files that Git keeps outside `flags/`, where no reader of flags comes by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagctl.errors import OutsideError, UsageError
from flagctl.history.git import Git
from flagctl.problems import Problem
from flagctl.signing import ONE_LINE, holds_half_of, public_key

if TYPE_CHECKING:
    from pathlib import Path

    from flagctl.model.repository import Settings

_MARKS = ("PRIVATE KEY-----", ONE_LINE)
_LARGEST = 1 << 20


def committed_keys(root: Path, settings: Settings) -> list[Problem]:
    """A problem for each tracked file with the private half of a key of the settings; none without keys or Git."""
    publics = []
    for key in settings.keys:
        try:
            publics.append(public_key(key.public))
        except UsageError:
            continue  # a problem of its own
    git = Git.find(root) if publics else None
    if git is None:
        return []
    patterns = [part for mark in _MARKS for part in ("-e", mark)]
    status, out, err = git.run("grep", "-l", "-z", "-I", "-F", *patterns, "--", ":/", ":(exclude)flags")
    if status > 1:
        raise OutsideError(f"git grep failed: {err.strip()}")
    found = []
    for path in filter(None, out.split("\0")):
        file = root / path
        if not file.is_file() or file.stat().st_size > _LARGEST:
            continue
        lines = file.read_text("utf-8", "replace").split("\n")
        if holds_half_of("\n".join(lines), publics):
            line = next(number for number, text in enumerate(lines, 1) if any(mark in text for mark in _MARKS))
            found.append(
                Problem(rule="private-key", message="the private half of a key that settings list lies here",
                        file=path, line=line, column=1, hint="replace the key: flagctl rule show private-key")
            )  # fmt: skip
    return found
