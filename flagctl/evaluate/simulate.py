"""Synthetic people asking for a flag: the split they get, and the one that the flag's weights promise."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import msgspec

from flagctl.errors import UsageError
from flagctl.evaluate.bucket import BUCKETS
from flagctl.evaluate.engine import Engine
from flagctl.evaluate.evaluator import Evaluation
from flagctl.evaluate.needs import Needs, outcomes
from flagctl.evaluate.operators import lookup
from flagctl.evaluate.trace import Place

Z_95 = 1.959963984540054
"""How many standard deviations around the middle hold 95 % of a normal distribution."""
_MOST_RUNS = 20_000
_BEAT = 5_000


class Share(msgspec.Struct, frozen=True):
    """How many got a variant. low, high: the bounds of its share; expected: what the weights promise, or None."""

    variant: str
    users: int
    share: float
    low: float
    high: float
    expected: float | None


class Simulation(msgspec.Struct, frozen=True):
    """Shares of all variants, most first; `decided`: how many got which variant for which reason, by which rule.

    varied: the attributes that tell synthetic people apart.
    """

    users: int
    shares: Sequence[Share]
    decided: Sequence[tuple[int, str, str, str | None]]
    varied: Sequence[str]


def simulate(
    document: Mapping[str, Any],
    key: str,
    context: Mapping[str, Any],
    now: float,
    *,
    users: int,
    seed: int,
    report: Callable[[int, int], None],
) -> Simulation:
    """Ask for a flag of a snapshot on behalf of that many people, who differ only in what they are bucketed by.

    The same seed makes the same people. Raises UsageError for a flag that can't be answered.
    """
    needs = Needs(document, key)
    if needs.trouble:
        raise UsageError(f"{key} can't be answered: {needs.trouble}", hint="flagctl check finds what is wrong")
    varied = sorted(name for name in needs.keys if lookup(context, name) is None)
    types = {name: attribute["type"] for name, attribute in document["attributes"].items()}
    engine = Engine.load(document)
    found: Counter[tuple[str, str, str | None]] = Counter()
    for number in range(users):
        person = _person(context, varied, types, seed, number)
        answer = engine.evaluate(key, person, now)
        found[str(answer.variant), answer.reason, answer.rule] += 1
        if number % _BEAT == 0:
            report(number, users)
    counts = dict.fromkeys(document["flags"][key]["variants"], 0)
    for (variant, _, _), count in found.items():
        counts[variant] += count
    promised = None
    if needs.tested.isdisjoint(varied):
        promised = expected(document, key, _person(context, varied, types, seed, 0), now)
    shares = []
    for variant, count in counts.items():
        due = None if promised is None else promised.get(variant, 0.0)
        shares.append(Share(variant, count, count / users, *wilson(count, users), due))
    decided = sorted((count, *how) for how, count in found.items())
    return Simulation(users, sorted(shares, key=lambda share: -share.users), decided[::-1], varied)


def wilson(hits: int, users: int) -> tuple[float, float]:
    """Wilson's score interval (1927) at 95 %: sound also near 0 and 1, where the normal approximation is not."""
    share, spread = hits / users, Z_95**2 / users
    middle = share + spread / 2
    half = math.sqrt(spread * (share * (1 - share) + spread / 4))
    low, high = (middle - half) / (1 + spread), (middle + half) / (1 + spread)
    return low if hits else 0.0, high if hits < users else 1.0


def expected(document: Mapping[str, Any], key: str, context: Mapping[str, Any], now: float) -> dict[str, float] | None:
    """The share of each variant among all who have this context, whatever their buckets; None where that is too long.

    A bucket under each salt is a die of its own. Every way in which they can fall, as far as it makes a
    difference, is played through with the readable evaluator, and weighs as much as it is likely.
    """
    cuts = _cuts(document)
    shares: dict[str, Fraction] = {}
    script: list[int] = []
    for _ in range(_MOST_RUNS):
        played = _Played(document, context, now, cuts, script)
        answer = played.answer(key, Place(key))
        shares[str(answer.variant)] = shares.get(str(answer.variant), Fraction()) + played.weight
        script = played.next()
        if not script:
            return {variant: float(share) for variant, share in shares.items()}
    return None


class _Played(Evaluation):
    """An evaluation whose buckets fall as a script says: each die in the order in which it is first thrown."""

    def __init__(
        self,
        document: Mapping[str, Any],
        context: Mapping[str, Any],
        now: float,
        cuts: Mapping[str, Sequence[int]],
        script: Sequence[int],
    ) -> None:
        super().__init__(document, context, now, {}, None, None)
        self.cuts = cuts
        self.script = list(script)
        self.dice: dict[tuple[str, str], int] = {}
        self.faces: list[int] = []
        self.weight = Fraction(1)

    def draw(self, key: str, flag: dict[str, Any], outcome: dict[str, Any], value: str) -> tuple[int, str]:
        """The bucket that decides an outcome."""
        return self.throw(_salt(key, flag, outcome), value), ""

    def lies_within(self, first: int, end: int, salt: str, value: str, at: Place) -> bool:
        """Whether the bucket under a salt lies in first..end."""
        return first <= self.throw(salt, value) < end

    def throw(self, salt: str, value: str) -> int:
        """The lowest bucket of the part of the range in which this die falls."""
        cuts = self.cuts[salt]
        if (salt, value) not in self.dice:
            number = len(self.faces)
            if number == len(self.script):
                self.script.append(0)
            self.dice[salt, value] = self.script[number]
            self.faces.append(len(cuts) - 1)
            face = self.script[number]
            self.weight *= Fraction(cuts[face + 1] - cuts[face], BUCKETS)
        return cuts[self.dice[salt, value]]

    def next(self) -> list[int]:
        """The script of the way that comes after this one; empty when this was the last."""
        script = self.script[: len(self.faces)]
        while script and script[-1] + 1 == self.faces[len(script) - 1]:
            script.pop()
        return [*script[:-1], script[-1] + 1] if script else []


def _cuts(document: Mapping[str, Any]) -> dict[str, list[int]]:
    """By salt, the bounds between which it makes no difference where a bucket lies."""
    found: dict[str, set[int]] = {}
    for key, flag in document["flags"].items():
        for outcome in outcomes(flag):
            if "serve" in outcome:
                continue
            uppers = [upper for _, upper in outcome.get("split", outcome.get("ramp", ()))]
            found.setdefault(_salt(key, flag, outcome), set()).update(uppers)
            experiment = outcome.get("experiment", {})
            found.setdefault(f"layer:{experiment.get('layer')}", set()).update(experiment.get("slots", ()))
            found.setdefault(f"traffic:{experiment.get('name')}", set()).update([experiment.get("traffic", 0)])
    return {salt: sorted({0, BUCKETS, *bounds}) for salt, bounds in found.items()}


def _salt(key: str, flag: Mapping[str, Any], outcome: Mapping[str, Any]) -> str:
    foreign = flag.get("foreign_bucketing")
    if foreign is None:
        return str(outcome["salt"])
    return f"{foreign['algorithm']} {foreign.get('seed', (key, foreign.get('salt')))}"


def _person(
    context: Mapping[str, Any], varied: Sequence[str], types: Mapping[str, str], seed: int, number: int
) -> dict[str, Any]:
    person = dict(context)
    for name in varied:
        *parents, last = name.split(".")
        place = person
        for parent in parents:
            inner = place.get(parent)
            place[parent] = place = dict(inner) if isinstance(inner, Mapping) else {}
        whole = types.get(name) in ("integer", "number")
        place[last] = seed * 10**9 + number if whole else f"user-{seed}-{number}"
    return person
