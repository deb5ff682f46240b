"""How far each environment lags behind the one it is promoted from, flag by flag, and for how long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from flagctl.model import times
from flagctl.model.flag import Flag
from flagctl.model.repository import Environment, Repository
from flagctl.plan import diff
from flagctl.plan.change import Change
from flagctl.plan.touched import held

FORMAT = "flagctl/drift/1"
_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"))
Times = Mapping[tuple[str, str], Sequence[int]]
"""(environment, key) to the seconds at which commits touched the flag's file, in any order."""
Kind = Literal["behind", "missing", "extra", "apart", "unreadable"]


class Lag(msgspec.Struct, frozen=True, kw_only=True):
    """How one flag stands in one environment against the environment it is promoted from.

    What a promotion never moves does not count.

    kind: behind: that one was changed since; missing: it is not here yet; extra: it is only here; apart: this one
    was changed since, by itself; unreadable: one of the files has problems. changes: what would make it the
    same, of what is served alone. since: epoch second of the first commit that set them apart, None where it is
    not committed.
    """

    kind: Kind
    changes: tuple[Change, ...]
    since: int | None

    def text(self, now: float) -> str:
        """As a table's cell says it: «2 behind, 12 days»."""
        count = f"{len(self.changes)} " if self.kind in ("behind", "apart") else ""
        return f"{count}{self.kind}, {'not committed' if self.since is None else _age(now - self.since)}"


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """upstream: environment to the one it is promoted from, in the order of settings. flags: key to what lags where."""

    upstream: dict[str, str]
    flags: dict[str, dict[str, Lag]]
    steady: int


def drift(repository: Repository, touched: Times, environment: str | None = None) -> Drift:
    """Every flag that stands differently in an environment and in the one it is promoted from.

    environment: look at this one alone.
    """
    upstream = {
        name: settings.promotes_from
        for name, settings in repository.settings.environments.items()
        if settings.promotes_from and environment in (None, name)
    }
    keys = sorted({key for pair in upstream.items() for name in pair for key in _keys(held(repository, name))})
    flags: dict[str, dict[str, Lag]] = {}
    for key in keys:
        lags = {name: _lag(repository, key, name, source, touched) for name, source in upstream.items()}
        found = {name: lag for name, lag in lags.items() if lag is not None}
        if found:
            flags[key] = found
    return Drift(upstream=upstream, flags=flags, steady=len(keys) - len(flags))


def document(found: Drift, now: float) -> dict[str, Any]:
    """The JSON document of `flagctl drift`; its format is FORMAT."""
    return {
        "format": FORMAT,
        "at": times.text(now),
        "upstream": found.upstream,
        "flags": [
            {
                "key": key,
                "environments": {
                    name: {
                        "kind": lag.kind,
                        "changes": [change.words for change in lag.changes],
                        "since": None if lag.since is None else times.text(lag.since),
                        "seconds": None if lag.since is None else max(0, int(now - lag.since)),
                    }
                    for name, lag in lags.items()
                },
            }
            for key, lags in found.flags.items()
        ],
        "steady": found.steady,
    }


def _keys(environment: Environment) -> set[str]:
    return {*environment.flags, *environment.flag_files}


def _lag(repository: Repository, key: str, name: str, source: str, touched: Times) -> Lag | None:
    here, there = held(repository, name), held(repository, source)
    if key not in _keys(here) and key not in _keys(there):
        return None
    ours, theirs = sorted(touched.get((name, key), ())), sorted(touched.get((source, key), ()))
    if any(key in place.flag_files and key not in place.flags for place in (here, there)):
        return Lag(kind="unreadable", changes=(), since=None)
    kept = _kept(repository, (name, source), [place.flags[key] for place in (here, there) if key in place.flags])
    changes = tuple(
        change
        for change in diff.flags(here.flags.get(key), there.flags.get(key))
        if change.meaning and not any(f"{change.path}/".startswith(f"{path}/") for path in kept)
    )
    if not changes:
        return None
    if key not in here.flags:
        return Lag(kind="missing", changes=changes, since=_after(theirs, ours))
    if key not in there.flags:
        return Lag(kind="extra", changes=changes, since=_after(ours, theirs) if not theirs else _after(theirs, ours))
    if ours and (not theirs or ours[-1] > theirs[-1]):
        return Lag(kind="apart", changes=changes, since=_after(ours, theirs))
    return Lag(kind="behind", changes=changes, since=_after(theirs, ours))


def _kept(repository: Repository, names: Sequence[str], flags: Sequence[Flag]) -> list[str]:
    """The fields of a flag that a promotion leaves alone: they lag behind nothing."""
    settings = repository.settings.environments
    owned = [field for name in names if name in settings for field in settings[name].owned]
    return [*owned, *(f"rules/{rule.name}" for flag in flags for rule in flag.rules if not rule.promote)]


def _after(some: Sequence[int], others: Sequence[int]) -> int | None:
    """The first of some moments after the last of others; the last of all where there is none."""
    last = others[-1] if others else -1
    return next((at for at in some if at > last), some[-1] if some else None)


def _age(seconds: float) -> str:
    for unit, name in _UNITS:
        if seconds >= unit:
            count = int(seconds // unit)
            return f"{count:,} {name}{'s' * (count > 1)}"
    return "just now"
