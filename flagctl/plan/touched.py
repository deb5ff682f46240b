"""Which flags a change touches: their own files, and everything they lean on, followed all the way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flagctl.model.condition import AllOf, AnyOf, Condition, InSegment, Not, Test
from flagctl.model.flag import Flag, Segment, Serve
from flagctl.model.repository import Attribute, Environment, Repository
from flagctl.plan import diff
from flagctl.plan.change import same

Reasons = dict[str, list[str]]
"""Flag key to why a change elsewhere touches it, in words; empty for one whose own file changed."""


def touched(before: Repository, after: Repository, environment: str) -> Reasons:
    """Flags of an environment that a change touches, by key."""
    old, new = (held(repository, environment) for repository in (before, after))
    # A file with problems is no flag that is gone: the problem is what there is to tell.
    unread = {key for side in (old, new) for key in side.flag_files if key not in side.flags}
    keys = sorted({*old.flags, *new.flags} - unread)
    found: Reasons = {key: [] for key in keys if changed(old.flags, new.flags, key)}
    elsewhere = _elsewhere(before, after, old, new)
    if elsewhere or before.settings.bucketing != after.settings.bucketing:
        moved = f"bucketing {before.settings.bucketing} → {after.settings.bucketing}"
        for side in (old, new):
            uses = _Uses(side.segments)
            for key, flag in side.flags.items():
                reasons = [said for (kind, name), said in elsewhere.items() if name in uses.of(flag)[kind]]
                if before.settings.bucketing != after.settings.bucketing and _draws(flag):
                    reasons.append(moved)
                if reasons and key not in unread:
                    found.setdefault(key, []).extend(said for said in reasons if said not in found[key])
    _follow(found, [*_requirements(old), *_requirements(new)])
    return dict(sorted(found.items()))


def held(repository: Repository, environment: str) -> Environment:
    """What a repository has of an environment; nothing where it does not know it."""
    return repository.environments.get(environment) or Environment(name=environment)


def changed(old: Mapping[str, object], new: Mapping[str, object], name: str) -> bool:
    """Whether something of this name became different, came or went."""
    return not same(old.get(name), new.get(name))


def _elsewhere(before: Repository, after: Repository, old: Environment, new: Environment) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for name in sorted({*old.segments, *new.segments}):
        if changed(old.segments, new.segments, name):
            said = "; ".join(
                c.words for c in diff.segments(old.segments.get(name), new.segments.get(name)) if c.meaning
            )
            if said:
                found["segment", name] = f"segment {name}: {said}"
    for name in sorted({*before.attributes, *after.attributes}):
        was, now = before.attributes.get(name), after.attributes.get(name)
        if _kind(was) != _kind(now):
            found["attribute", name] = f"attribute {name}: {_kind(was)} → {_kind(now)}"
    return found


def _kind(attribute: Attribute | None) -> str:
    if attribute is None:
        return "not declared"
    kind = f"array of {attribute.items}" if attribute.type == "array" else attribute.type
    return f"{kind}, private" if attribute.private else kind


class _Uses:
    """The segments and attributes that flags use, segments within segments included."""

    def __init__(self, segments: Mapping[str, Segment]) -> None:
        self.segments = segments
        self._known: dict[str, dict[str, set[str]]] = {}

    def of(self, flag: Flag) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {"segment": set(), "attribute": set()}
        for rule in flag.rules:
            self._conditions(rule.when, found)
        outcomes = [flag.default, *(rule.outcome for rule in flag.rules), *(entry.default for entry in flag.schedule)]
        found["attribute"] |= {of.bucket_by for of in outcomes if of is not None and not isinstance(of, Serve)}
        return found

    def _conditions(self, conditions: Iterable[Condition], found: dict[str, set[str]]) -> None:
        for condition in conditions:
            match condition:
                case Test(attribute):
                    found["attribute"].add(attribute)
                case InSegment(name):
                    for kind, names in self._segment(name).items():
                        found[kind] |= names
                case Not(member):
                    self._conditions((member,), found)
                case AnyOf(members) | AllOf(members):
                    self._conditions(members, found)

    def _segment(self, name: str) -> dict[str, set[str]]:
        if name not in self._known:
            self._known[name] = {"segment": {name}, "attribute": set()}
            if name in self.segments:
                self._conditions(self.segments[name].when, self._known[name])
        return self._known[name]


def _draws(flag: Flag) -> bool:
    outcomes = [flag.default, *(rule.outcome for rule in flag.rules), *(entry.default for entry in flag.schedule)]
    return any(of is not None and not isinstance(of, Serve) for of in outcomes)


def _requirements(environment: Environment) -> Iterable[tuple[str, str]]:
    """(required flag, the flag that requires it)."""
    for key, flag in environment.flags.items():
        for need in flag.requires:
            yield need.flag, key


def _follow(found: Reasons, pairs: list[tuple[str, str]]) -> None:
    """Add the flags that require one that is touched, and those that require them."""
    dependants: dict[str, list[str]] = {}
    for needed, key in dict.fromkeys(pairs):
        dependants.setdefault(needed, []).append(key)
    waiting = list(found)
    while waiting:
        needed = waiting.pop()
        for key in dependants.get(needed, ()):
            said = f"requires {needed}, which changes"
            if key not in found:
                found[key] = []
                waiting.append(key)
            if said not in found[key]:
                found[key].append(said)
