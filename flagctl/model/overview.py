"""Flags across environments: what `list` has in its lines and `show` in its columns."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

import msgspec

from flagctl.errors import UsageError
from flagctl.model import times, words
from flagctl.model.flag import Flag, ScheduleEntry
from flagctl.model.repository import Environment, Repository, require_environment
from flagctl.model.state import State, stale, state
from flagctl.problems import did_you_mean

NOTHING = "–"
UNREADABLE = "unreadable"
"""In place of a state, where the file has problems that keep it from being read."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One flag. states and files have the environments that hold it; an unreadable one has no state.

    owners: teams, each once. expires_at: the earliest, epoch seconds. stale: why it can go, or "".
    """

    key: str
    states: dict[str, State]
    files: dict[str, str]
    owners: tuple[str, ...]
    tags: tuple[str, ...]
    expires_at: int | None
    stale: str

    def cell(self, environment: str) -> str:
        """The state there in a few words."""
        if environment in self.states:
            return self.states[environment].text
        return UNREADABLE if environment in self.files else NOTHING


def chosen(repository: Repository, environment: str) -> Environment:
    """An environment by name; raises UsageError for one that settings do not know."""
    require_environment(environment, repository.environments)
    return repository.environments[environment]


def lines(repository: Repository, now: float) -> list[Line]:
    """Every flag, by key."""
    environments = repository.environments.values()
    keys = sorted({key for held in environments for key in (*held.flag_files, *held.flags)})
    return [_line(repository, key, now) for key in keys]


def matching(
    found: Iterable[Line],
    *,
    pattern: str = "",
    environment: str = "",
    tag: str = "",
    owner: str = "",
    stale: bool = False,
) -> list[Line]:
    """The lines that pass every filter that is set.

    pattern: part of the key or, with `*`, `?` or `[`, all of it; case does not count. owner: a team.
    """
    wanted = pattern.lower() if any(sign in pattern for sign in "*?[") else f"*{pattern.lower()}*"
    return [
        line
        for line in found
        if fnmatchcase(line.key.lower(), wanted)
        and (not environment or environment in line.files)
        and (not tag or tag in line.tags)
        and (not owner or owner in line.owners)
        and (not stale or line.stale)
    ]


def one(repository: Repository, key: str, environment: str, now: float) -> Line:
    """One flag, in one environment ("": all); raises UsageError where there is none."""
    held = [chosen(repository, environment)] if environment else list(repository.environments.values())
    if not any(_holds(of, key) for of in held):
        known = {name for of in held for name in (*of.flags, *of.flag_files)}
        where = f" in {environment}" if environment else ""
        raise UsageError(
            f'no flag "{key}"{where}', hint=did_you_mean(key, known) or "flagctl list shows the flags there are"
        )
    line = _line(repository, key, now)
    return msgspec.structs.replace(
        line,
        states={of.name: line.states[of.name] for of in held if of.name in line.states},
        files={of.name: line.files[of.name] for of in held if of.name in line.files},
    )


def unread(found: Iterable[Line], environments: Collection[str]) -> list[str]:
    """Files of these flags in these environments that could not be read."""
    return [
        path for line in found for name, path in line.files.items() if name in environments and name not in line.states
    ]


def _line(repository: Repository, key: str, now: float) -> Line:
    environments = repository.environments
    flags = {name: held.flags[key] for name, held in environments.items() if key in held.flags}
    return Line(
        key=key,
        states={name: state(flag, now) for name, flag in flags.items()},
        files={name: held.flag_files.get(key, "") for name, held in environments.items() if _holds(held, key)},
        owners=_unique(flag.owner.team for flag in flags.values()),
        tags=_unique(tag for flag in flags.values() for tag in flag.tags),
        expires_at=min((flag.expires_at for flag in flags.values() if flag.expires_at is not None), default=None),
        stale=stale(flags, now, everywhere=len(flags) == len(environments)),
    )


def sheet(flags: Mapping[str, Flag], now: float) -> tuple[list[tuple[str, str]], list[tuple[str, list[str]]]]:
    """A flag in words: what is the same in all environments, and what is told for each, side by side.

    The second part has (label, a cell for each environment in the order of `flags`).
    """
    facts = {name: dict(_facts(flag, now)) for name, flag in flags.items()}
    labels = _in_order([list(of) for of in facts.values()])
    same: list[tuple[str, str]] = []
    beside: list[tuple[str, list[str]]] = []
    for label in labels:
        cells = [of.get(label, NOTHING) for of in facts.values()]
        if label in _ABOUT and len(set(cells)) == 1:
            same.append((label, cells[0]))
        else:
            beside.append((label, cells))
    return same, beside


_ABOUT = ("description", "owner", "kind", "type", "variants", "tags", "documentation")


def _facts(flag: Flag, now: float) -> Iterator[tuple[str, str]]:
    owner = flag.owner
    yield "description", flag.description
    yield "owner", f"{owner.team} <{owner.email}>" if owner.email else owner.team
    yield "kind", flag.kind
    yield "type", flag.type
    if flag.type != "boolean":
        yield "variants", ", ".join(f"{name} = {words.value(value)}" for name, value in flag.variants.items())
    if flag.tags:
        yield "tags", ", ".join(flag.tags)
    if flag.documentation_url:
        yield "documentation", flag.documentation_url
    yield "state", state(flag, now).text
    yield "enabled", "yes" if flag.enabled else "no"
    if flag.requires:
        yield "requires", ", ".join(f"{needed.flag} = {needed.variant}" for needed in flag.requires)
    for variant, users in flag.overrides.items():
        yield f"override {variant}", ", ".join(users)
    for rule in flag.rules:
        yield f"rule {rule.name}", f"{words.conditions(rule.when)}: {words.outcome(rule.outcome, flag.off_variant)}"
    yield "default", words.outcome(flag.default, flag.off_variant) if flag.default else flag.off_variant
    for entry in flag.schedule:
        yield f"from {times.text(entry.at)}", _entry(entry, flag.off_variant)
    if flag.type != "boolean":
        yield "off variant", flag.off_variant
    if flag.expires_at is not None:
        yield "expires", times.text(flag.expires_at)
    if flag.bucketing:
        yield "bucketing", f"{flag.bucketing.algorithm}, salt {words.value(flag.bucketing.salt)}"
    if flag.cache_ttl_seconds is not None:
        yield "cache", f"{flag.cache_ttl_seconds} s"
    if flag.max_stale_seconds is not None:
        yield "stale", f"after {flag.max_stale_seconds} s: {flag.stale}"


def _entry(entry: ScheduleEntry, off_variant: str) -> str:
    said = [] if entry.enabled is None else ["enabled" if entry.enabled else "disabled"]
    if entry.default is not None:
        said.append(f"default {words.outcome(entry.default, off_variant)}")
    return ", ".join(said)


def _in_order(lists: list[list[str]]) -> list[str]:
    """Every label once, each list's own order kept as far as the lists agree."""
    found: list[str] = []
    for labels in lists:
        place = 0
        for label in labels:
            if label in found:
                place = found.index(label) + 1
            else:
                found.insert(place, label)
                place += 1
    return found


def _holds(held: Environment, key: str) -> bool:
    return key in held.flags or key in held.flag_files


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
