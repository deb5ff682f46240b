"""The commits that touched one file, through its moves, and the versions they made of it.

Those of files that many flags use are kept in `.git/flagctl`; it is safe to delete.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from flagctl.errors import UsageError
from flagctl.files.cache import keep, kept, place
from flagctl.files.walk import classify
from flagctl.history.links import followed, of_file
from flagctl.history.pasts import Models, Past, Row, files_of, paired, paths, take
from flagctl.history.touches import Commit, Step, Touch, first_parents, of_commit, require_whole
from flagctl.history.travel import Blobs

if TYPE_CHECKING:
    from flagctl.history.git import Git

Trail = list[tuple[Commit, Touch]]
"""Newest first."""
_ROOMS = ("history",)
_Known = dict[str, tuple[str, Trail]]


def trail(git: Git, revision: str, path: str, models: Models) -> Trail:
    """What touched the file at `path`, from `revision` on its first parents."""
    found: Trail = []
    at = revision
    while at:
        following, at = at, ""
        for step in first_parents(git, following, [path]):
            touch = next(touch for touch in step.touches if touch.path == path)
            if not touch.old and step.commit.parents:
                touch = _origin(git, step.commit, touch, models)
            found.append((step.commit, touch))
            if touch.old_path != path:
                path, at = touch.old_path, step.commit.parents[0]
                break
    return of_file(git, revision, found) if any(touch.link for _, touch in found) else found


def _origin(git: Git, commit: Commit, touch: Touch, models: Models) -> Touch:
    entry = classify(touch.path)
    folder = f"flags/{entry.environment}" if entry.environment else "flags"
    (touches,) = followed(git, [Step(commit, of_commit(git, commit, folder))], {})
    others = paired(touches, models)
    return next((other for other in others if other.path == touch.path), touch)


def lineage(git: Git, revision: str, path: str, models: Models) -> list[tuple[Commit, Row]]:
    """Everything that happened to the file at `path`, newest first, from `revision` on its first parents."""
    return told(trail(git, revision, path, models), models)


def told(touched: Trail, models: Models) -> list[tuple[Commit, Row]]:
    """What each of these touches did."""
    models.fetch(touch.new for _, touch in touched)
    rows, past = [], Past()
    for commit, touch in reversed(touched):
        past, row = take(past, touch, models)
        rows.append((commit, row))
    return rows[::-1]


class Version(msgspec.Struct, frozen=True):
    """What a flag became by a commit that changed its meaning; `blob` is "" where that removed it."""

    number: int
    commit: str
    time: int
    path: str
    blob: str


def versions(git: Git, revision: str, environment: str, key: str) -> list[Version]:
    """Every version of a flag in an environment, the first first.

    Raises UsageError when there never was one, RefusedError in a shallow clone.
    """
    require_whole(git)
    found = []
    with Blobs(git) as blobs:
        (path,) = files_of(git, revision, key, environment, paths(git, revision, environment))
        for commit, row in reversed(lineage(git, revision, path, Models(blobs))):
            if row.meaning:
                found.append(Version(row.version, commit.commit, commit.time, row.path, row.new))
    if not found:
        raise UsageError(f"{key} could never be read in {environment}", hint="flagctl check says why")
    return found


def version(git: Git, revision: str, environment: str, key: str, number: int) -> Version:
    """One of them; UsageError when there is none of this number."""
    found = versions(git, revision, environment, key)
    for one in found:
        if one.number == number:
            return one
    numbers = f"{found[0].number} to {found[-1].number}" if len(found) > 1 else str(found[0].number)
    raise UsageError(
        f"{key} has no version {number} in {environment}",
        hint=f"there is {numbers}; flagctl log {key} -e {environment} shows them",
    )


class Shared:
    """The lineages, at one commit, of segments and attributes: for each of them Git looks through the whole history."""

    def __init__(self, git: Git, commit: str, models: Models) -> None:
        self._git, self._commit, self._models = git, commit, models
        self._path = place(git.root, ".shared")
        self._known = _load(self._path)
        self._behind: dict[str, bool] = {commit: True}
        self._new = False

    def lineage(self, path: str) -> list[tuple[Commit, Row]]:
        """See above."""
        tip, found = self._known.get(path, ("", []))
        if tip != self._commit:
            # Whatever moved is followed anew, and so is a link: what it leads to may have changed.
            known = tip and not any(touch.link for _, touch in found)
            since = self._since(tip, path) if known and self._is_behind(tip) else None
            found = trail(self._git, self._commit, path, self._models) if since is None else since + found
            self._known[path] = self._commit, found
            self._new = True
        return told(found, self._models)

    def save(self) -> None:
        """Keep what is new."""
        if self._new:
            keep(self._path, msgspec.msgpack.encode(self._known), _ROOMS)

    def _since(self, tip: str, path: str) -> Trail | None:
        steps = first_parents(self._git, f"{self._commit} ^{tip}", [path])
        found = [(step.commit, touch) for step in steps for touch in step.touches if touch.path == path]
        return found if all(touch.old and not touch.link for _, touch in found) else None

    def _is_behind(self, tip: str) -> bool:
        if tip not in self._behind:
            self._behind[tip] = self._git.follows(self._commit, tip)
        return self._behind[tip]


def _load(path: object) -> _Known:
    body = kept(path, _ROOMS)  # type: ignore[arg-type]
    try:
        return {} if body is None else msgspec.msgpack.decode(body, type=_Known)
    except msgspec.MsgspecError:
        return {}
