"""The audit log: who changed what in which flag, when, why, and which version that made."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from flagctl.files.walk import ATTRIBUTES
from flagctl.history.beneath import Line
from flagctl.history.pasts import Models, Row, files_of, paths
from flagctl.history.touches import Commit, Landed, Step, Touch, all_commits, merged, require_whole
from flagctl.history.trails import Trails, folder_of
from flagctl.history.travel import Blobs

if TYPE_CHECKING:
    from flagctl.history.git import Git
    from flagctl.history.ledger import Ledger
    from flagctl.plan.change import Change


class Entry(Landed, frozen=True, kw_only=True):
    """What one commit on the first-parent history did to one flag in one environment.

    kind, key, environment: what it is told of; kind is flag, segment, attributes or settings. version: 0 where
    there is none yet. cause: "" for the flag's own file, else what changed under it: «segment staff».
    signature: "" where nobody asked.
    """

    kind: str
    key: str
    environment: str
    version: int
    row: Row
    changes: tuple[Change, ...]
    cause: str = ""
    signature: str = ""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries. since, until: seconds, both included. everything: those that changed nothing, too."""

    environment: str = ""
    since: float | None = None
    until: float | None = None
    author: str = ""
    reason: str = ""
    field: str = ""
    everything: bool = False

    def takes(self, entry: Entry) -> bool:
        """Whether it is one of them."""
        time = entry.commit.time
        return (
            (not self.environment or entry.environment in ("", self.environment))
            and (self.since is None or time >= self.since)
            and (self.until is None or time <= self.until)
            and (not self.author or any(self.author.lower() in name.lower() for name in _people(entry)))
            and (not self.reason or self.reason.lower() in entry.reason.lower())
            and (not self.field or any(_in_field(change.path, self.field) for change in entry.changes))
            and (self.everything or entry.row.event not in ("respelt", "moved"))
        )


def _people(entry: Entry) -> tuple[str, ...]:
    return entry.author, entry.committer, *entry.emails, entry.commit.email


def _in_field(path: str, field: str) -> bool:
    return f"/{field.strip('/')}/" in f"/{path}/"


def of_everything(git: Git, ledger: Ledger) -> Iterator[Entry]:
    """Every entry of every flag, segment and of what they share, newest first, as Git finds the commits."""
    if ledger.blank:
        landings = list(_landings(all_commits(git, ledger.commit), ledger.commit))
        for place, rows in ledger.unrolled([Step(landing.commit, landing.touches) for landing in landings]):
            yield from _landed(rows, landings[place].commit, landings[place].sides)
        return
    pages = {page.commit: page for page in ledger.pages()}
    for landing in _landings(all_commits(git, ledger.commit), ledger.commit):
        if landing.commit.commit in pages:
            yield from _landed(pages[landing.commit.commit].rows(), landing.commit, landing.sides)


def _order(git: Git, tip: str, commits: Sequence[Commit]) -> dict[str, int]:
    """The place of each commit on the first-parent history, the newest lowest."""
    times = {commit.commit: commit.time for commit in commits}
    if len(set(times.values())) == len(times):
        return {commit: -time for commit, time in times.items()}
    # Only the history itself knows which of two that say the same second came first.
    chain = git.read("rev-list", "--first-parent", tip).split("\n")
    return {commit: place for place, commit in enumerate(chain)}


class _Landing(msgspec.Struct):
    """A commit of the first-parent history, what it brought, and how many commits it may bring are yet to come."""

    commit: Commit
    touches: tuple[Touch, ...]
    sides: list[Step]
    age: int
    open: int = 0


def _landings(steps: Iterator[Step], tip: str) -> Iterator[_Landing]:
    """The first-parent history, each commit as soon as all that it brought is known; `steps`: children first."""
    expected, waiting, brought = tip, deque[_Landing](), dict[str, _Landing]()
    count = 0

    def brings(landing: _Landing, commits: Sequence[str]) -> None:
        for commit in commits:
            other = brought.get(commit)
            if other is not None:
                if other.age >= landing.age:
                    continue  # the older merge brought it
                other.open -= 1
            brought[commit] = landing
            landing.open += 1

    for step in steps:
        commit = step.commit
        landing = brought.pop(commit.commit, None)
        if landing is not None:
            landing.open -= 1
        if commit.commit == expected:
            waiting.append(_Landing(commit, step.touches, [], count))
            count += 1
            expected = commit.parents[0] if commit.parents else ""
            brings(waiting[-1], commit.parents[1:])
        elif landing is not None:
            if len(commit.parents) < 2:  # a merge of a merge changed nothing itself
                landing.sides.append(step)
            brings(landing, commit.parents)
        while waiting and not waiting[0].open:
            yield waiting.popleft()
    yield from waiting


def _landed(rows: Iterable[Row], commit: Commit, sides: Sequence[Step]) -> Iterator[Entry]:
    for row in rows:
        files = (row.path, row.old_path, row.source)
        yield Entry(
            kind=row.kind,
            key=row.key or row.kind,
            environment=row.environment,
            version=row.version,
            commit=commit,
            row=row,
            changes=row.changes,
            sides=tuple(step.commit for step in sides if any(touch.path in files for touch in step.touches)),
        )


def of_flag(git: Git, commit: str, key: str, environment: str = "") -> Iterator[Entry]:
    """One flag's entries in an environment ("": each), newest first, with those of segments and attributes under it.

    Raises UsageError for a flag that never was, RefusedError in a shallow clone.
    """
    require_whole(git)
    everything = paths(git, commit, environment)
    with Blobs(git) as blobs:
        models = Models(blobs)
        files = files_of(git, commit, key, environment, everything)
        trails = Trails(git, commit, models, [ATTRIBUTES, *files, *map(folder_of, files)])
        lines = [Line(path, everything, models, trails) for path in files]
        trails.save()
        order = _order(git, commit, [commit for line in lines for commit in line.commits()])
        told = [found for line in lines for found in line.told(order)]
        told.sort(key=lambda found: order[found.commit.commit])
        for found in told:
            row = found.row
            sides = merged(git, found.commit, sorted({row.path, row.old_path, row.source} - {""}))
            yield Entry(
                kind="flag",
                key=found.key,
                environment=found.environment,
                version=found.version,
                commit=found.commit,
                row=row,
                changes=found.changes,
                cause=found.cause,
                sides=tuple(sides),
            )
