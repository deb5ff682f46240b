"""A plan: what taking one tree in place of another would do, per environment and flag, the worst first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Literal

import msgspec

from flagctl.compile.snapshot import snapshot
from flagctl.model.repository import Repository
from flagctl.plan import diff
from flagctl.plan.change import Change
from flagctl.plan.impact import Impact, impact, timeline
from flagctl.plan.lints import Lint, Subject, lints
from flagctl.plan.population import Tally, Work
from flagctl.plan.touched import held, touched
from flagctl.problems import Problem

Status = Literal["added", "removed", "changed", "touched"]
Document = Mapping[str, Any]


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that an environment's settings ask for, by the content of the change.

    kind: approvals, or that a freeze is over or overridden. count: how many approvals. who: teams and people whose
    approvals count; empty for anybody's. why: in words.
    """

    kind: Literal["approval", "freeze"] = "approval"
    count: int = 1
    who: tuple[str, ...] = ()
    why: str

    @property
    def text(self) -> str:
        """«2 approvals by sre or @ada: …»."""
        if self.kind == "freeze":
            return self.why
        who = f" by {' or '.join(self.who)}" if self.who else ""
        return f"needs {self.count} approval{'s' * (self.count != 1)}{who}: {self.why}"


class FlagPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to one flag in one environment.

    changes: of its own file. because: what it leans on and changes. coming: the impact at later moments, of which
    `skipped` steps of a ramp were not looked at. tally: of real contexts, where some were given.
    """

    key: str
    status: Status
    file: str
    owner: str
    kind: str
    tags: tuple[str, ...]
    changes: tuple[Change, ...]
    because: tuple[str, ...]
    lints: tuple[Lint, ...]
    impact: Impact
    coming: tuple[Impact, ...] = ()
    skipped: int = 0
    tally: Tally | None = None

    @property
    def quiet(self) -> bool:
        """Nobody ever gets anything else and nothing is worth a second look."""
        return not (self.impact or self.coming or self.lints)


class EnvironmentPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What happens in one environment. segments: name to what changes in it."""

    name: str
    protected: bool
    flags: tuple[FlagPlan, ...]
    segments: dict[str, tuple[Change, ...]] = {}
    approvals: tuple[Approval, ...] = ()


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What taking `head` in place of `base` would do.

    environments: those where anything happens, protected ones first. shared: changes of settings and attributes.
    new, fixed: problems that only one side has. people: how many real contexts were evaluated, None without any.
    """

    base: str
    head: str
    at: float
    until: float | None
    environments: tuple[EnvironmentPlan, ...]
    shared: tuple[Change, ...] = ()
    new: tuple[Problem, ...] = ()
    fixed: tuple[Problem, ...] = ()
    people: int | None = None

    def __bool__(self) -> bool:
        return bool(self.environments or self.shared or self.new or self.fixed)


class Sides(msgspec.Struct, frozen=True):
    """The two trees, and what `check` says of each."""

    before: Repository
    after: Repository
    problems: tuple[Sequence[Problem], Sequence[Problem]] = ((), ())


Count = Callable[[Work], tuple[int, dict[tuple[str, str], Tally]]]
"""Evaluates real contexts on both sides: how many they are, and what becomes of them per (environment, flag)."""
Approve = Callable[[EnvironmentPlan, Sides], Iterable[Approval]]


def make(
    sides: Sides,
    *,
    now: float,
    base: str = "base",
    head: str = "head",
    until: float | None = None,
    environment: str | None = None,
    count: Count | None = None,
    approve: Approve | None = None,
) -> Plan:
    """Compare two repositories.

    now, until: seconds since the epoch; dated changes up to `until` (None: all) are looked at. environment: only this
    one. count: what evaluates real contexts. approve: says which approvals an environment's part asks for.
    """
    before, after = sides.before, sides.after
    names = [name for name in _names(before, after) if environment in (None, name)]
    parts = {name: touched(before, after, name) for name in names}
    documents = {name: _documents(sides, name, reasons) for name, reasons in parts.items() if reasons}
    people: int | None = None
    tallies: dict[tuple[str, str], Tally] = {}
    if count is not None:
        people, tallies = count({name: (*pair, list(parts[name])) for name, pair in documents.items()})
    made = []
    for name in names:
        flags = [
            _flag(sides, documents[name], name, key, because, now, until, tallies.get((name, key)))
            for key, because in parts[name].items()
        ]
        old, new = held(before, name), held(after, name)
        changed = {
            key: diff.segments(old.segments.get(key), new.segments.get(key))
            for key in sorted({*old.segments, *new.segments})
        }
        part = EnvironmentPlan(
            name=name,
            protected=_protected(after, name) or _protected(before, name),
            flags=tuple(sorted(flags, key=_worst)),
            segments={key: changes for key, changes in changed.items() if changes},
        )
        part = msgspec.structs.replace(part, approvals=tuple(approve(part, sides)) if approve else ())
        if part.flags or part.segments or part.approvals:
            made.append(part)
    new_problems, fixed = _problems(*sides.problems, environment)
    return Plan(
        base=base,
        head=head,
        at=now,
        until=until,
        environments=tuple(sorted(made, key=lambda part: not part.protected)),
        shared=(*_settings(before, after), *diff.attributes(before.attributes, after.attributes)),
        new=new_problems,
        fixed=fixed,
        people=people,
    )


def _names(before: Repository, after: Repository) -> list[str]:
    """Environments, the last to be promoted to first: what is nearest to people."""
    return list(dict.fromkeys([*reversed(after.environments), *reversed(before.environments)]))


def _protected(repository: Repository, name: str) -> bool:
    settings = repository.settings.environments.get(name)
    return settings is not None and settings.protected


def _documents(sides: Sides, name: str, keys: Iterable[str]) -> tuple[Document, Document]:
    """Snapshots of both sides with these flags and all that they require."""
    wanted: set[str] = set()
    for repository in (sides.before, sides.after):
        flags, seen, waiting = held(repository, name).flags, set[str](), list(keys)
        while waiting:
            key = waiting.pop()
            if key in flags and key not in seen:
                seen.add(key)
                waiting += [need.flag for need in flags[key].requires]
        wanted |= seen
    before, after = (
        snapshot(held(repository, name), repository.settings, repository.attributes, only=wanted)
        for repository in (sides.before, sides.after)
    )
    return before, after


def _flag(
    sides: Sides,
    documents: tuple[Document, Document],
    name: str,
    key: str,
    because: Sequence[str],
    now: float,
    until: float | None,
    tally: Tally | None,
) -> FlagPlan:
    places = [held(repository, name) for repository in (sides.before, sides.after)]
    old, new = (place.flags.get(key) for place in places)
    upstream = (
        sides.after.settings.environments[name].promotes_from if name in sides.after.settings.environments else ""
    )
    found = impact(*documents, key, now)
    coming, skipped = timeline(*documents, key, now, until)
    others = tuple(held(repository, upstream).flags.get(key) for repository in (sides.before, sides.after))
    some = new or old
    assert some is not None
    changes = diff.flags(old, new)
    return FlagPlan(
        key=key,
        status="added" if old is None else "removed" if new is None else "changed" if changes else "touched",
        file=places[1].flag_files.get(key) or places[0].flag_files.get(key, ""),
        owner=some.owner.team,
        kind=some.kind,
        tags=some.tags,
        changes=changes,
        because=tuple(because),
        lints=lints(
            Subject(
                old=old, new=new, impacts=(found, *coming), now=now, upstream=upstream, others=(others[0], others[1])
            )
        ),
        impact=found,
        coming=tuple(coming),
        skipped=skipped,
        tally=tally,
    )


def _worst(flag: FlagPlan) -> tuple[Any, ...]:
    """Whom most people notice first; what nobody notices last."""
    reach = max((found.reach for found in (flag.impact, *flag.coming)), default=Fraction(0))
    return (flag.quiet, -flag.impact.reach, -reach, -len(flag.impact.users), -len(flag.lints), flag.key)


def _settings(before: Repository, after: Repository) -> Iterable[Change]:
    """What settings say otherwise, first how people are bucketed, with what that means."""
    for change in sorted(diff.settings(before.settings, after.settings), key=lambda change: not change.meaning):
        if change.path == "bucketing":
            change = msgspec.structs.replace(change, words=f"{change.words}: everybody is assigned anew")
        yield change


def _problems(
    old: Sequence[Problem], new: Sequence[Problem], environment: str | None
) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """(those that only the new side has, errors first; those that only the old one had); their line is no matter."""

    def known(problem: Problem) -> tuple[str, str, str]:
        return problem.rule, problem.file, problem.message

    def concerns(problem: Problem) -> bool:
        return environment is None or problem.file.count("/") < 2 or problem.file.split("/")[1] == environment

    before, after = {known(problem) for problem in old}, {known(problem) for problem in new}
    added = (problem for problem in new if known(problem) not in before and concerns(problem))
    return (
        tuple(sorted(added, key=lambda problem: problem.severity != "error")),
        tuple(problem for problem in old if known(problem) not in after and concerns(problem)),
    )
