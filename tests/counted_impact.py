"""The blast radius of random changes counted out: in all 100,000 buckets, and for 200,000 people.

Everything is answered by the engine, a value after the other; nothing here knows how shares are computed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import cache
from random import Random
from typing import Any, NamedTuple

import polars as pl
from changed_snapshots import changed
from random_flags import Limits, World, contexts, world
from test_impact import taken

from flagctl.evaluate.batch.hashing import hashes
from flagctl.evaluate.bucket import BUCKETS, GENERATIONS
from flagctl.evaluate.engine import Engine
from flagctl.plan.impact import Impact, impact
from flagctl.plan.joint import Both, Snapshots, closure
from flagctl.plan.shares import Draw, cuts

KEYS = 200_000
_CANDIDATES = 1_700_000
"""So many values that each bucket has one: the chance that one is empty is 1 to 240."""
_CONTEXTS = 15
_WHOLE_SALT = 100
"""`portable` hashes the first 120 characters: with a longer salt people share buckets, and nothing is even."""
Moves = dict[tuple[str | None, str | None], int]


class Counted(NamedTuple):
    """What a plan says of a group, and what counting gives: people by what they get before and after, of `total`."""

    told: dict[tuple[str | None, str | None], Fraction]
    counted: Moves
    total: int
    draws: int
    where: str

    @property
    def moved(self) -> Moves:
        """Those who get something else."""
        return {move: count for move, count in self.counted.items() if move in self.told or move[0] != move[1]}

    def far(self) -> dict[tuple[str | None, str | None], float]:
        """By move, how many standard deviations the count lies beside the share, where it is over five.

        What the plan does not tell must not happen, not once.
        """
        found = {}
        for move in {*self.told, *self.moved}:
            share = float(self.told.get(move, 0))
            sigma = (self.total * share * (1 - share)) ** 0.5
            beside = abs(self.counted.get(move, 0) - self.total * share)
            if beside > 5 * sigma + 1e-6:
                found[move] = beside / sigma if sigma else float("inf")
        return found


class _Case(NamedTuple):
    sides: tuple[Mapping[str, Any], Mapping[str, Any]]
    key: str
    now: float
    pair: Both
    found: Impact
    context: dict[str, Any]
    draws: list[Draw]

    def count(self, values: Mapping[str, list[str]]) -> Moves:
        """The answers of both sides for each row of these attributes."""
        asked = [Engine.load(side).variant for side in self.sides]
        places = [(_parent(self.context, name), name.rpartition(".")[2]) for name in values]
        found: Counter[tuple[str | None, str | None]] = Counter()
        before, after = asked
        for row in zip(*values.values(), strict=True):
            for (parent, name), value in zip(places, row, strict=True):
                parent[name] = value
            found[before(self.key, self.context, self.now), after(self.key, self.context, self.now)] += 1
        return dict(found)

    def told(self) -> dict[tuple[str | None, str | None], Fraction]:
        """What the plan says of these people."""
        pair = self.pair
        of = [g for g in self.found.groups if (g.before, g.after, g.given) == (pair.before, pair.after, pair.given)]
        return {(move.before, move.after): move.share for group in of for move in group.moves}


def in_every_bucket(seed: int, wanted: int) -> Iterator[Counted]:
    """Groups of `wanted` random changes for whom at most one draw decides: their shares are exact."""
    for case, number in _cases(seed, wanted, most_draws=1):
        (draw,) = case.draws
        keys = keys_of_buckets(draw) if draw.algorithm in GENERATIONS else None
        if keys is not None:
            others = {name: ["x"] * BUCKETS for name in _hashed(case.pair) if name != draw.by}
            counted = case.count({draw.by: keys, **others})
            yield Counted(case.told(), counted, BUCKETS, 1, f"{case.key} of {number}: {case.pair.before}")


def for_people(seed: int, wanted: int) -> Iterator[Counted]:
    """Groups of `wanted` random changes, however many draws decide: their shares are those of many people."""
    for case, number in _cases(seed, wanted, most_draws=9):
        names = _hashed(case.pair)
        values = {name: [f"{name}-{n}" for n in range(KEYS)] for name in names}
        yield Counted(case.told(), case.count(values), KEYS, len(case.draws), f"{case.key} of {number}")


def _cases(seed: int, wanted: int, most_draws: int) -> Iterator[tuple[_Case, int]]:
    """Of random changes, a pair of ways, and somebody who takes it whatever is drawn; mostly one where people move."""
    number = seed
    while wanted:
        number += 1
        dice = Random(number)
        made = world(dice, flags=4, limits=Limits(ascii_keys=True, json=True))
        key = dice.choice(list(made.environment.flags))
        after = changed(made.document, dice, key, dice.choice([1, 1, 2, 3]))
        now = dice.choice(made.moments(key))
        cases = list(_taken(made, after, key, now, dice, most_draws))
        moved = [case for case in cases if case.told()]
        if moved or (cases and number % 4 == 0):
            wanted -= 1
            yield dice.choice(moved or cases), number


def _taken(
    made: World, after: Mapping[str, Any], key: str, now: float, dice: Random, most_draws: int
) -> Iterator[_Case]:
    sides = made.document, after
    pairs = Snapshots(*sides, now).pairs(key)
    found = impact(*sides, key, now)
    seen: list[Both] = []
    for context, _ in contexts(made, dice, key, _CONTEXTS):
        one = dict(context)
        for name in {"targetingKey", *(name for pair in pairs for name in _hashed(pair))}:
            _parent(one, name)[name.rpartition(".")[2]] = "x"
        ways = taken(pairs, *sides, key, one, now)
        if len(ways) != 1 or ways[0] in seen or _asked_for(sides, key, _hashed(ways[0])):
            continue
        draws = sorted({cut.draw for cut in cuts(ways[0].old, ways[0].new) if len(cut.parts) > 1})
        if 0 < len(draws) <= most_draws and all(len(draw.salt) < _WHOLE_SALT for draw in draws):
            seen.append(ways[0])
            yield _Case(sides, key, now, ways[0], found, one, draws)


def _hashed(pair: Both) -> list[str]:
    return sorted({cut.draw.by for cut in cuts(pair.old, pair.new)})


def _asked_for(sides: tuple[Mapping[str, Any], ...], key: str, names: list[str]) -> bool:
    """Whether conditions ask for what is hashed too: then not everybody would take the same way."""
    said = [[side["flags"].get(one, {}).get("rules", []) for one in closure(sides, key)] for side in sides]
    text = json.dumps([said, [side["segments"] for side in sides]])
    return any(f'"attribute": "{name}"' in text for name in names)


def _parent(context: dict[str, Any], name: str) -> dict[str, Any]:
    """Where an attribute stands, made if it is not there."""
    place = context
    for part in name.split(".")[:-1]:
        inner = place.get(part)
        place[part] = dict(inner) if isinstance(inner, dict) else {}
        place = place[part]
    return place


@cache
def keys_of_buckets(draw: Draw) -> list[str] | None:
    """For each bucket of a draw a value that falls into it; None where some have none."""
    values = pl.select(pl.concat_str(pl.lit("u"), pl.int_range(_CANDIDATES) + 1_000_000)).to_series().alias("value")
    found = pl.DataFrame({"value": values, "hash": hashes(draw.algorithm, draw.salt, values)})
    found = found.with_columns(bucket=pl.col("hash").cast(pl.UInt64) * BUCKETS // 2**32)
    table = found.group_by("bucket").agg(pl.col("value").min()).sort("bucket")
    return table["value"].to_list() if len(table) == BUCKETS else None
