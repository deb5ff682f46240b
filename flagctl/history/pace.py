"""When commits touched the files of each flag."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagctl.files.walk import classify

if TYPE_CHECKING:
    from flagctl.history.git import Git


def touched(git: Git) -> dict[tuple[str, str], list[int]]:
    """(environment, key) to the committers' times, epoch seconds, of the commits that touched the flag's file."""
    if git.head() is None:
        return {}
    found: dict[tuple[str, str], list[int]] = {}
    at = 0
    names = ("--literal-pathspecs", "log", "-z", "--name-only", "--no-renames", git.relative, "--format=%x01%ct")
    for record in git.read(*names, "--", *git.spec("flags")).split("\0"):
        text = record.strip("\n")
        if text.startswith("\1"):
            at = int(text[1:])
        elif text:
            entry = classify(text)
            if entry.kind == "flag":
                found.setdefault((entry.environment, entry.name), []).append(at)
    return found
