"""Real contexts, evaluated on both sides of a change: counts and who moved from what to what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from flagctl.evaluate.engine import Engine

Work = Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any], list[str]]]
"""Environment to (snapshot before, snapshot after, flags to evaluate)."""


class Tally(msgspec.Struct):
    """How many contexts got which variant before and after; None is no answer at all."""

    counts: dict[tuple[str | None, str | None], int] = {}

    @property
    def moved(self) -> int:
        """Contexts that get another variant."""
        return sum(count for (before, after), count in self.counts.items() if before != after)


def tally(contexts: Iterable[Mapping[str, Any]], work: Work, now: float) -> tuple[int, dict[tuple[str, str], Tally]]:
    """How many contexts there are, and what becomes of them per (environment, flag); none is kept."""
    jobs = []
    found: dict[tuple[str, str], Tally] = {}
    for name, (before, after, keys) in work.items():
        sides = Engine.load(before), Engine.load(after)
        for key in keys:
            found[name, key] = one = Tally({})
            jobs.append((sides, key, one.counts))
    done = 0
    for context in contexts:
        for (old, new), key, counts in jobs:
            move = old.variant(key, context, now), new.variant(key, context, now)
            counts[move] = counts.get(move, 0) + 1
        done += 1
    return done, found
