"""What flagd can't say of an environment, as problems: those flags are left out of its flagd.json.

To compile every flag would take `check` too long. So the flags are looked through for what might be the matter, and
only those in which something might are compiled.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from flagctl.compile.flagd import DEEPEST, LARGEST_FLAG, Unsaid, definition, in_order
from flagctl.compile.snapshot import snapshot
from flagctl.model.condition import OPERATORS, Test
from flagctl.model.flag import Ramp
from flagctl.problems import Problem

if TYPE_CHECKING:
    from flagctl.check.view import EnvironmentView, FlagView, SegmentView

_HINTS = {
    "flagd-regex": "say it with contains, starts_with or ends_with",
    "flagd-foreign-bucketing": "without bucketing: people are dealt anew, by a hash that flagd knows",
    "flagd-size": "segments and required flags are written out wherever they are used: use them, or rules, less often",
    "flagd-requires": "mend the required flag, or do without it",
}
_LEAF = 1500
"""Bytes that a condition or an outcome takes at most, but for what it lists."""
_LISTED = 40
"""How many listed values, or steps of a ramp, are counted as one of those."""
_AROUND = 12
"""Expressions around a condition, and within it, in a flag without segments and requirements."""

Weight = tuple[int, int]
"""Leaves and depth, neither of them ever too small."""


def problems(view: EnvironmentView, rule: str) -> Iterator[Problem]:
    """Those with this code."""
    for unsaid in view.unsaid:
        if unsaid.code == rule:
            yield Problem(
                rule=rule,
                message=f"{unsaid.message}; the flag is left out of flagd.json",
                hint=_HINTS[rule],
                file=view.environment.flag_files[unsaid.flag],
                pointer=unsaid.pointer,
            )


def suspects(view: EnvironmentView) -> set[str]:
    """Keys of the flags that flagd might not be able to say, and of those that they require."""
    weights = _Weights(view)
    suspected = {flag.flag.key for flag in view.flags if weights.suspicious(flag)}
    waiting = list(suspected)
    while waiting:
        for need in view.environment.flags[waiting.pop()].requires:
            if need.flag in view.environment.flags and need.flag not in suspected:
                suspected.add(need.flag)
                waiting.append(need.flag)
    return suspected


def unsaid(view: EnvironmentView) -> list[Unsaid]:
    """What `definition` can't say, of the whole environment."""
    keys = suspects(view)
    if not keys:
        return []
    repository = view.repository
    return definition(snapshot(view.environment, repository.settings, repository.attributes, only=keys)).unsaid


class _Weights:
    """How large flags and segments may become; None for those with something in them that flagd lacks."""

    def __init__(self, view: EnvironmentView) -> None:
        self._flags: dict[str, Weight | None] = {}
        self._segments: dict[str, Weight | None] = {}
        segments = {segment.segment.name: segment for segment in view.segments}
        for name in in_order({name: [used for used, _ in one.segments] for name, one in segments.items()}):
            self._segments[name] = self._view(segments[name])
        flags = {flag.flag.key: flag for flag in view.flags}
        for key in in_order({key: [need.flag for need in one.flag.requires] for key, one in flags.items()}):
            self._flags[key] = self._flag(flags[key])

    def suspicious(self, view: FlagView) -> bool:
        """It, or what it uses, holds something flagd lacks, or may be too large."""
        weight = self._flags[view.flag.key]
        return weight is None or weight[0] * _LEAF > LARGEST_FLAG or weight[1] > DEEPEST

    def _flag(self, view: FlagView) -> Weight | None:
        flag = view.flag
        own = self._view(view)
        if own is None or flag.bucketing is not None:
            return None
        listed = sum(len(users) for users in flag.overrides.values())
        listed += sum(len(outcome.steps()) for outcome, _ in view.bucketed if isinstance(outcome, Ramp))
        leaves = own[0] + len(view.outcomes) + len(flag.schedule) + listed // _LISTED + 1
        # A required flag that is not known yet stands in a circle.
        return _with((leaves, own[1]), [self._flags.get(need.flag, (0, 0)) for need in flag.requires])

    def _view(self, view: FlagView | SegmentView) -> Weight | None:
        leaves = depth = 0
        for test, place in view.tests:
            if OPERATORS[test.operator].takes == "pattern":
                return None
            leaves += 1 + _listed(test)
            depth = max(depth, place.count("/"))
        for _, place in view.segments:
            depth = max(depth, place.count("/"))
        return _with((leaves, depth + _AROUND), [self._segments.get(name, (0, 0)) for name, _ in view.segments])


def _with(own: Weight, others: list[Weight | None]) -> Weight | None:
    leaves, deepest = own[0], 0
    for weight in others:
        if weight is None:
            return None
        leaves += weight[0]
        deepest = max(deepest, weight[1])
    return leaves, own[1] + deepest


def _listed(test: Test) -> int:
    return len(test.value) // _LISTED if isinstance(test.value, tuple) else 0
