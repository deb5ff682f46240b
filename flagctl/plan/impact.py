"""The blast radius of a change: for each way through a flag, who moves from which variant to which.

Bucketing is piecewise constant, so shares come from intersecting intervals and are exact: see `Group.exact`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import combinations
from typing import Any

import msgspec

from flagctl.model.condition import TARGETING_KEY
from flagctl.plan.change import same
from flagctl.plan.joint import Both, Given, Snapshots, closure
from flagctl.plan.paths import Path, bucket_of
from flagctl.plan.shares import Draw, Shares, TooManyWaysError, Tree, cuts, settled, shares

_MOST_MOMENTS = 24


class Move(msgspec.Struct, frozen=True):
    """A share of people, a fraction of one, that moves from a variant to another.

    None is a flag that is not there: the caller's default. The names are equal where only the value differs.
    """

    before: str | None
    after: str | None
    share: Fraction


class Lacking(msgspec.Struct, frozen=True):
    """What moves for people of a group who lack the attributes that are hashed."""

    attributes: tuple[str, ...]
    moves: tuple[Move, ...]


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """People who took one way through the flag before, and take one way after.

    given: how required flags answer for them. whole: they are everybody on one of the two ways; else a part of
    each, how large depends on who asks, and perhaps nobody. exact: the shares are exact shares of the buckets; else
    several independent draws take part, and they are the expected ones. redrawn: what changed of the draw ("algorithm",
    "by", "salt"), so that people are assigned anew. by: the attributes that are hashed; the shares are of their values.
    """

    before: Path
    after: Path
    given: Given
    whole: bool
    exact: bool
    redrawn: tuple[str, ...]
    by: tuple[str, ...]
    moves: tuple[Move, ...]
    lacking: tuple[Lacking, ...]

    @property
    def moved(self) -> Fraction:
        """The share of these people who get something else."""
        return sum((move.share for move in self.moves), Fraction(0))


class Named(msgspec.Struct, frozen=True):
    """Somebody whom an override names, before or after.

    moves: (variant before, variant after) of all that may happen, which depends on conditions and other draws.
    """

    user: str
    moves: tuple[tuple[str | None, str | None], ...]


class Impact(msgspec.Struct, frozen=True, kw_only=True):
    """What a change does to one flag in one environment at a time: whoever is not in it gets the same as before.

    revalued: variants whose value changed under the same name. unknown: there are too many ways to tell who.
    """

    key: str
    at: float
    groups: tuple[Group, ...] = ()
    users: tuple[Named, ...] = ()
    revalued: tuple[str, ...] = ()
    unknown: bool = False

    def __bool__(self) -> bool:
        return bool(self.groups or self.users or self.unknown)

    @property
    def reach(self) -> Fraction:
        """The largest share of any group that gets something else; all where it is unknown."""
        return Fraction(1) if self.unknown else max((group.moved for group in self.groups), default=Fraction(0))


def impact(before: Mapping[str, Any], after: Mapping[str, Any], key: str, now: float) -> Impact:
    """Who gets something else from a flag when one snapshot takes the place of another, at a time.

    before, after: documents as compile.snapshot makes them.
    """
    both = before, after
    values = [document["flags"].get(key, {}).get("variants", {}) for document in both]
    revalued = tuple(name for name in values[0] if name in values[1] and not same(values[0][name], values[1][name]))
    try:
        groups = tuple(_groups(Snapshots(before, after, now).pairs(key), revalued))
        users = tuple(_users(both, key, now, revalued))
    except TooManyWaysError:
        return Impact(key=key, at=now, revalued=revalued, unknown=True)
    return Impact(key=key, at=now, groups=groups, users=users, revalued=revalued)


def timeline(
    before: Mapping[str, Any], after: Mapping[str, Any], key: str, now: float, until: float | None = None
) -> tuple[list[Impact], int]:
    """The impact at each dated moment after `now` at which it becomes another one; and how many were left out.

    until: None for all there are. Of a ramp of many steps the first, the last, and some between are looked at.
    """
    last = impact(before, after, key, now)
    found: list[Impact] = []
    if last.unknown:
        return found, 0
    chosen, skipped = _moments((before, after), key, now, until)
    for at in chosen:
        then = impact(before, after, key, at)
        if _told(then) != _told(last):
            found.append(then)
        last = then
    return found, skipped


def _told(found: Impact) -> tuple[Any, ...]:
    """What there is to tell of an impact; not how the flag comes to its answers."""
    ways = [[(way.kind, way.name, way.passed) for way in (group.before, group.after)] for group in found.groups]
    moves = [(group.given, group.whole, group.moves, group.lacking) for group in found.groups]
    return ways, moves, found.users, found.unknown


def _groups(pairs: list[Both], revalued: tuple[str, ...]) -> Iterator[Group]:
    ways = {(pair.before, pair.after) for pair in pairs}
    onward, inward = Counter(before for before, _ in ways), Counter(after for _, after in ways)
    for pair in pairs:
        if pair.old == pair.new and not revalued:
            continue
        by = sorted({cut.draw.by for cut in cuts(pair.old, pair.new)})
        moves = _moves(shares(pair.old, pair.new), revalued)
        lacking = tuple(_lacking(pair, by, revalued))
        if moves or lacking:
            deciding = {cut.draw for cut in cuts(pair.old, pair.new) if len(cut.parts) > 1}
            yield Group(
                before=pair.before,
                after=pair.after,
                given=pair.given,
                whole=onward[pair.before] == 1 or inward[pair.after] == 1,
                exact=len(deciding) <= 1,
                redrawn=_redrawn(pair.before.own, pair.after.own),
                by=tuple(by),
                moves=moves,
                lacking=lacking,
            )


def _moves(found: Shares, revalued: tuple[str, ...]) -> tuple[Move, ...]:
    """Those that change something, the largest first."""
    moves = [
        Move(before, after, share)
        for (before, after), share in found.items()
        if share and (before != after or before in revalued)
    ]
    return tuple(sorted(moves, key=lambda move: (-move.share, str(move.before), str(move.after))))


def _lacking(pair: Both, by: list[str], revalued: tuple[str, ...]) -> Iterator[Lacking]:
    told: dict[frozenset[str], tuple[Move, ...]] = {}
    for count in range(1, len(by) + 1):
        for some in combinations(by, count):
            moves = _moves(shares(*without(pair.old, pair.new, some)), revalued)
            known = [less for names, less in told.items() if names < set(some)]
            told[frozenset(some)] = moves
            if moves != (known[-1] if known else ()):
                yield Lacking(some, moves)


def without(old: Tree, new: Tree, attributes: Iterable[str]) -> tuple[Tree, Tree]:
    """Two trees for people who lack attributes."""
    for name in attributes:
        old, new = settled(old, name, None), settled(new, name, None)
    return old, new


def _redrawn(before: Draw | None, after: Draw | None) -> tuple[str, ...]:
    if before is None or after is None:
        return ()
    return tuple(name for name, old, new in zip(Draw._fields, before, after, strict=True) if old != new)


def _users(
    both: tuple[Mapping[str, Any], Mapping[str, Any]], key: str, now: float, revalued: tuple[str, ...]
) -> Iterator[Named]:
    keys = closure(both, key)
    lists = [_listed(document, name) for name in keys for document in both]
    alike: dict[tuple[str | None, ...], list[str]] = {}
    for user in sorted(set().union(*lists)):
        alike.setdefault(tuple(users.get(user) for users in lists), []).append(user)
    for users in alike.values():
        pairs = Snapshots(*both, now, users[0]).pairs(key)
        trees = [(pair.old, pair.new) for pair in pairs]
        for user in users:
            possible = {move for old, new in trees for move in _possible(old, new, user)}
            if any(before != after or before in revalued for before, after in possible):
                yield Named(user, tuple(sorted(possible, key=str)))


def _listed(document: Mapping[str, Any], key: str) -> dict[str, str]:
    overrides = document["flags"].get(key, {}).get("overrides", {})
    return {user: variant for variant in sorted(overrides, reverse=True) for user in overrides[variant]}


def _possible(old: Tree, new: Tree, user: str) -> set[tuple[str | None, str | None]]:
    """What may happen to somebody: their own buckets are known, those of other attributes are not."""
    mine = [settled(tree, TARGETING_KEY, lambda draw: bucket_of(draw, user)) for tree in (old, new)]
    by = {cut.draw.by for cut in cuts(*mine)}
    found: set[tuple[str | None, str | None]] = set()
    for count in range(len(by) + 1):
        for some in combinations(sorted(by), count):
            found |= {move for move, share in shares(*without(mine[0], mine[1], some)).items() if share}
    return found


def _moments(both: tuple[Mapping[str, Any], ...], key: str, now: float, until: float | None) -> tuple[list[int], int]:
    """The dated moments of a flag and all it requires that are worth a look, and how many are not."""
    firm: set[int] = set()
    steps: set[int] = set()
    for document in both:
        for flag in (document["flags"].get(name, {}) for name in closure(both, key)):
            firm |= {flag["expires_at"]} if "expires_at" in flag else set()
            firm |= {entry["at"] for entry in flag.get("schedule", ())}
            outcomes = [*flag.get("rules", ()), *filter(None, [flag.get("default")])]
            outcomes += [entry["default"] for entry in flag.get("schedule", ()) if "default" in entry]
            for outcome in outcomes:
                times = [at for at, _ in outcome.get("ramp", ())]
                firm |= {*times[:1], *times[-1:]}
                steps |= set(times)
    coming = [at for at in sorted(steps - firm) if now < at and (until is None or at <= until)]
    stride = -(-len(coming) // _MOST_MOMENTS) or 1
    kept = coming[stride - 1 :: stride]
    chosen = [at for at in firm if now < at and (until is None or at <= until)]
    return sorted([*chosen, *kept]), len(coming) - len(kept)
