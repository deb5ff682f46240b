"""Conditions that ask for a part of an ordered line: numbers, times, versions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from flagctl.model import semver
from flagctl.model.condition import Test


class Bound(NamedTuple):
    """One end of a range. line: which order it belongs to; open: the end itself is outside."""

    line: str
    low: bool
    at: Any
    open: bool


OPERATORS: dict[str, tuple[tuple[str, bool, bool], ...]] = {
    "gt": (("number", True, True),),
    "gte": (("number", True, False),),
    "lt": (("number", False, True),),
    "lte": (("number", False, False),),
    "after": (("time", True, True),),
    "before": (("time", False, True),),
    "semver_gt": (("version", True, True),),
    "semver_gte": (("version", True, False),),
    "semver_lt": (("version", False, True),),
    "semver_lte": (("version", False, False),),
    "semver_eq": (("version", True, False), ("version", False, False)),
}
"""By operator: the line, whether it bounds from below, and whether the bound itself is outside."""


def bounds(test: Test) -> Iterator[Bound]:
    """The ends a condition sets; none where its version can't be read."""
    for line, low, outside in OPERATORS.get(test.operator, ()):
        at = semver.key(str(test.value)) if line == "version" else test.value
        if at is not None:
            yield Bound(line, low, at, outside)


def clash(tests: Iterable[Test]) -> bool:
    """Whether some lower end lies above some upper end."""
    ends = [bound for test in tests for bound in bounds(test)]
    return any(
        below.at > above.at or (below.at == above.at and (below.open or above.open))
        for below in ends
        if below.low
        for above in ends
        if not above.low and above.line == below.line
    )


def follows(tests: Iterable[Test], wanted: Test) -> bool:
    """Whether the ranges of some conditions lie within that of another."""
    ends = [bound for test in tests for bound in bounds(test)]
    needed = list(bounds(wanted))
    return bool(needed) and all(any(_within(end, need) for end in ends) for need in needed)


def _within(end: Bound, need: Bound) -> bool:
    if (end.line, end.low) != (need.line, need.low):
        return False
    if end.at == need.at:
        return end.open or not need.open
    return bool(end.at > need.at) is need.low
