"""What rules look at: flags and segments with their leaves gathered, each with its place in the file.

A file is walked once here, so that forty rules need not walk it forty times.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flagctl.check.facts import Facts
from flagctl.model.condition import AllOf, AnyOf, Condition, InSegment, Not, Test
from flagctl.model.flag import Flag, Outcome, Ramp, Rollout, Segment, Serve, Split
from flagctl.model.repository import Environment, Repository
from flagctl.problems import Problem

if TYPE_CHECKING:
    from flagctl.compile.flagd import Unsaid


class View:
    """The conditions of one file.

    tests: single conditions with the pointer of each. segments: names of segments asked for, with theirs.
    """

    __slots__ = ("environment", "file", "now", "repository", "segments", "tests")

    def __init__(self, file: str, around: EnvironmentView) -> None:
        self.file = file
        self.environment = around.environment
        self.repository = around.repository
        self.now = around.now
        self.tests: list[tuple[Test, str]] = []
        self.segments: list[tuple[str, str]] = []

    def problem(self, rule: str, message: str, place: str = "", *, hint: str = "", at_key: bool = False) -> Problem:
        """A problem in this file; `place` is a JSON pointer."""
        return Problem(rule=rule, message=message, file=self.file, pointer=place, hint=hint, at_key=at_key)

    def _gather(self, members: Iterable[Condition], place: str) -> None:
        for i, member in enumerate(members):
            here = f"{place}/{i}"
            while isinstance(member, Not):
                member, here = member.member, f"{here}/not"
            if isinstance(member, Test):
                self.tests.append((member, here))
            elif isinstance(member, InSegment):
                self.segments.append((member.segment, here))
            elif isinstance(member, AnyOf):
                self._gather(member.members, f"{here}/any")
            elif isinstance(member, AllOf):
                self._gather(member.members, f"{here}/all")


class SegmentView(View):
    """A segment of one environment."""

    __slots__ = ("segment",)

    def __init__(self, segment: Segment, around: EnvironmentView) -> None:
        super().__init__(around.environment.segment_files[segment.name], around)
        self.segment = segment
        self._gather(segment.when, "/when")


class FlagView(View):
    """A flag of one environment.

    outcomes: what rules, default and schedule serve, each with the pointer of the mapping it stands in.
    bucketed: those of them that deal people into buckets.
    """

    __slots__ = ("_facts", "bucketed", "flag", "outcomes")

    def __init__(self, flag: Flag, around: EnvironmentView) -> None:
        super().__init__(around.environment.flag_files[flag.key], around)
        self.flag = flag
        self.outcomes: list[tuple[Outcome, str]] = []
        for i, rule in enumerate(flag.rules):
            self.outcomes.append((rule.outcome, f"/rules/{i}"))
            self._gather(rule.when, f"/rules/{i}/when")
        if flag.default is not None:
            self.outcomes.append((flag.default, "/default"))
        for i, entry in enumerate(flag.schedule):
            if entry.default is not None:
                self.outcomes.append((entry.default, f"/schedule/{i}/default"))
        self.bucketed: list[tuple[Rollout | Split | Ramp, str]] = [
            (outcome, place) for outcome, place in self.outcomes if not isinstance(outcome, Serve)
        ]
        self._facts: dict[int, Facts] = {}

    def facts(self, index: int) -> Facts:
        """What holds for the people of a rule."""
        if index not in self._facts:
            self._facts[index] = Facts(self.flag.rules[index].when, self.environment.segments)
        return self._facts[index]


class EnvironmentView:
    """One environment with the views of all that it holds. `now` is seconds since the epoch."""

    __slots__ = ("_unsaid", "environment", "flags", "now", "repository", "segments")

    def __init__(self, environment: Environment, repository: Repository, now: float) -> None:
        self.environment = environment
        self.repository = repository
        self.now = now
        self.flags = [FlagView(flag, self) for flag in environment.flags.values()]
        self.segments = [SegmentView(segment, self) for segment in environment.segments.values()]
        self._unsaid: list[Unsaid] | None = None

    @property
    def unsaid(self) -> list[Unsaid]:
        """What flagd can't say of it."""
        if self._unsaid is None:
            from flagctl.check.unsaid import unsaid

            self._unsaid = unsaid(self)
        return self._unsaid

    @property
    def complete(self) -> bool:
        """Every file could be read, so that what is not seen is not there."""
        held = self.environment
        return len(held.flags) == len(held.flag_files) and len(held.segments) == len(held.segment_files)
