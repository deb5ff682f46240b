"""Symbolic links among flag files: as on disk, what a link leads to is its content, and changes with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from flagctl.history.touches import Commit, Step, Touch, first_parents
from flagctl.history.travel import LINK_MODE, Blobs, end_of

if TYPE_CHECKING:
    from flagctl.history.git import Git


def followed(git: Git, steps: Iterable[Step], sources: Mapping[str, str]) -> Iterator[tuple[Touch, ...]]:
    """What commits, oldest first, did to files, links among them followed.

    sources: where the links lead that there are before the first, by their paths.
    """
    leads = dict(sources)
    for step in steps:
        if not leads and not any(touch.link for touch in step.touches):
            yield step.touches
            continue
        touches = {touch.path: touch for touch in step.touches}
        links = [touch.path for touch in step.touches if touch.link]
        links += [path for path, end in leads.items() if end in touches and path not in links]
        for path in links:
            touch = touches[path] = _followed(git, step.commit, path)
            leads.pop(path, None)
            if touch.source:
                leads[path] = touch.source
        yield tuple(touches[path] for path in sorted(touches))


def of_file(git: Git, revision: str, found: list[tuple[Commit, Touch]]) -> list[tuple[Commit, Touch]]:
    """What touched a file that was a link at times, newest first. found: what touched the file itself."""
    paths = dict.fromkeys(path for _, touch in found for path in (touch.path, touch.old_path))
    ends = (_content(git, commit.commit, touch.path)[1] for commit, touch in found if touch.link)
    paths |= dict.fromkeys(filter(None, ends))
    steps = list(first_parents(git, revision, list(paths), oldest_first=True))
    moved = {commit.commit: touch.old_path for commit, touch in found}
    at, told = found[0][1].path, []
    for step, touches in reversed(list(zip(steps, followed(git, steps, {}), strict=True))):
        for touch in touches:
            if touch.path == at:
                at = moved.get(step.commit.commit, at)
                told.append((step.commit, msgspec.structs.replace(touch, old_path=at)))
                break
    return told


def _followed(git: Git, commit: Commit, path: str) -> Touch:
    old, _, _ = _content(git, commit.parents[0], path) if commit.parents else ("", "", "")
    new, source, problem = _content(git, commit.commit, path)
    return Touch(path, old, new, path, link=True, source=source, problem=problem)


def _content(git: Git, commit: str, path: str) -> tuple[str, str, str]:
    """Git's name for the content of a file, where that stands if elsewhere, and why it can't be read."""
    found = {at: (mode, name) for mode, name, at in git.files(commit, path)}
    mode, name = found.get(path, ("", ""))
    if mode != LINK_MODE:
        return name, "", ""
    with Blobs(git) as blobs:
        end = end_of(path, blobs.read(name))
    if not end:
        return name, "", f"a symbolic link that leaves {'/'.join(path.split('/')[:2])}"
    there = {at: other for kind, other, at in git.files(commit, end) if kind != LINK_MODE}
    return (there[end], end, "") if end in there else (name, end, "a symbolic link to no file")
