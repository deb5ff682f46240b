"""Two environments, or one at two moments, flag by flag: only in one, the same, or different and how."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import msgspec

from flagctl.model.repository import Environment, Repository
from flagctl.plan import diff
from flagctl.plan.change import Change

Verdict = Literal["only in old", "only in new", "same", "different", "unreadable"]


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """One flag, segment, or what all share, on both sides. environment: "" where there is none, or two."""

    environment: str
    kind: str
    key: str
    verdict: Verdict
    changes: tuple[Change, ...] = ()


def environments(old: Environment, new: Environment, name: str = "") -> Iterator[Pair]:
    """The flags of both, by key, and then the segments."""
    yield from _pairs("flag", name, (old.flags, old.flag_files), (new.flags, new.flag_files), diff.flags)
    yield from _pairs(
        "segment", name, (old.segments, old.segment_files), (new.segments, new.segment_files), diff.segments
    )


def repositories(old: Repository, new: Repository, only: str = "") -> Iterator[Pair]:
    """Every environment of both, or one, and attributes and settings unless it is one."""
    for name in dict.fromkeys((*old.environments, *new.environments)):
        if only in ("", name):
            before, after = (of.environments.get(name) or Environment(name=name) for of in (old, new))
            yield from environments(before, after, name)
    if not only:
        yield _shared("attributes", diff.attributes(old.attributes, new.attributes))
        yield _shared("settings", diff.settings(old.settings, new.settings))


def one(environment: str, key: str, old: Any, new: Any) -> Pair:
    """A single flag at two moments; None is one that is not there."""
    return _pair("flag", environment, key, old, new, diff.flags)


def _shared(kind: str, changes: tuple[Change, ...]) -> Pair:
    return Pair(environment="", kind=kind, key=kind, verdict="different" if changes else "same", changes=changes)


def _pairs(
    kind: str,
    environment: str,
    old: tuple[Mapping[str, Any], Mapping[str, str]],
    new: tuple[Mapping[str, Any], Mapping[str, str]],
    differ: Callable[[Any, Any], tuple[Change, ...]],
) -> Iterator[Pair]:
    for key in sorted({*old[0], *old[1], *new[0], *new[1]}):
        if any(key in files and key not in models for models, files in (old, new)):
            yield Pair(environment=environment, kind=kind, key=key, verdict="unreadable")
        else:
            yield _pair(kind, environment, key, old[0].get(key), new[0].get(key), differ)


def _pair(kind: str, environment: str, key: str, old: Any, new: Any, differ: Callable[[Any, Any], Any]) -> Pair:
    changes = differ(old, new)
    verdict: Verdict = "different" if changes else "same"
    if changes and (old is None or new is None):
        verdict = "only in new" if old is None else "only in old"
    return Pair(environment=environment, kind=kind, key=key, verdict=verdict, changes=changes)
