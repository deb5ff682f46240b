"""The commits that touched one file, through its moves, and the versions they made of it.

What was found of the files last asked for is kept in `.git/flagctl`; it is safe to delete.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from flagctl.errors import UsageError
from flagctl.files.cache import keep, kept, place
from flagctl.files.walk import ATTRIBUTES, classify
from flagctl.history.graph import has_filters
from flagctl.history.links import followed, of_file
from flagctl.history.pasts import Models, Past, Row, files_of, paired, paths, take
from flagctl.history.touches import Commit, Step, Touch, first_parents, of_commit, require_whole
from flagctl.history.travel import Blobs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from flagctl.history.git import Git

Trail = list[tuple[Commit, Touch]]
"""Newest first."""
_ROOMS = ("history",)
_MOST = 500
"""Files of which something is kept."""
SHARED = ("segment", "attributes")
"""Kinds of files that many flags use."""
_Known = dict[str, msgspec.Raw]
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[str, Trail]).decode


def trail(git: Git, revision: str, path: str, models: Models, known: Trail | None = None) -> Trail:
    """What touched the file at `path`, from `revision` on its first parents.

    known: the same with moves not followed, where somebody found it before.
    """
    found: Trail = []
    at, following = path, revision
    while following:
        touches, known = _touches(git, following, at) if known is None else known, None
        following = ""
        for commit, touch in touches:
            if not touch.old and commit.parents:
                touch = _origin(git, commit, touch, models)
            found.append((commit, touch))
            if touch.old_path != at:
                at, following = touch.old_path, commit.parents[0]
                break
    return of_file(git, revision, found) if any(touch.link for _, touch in found) else found


def _touches(git: Git, revision: str, path: str) -> Iterator[tuple[Commit, Touch]]:
    for step in first_parents(git, revision, [path]):
        yield from ((step.commit, touch) for touch in step.touches if touch.path == path)


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


class Trails:
    """The lineages of some files at one commit; what was looked for before is not looked for again.

    scope: files and folders. Where the commit-graph has no filters, Git looks into every commit, for one path as long
    as for many: they are then found in one walk.
    """

    def __init__(self, git: Git, commit: str, models: Models, scope: Sequence[str]) -> None:
        self._git, self._commit, self._models, self._scope = git, commit, models, scope
        self._known = _load(git)
        self._behind: dict[str, bool] = {commit: True}
        self._new = False

    def lineage(self, path: str) -> list[tuple[Commit, Row]]:
        """Everything that happened to a file of the scope, newest first."""
        return told(self.trail(path), self._models)

    def trail(self, path: str) -> Trail:
        """What touched it."""
        tip, found = _decode(self._known.pop(path)) if path in self._known else ("", [])
        if tip != self._commit:
            # Whatever moved is followed anew, and so is a link: what it leads to may have changed.
            old = tip and not any(touch.link for _, touch in found)
            since = self._since(tip, path) if old and self._is_behind(tip) else None
            found = self._whole(path) if since is None else since + found
            self._new = True
        self._known[path] = msgspec.Raw(_encode((self._commit, found)))  # the last used is the last to be dropped
        return found

    def save(self) -> None:
        """Keep what is new."""
        if self._new:
            _keep(self._git, self._known)

    def _whole(self, path: str) -> Trail:
        known = None if self._walk is None else self._walk.get(path, [])
        return trail(self._git, self._commit, path, self._models, known)

    @cached_property
    def _walk(self) -> dict[str, Trail] | None:
        if has_filters(self._git):
            return None
        found: dict[str, Trail] = {}
        for step in first_parents(self._git, self._commit, self._scope):
            for touch in step.touches:
                found.setdefault(touch.path, []).append((step.commit, touch))
        return found

    def _since(self, tip: str, path: str) -> Trail | None:
        found = list(_touches(self._git, f"{self._commit} ^{tip}", path))
        return found if all(touch.old and not touch.link for _, touch in found) else None

    def _is_behind(self, tip: str) -> bool:
        if tip not in self._behind:
            self._behind[tip] = self._git.follows(self._commit, tip)
        return self._behind[tip]


def share(git: Git, commit: str, touched: Mapping[str, Trail]) -> None:
    """Keep what was found on the way through the whole history of a commit."""
    _keep(git, _load(git) | {path: msgspec.Raw(_encode((commit, found))) for path, found in touched.items()})


def look_ahead(git: Git, commit: str) -> None:
    """Find what touched segments and attributes, for which the log of every flag asks."""
    there = [path for path in paths(git, commit) if classify(path).kind in SHARED]
    with Blobs(git) as blobs:
        trails = Trails(git, commit, Models(blobs), sorted({folder_of(path) for path in there}))
        for path in there:
            trails.trail(path)
    trails.save()


def folder_of(path: str) -> str:
    """The folder of a segment's environment in which all its segments stand, or attributes' only file."""
    return path if path == ATTRIBUTES else f"flags/{classify(path).environment}/segments"


def _keep(git: Git, known: _Known) -> None:
    keep(place(git.root, ".trails"), _encode(dict(list(known.items())[-_MOST:])), _ROOMS)


def _load(git: Git) -> _Known:
    body = kept(place(git.root, ".trails"), _ROOMS)
    try:
        return {} if body is None else msgspec.msgpack.decode(body, type=_Known)
    except msgspec.MsgspecError:
        return {}
