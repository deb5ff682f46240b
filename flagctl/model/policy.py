"""Who has to approve what, and when nothing may change: what settings say of it."""

from __future__ import annotations

import msgspec

from flagctl.model import times


class When(msgspec.Struct, frozen=True, kw_only=True):
    """Which changes ask for approval: those for which one of these holds; all, where none is given.

    rollout_over: more than this share of some group of people gets something else, in thousandths of a percent.
    kinds, tags: of the flag. lints: what `plan` points out. created: a flag is added or removed.
    """

    rollout_over: int | None = None
    kinds: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    lints: tuple[str, ...] = ()
    created: bool = False

    def __bool__(self) -> bool:
        return self != When()


class Approvals(msgspec.Struct, frozen=True, kw_only=True):
    """Approvals an environment asks for.

    required: how many, of `teams` (names of teams, or people as @login or e-mail; empty: of anybody). owner: the owning
    team of each flag that changes, too. not_author: the author's own does not count.
    """

    required: int = 1
    teams: tuple[str, ...] = ()
    owner: bool = False
    not_author: bool = True
    when: When = When()


class Freeze(msgspec.Struct, frozen=True, kw_only=True):
    """From `start` until before `end`, epoch seconds, nothing may change."""

    start: int
    end: int
    reason: str

    @property
    def words(self) -> str:
        """«frozen until 2027-01-02T00:00:00Z: holidays»."""
        return f"frozen until {times.text(self.end)}: {self.reason}"

    def covers(self, now: float) -> bool:
        """Whether it holds at a time."""
        return self.start <= now < self.end


class Team(msgspec.Struct, frozen=True, kw_only=True):
    """A team that owns or approves.

    handle: «@org/team» at the forge, "" for none. members: people, as @login or e-mail.
    """

    name: str
    handle: str = ""
    members: tuple[str, ...] = ()
