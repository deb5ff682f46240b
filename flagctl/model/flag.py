"""Flags and segments, as one environment holds them.

Shares are integers in thousandths of a percent (0..100_000); times are whole seconds since the Unix
epoch. Variants of a boolean flag are always named `on` and `off` here, however the file spells them.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from flagctl.model.condition import TARGETING_KEY, Condition

WHOLE = 100_000
"""One hundred percent, in thousandths of a percent."""

Type = Literal["boolean", "string", "integer", "number", "object"]
Kind = Literal["release", "experiment", "ops", "permission", "permanent"]
Value = bool | str | int | float | dict[str, Any]


class Owner(msgspec.Struct, frozen=True, gc=False):
    """Who answers for a flag."""

    team: str
    email: str = ""


class Experiment(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The A/B/n test around a split. `metadata` (hypothesis, metrics, ...) never changes an answer."""

    name: str
    layer: str = ""
    slots: tuple[int, int] = (0, WHOLE)
    traffic: int = WHOLE
    metadata: dict[str, Any] = {}


class Serve(msgspec.Struct, frozen=True, gc=False, tag="serve"):
    """`serve: VARIANT`."""

    variant: str


class Rollout(msgspec.Struct, frozen=True, gc=False, tag="rollout"):
    """`rollout: P`: the low `share` of the range gets `on`, the rest `off_variant`."""

    share: int
    bucket_by: str = TARGETING_KEY
    salt: str = ""


class Split(msgspec.Struct, frozen=True, gc=False, tag="split"):
    """`split: {VARIANT: WEIGHT}` in the order of the file; weights are thousandths of a percent."""

    weights: tuple[tuple[str, int], ...]
    bucket_by: str = TARGETING_KEY
    salt: str = ""
    experiment: Experiment | None = None


class Ramp(msgspec.Struct, frozen=True, gc=False, tag="ramp"):
    """`ramp:` a share of `variant` that rises with time; see `steps`."""

    variant: str
    from_share: int
    to_share: int
    start: int
    duration: int
    step: int
    bucket_by: str = TARGETING_KEY
    salt: str = ""

    def steps(self) -> list[tuple[int, int]]:
        """(epoch second, share) of each step in order: `from` at `start`, `to` at `start + duration`.

        Steps are equal in time; one that falls between two seconds takes effect at the later. Before
        the first the share is 0.
        """
        count = -(-(self.to_share - self.from_share) // self.step) if self.step else 0
        return [
            (self.start - (-i * self.duration // count if count else 0),
             min(self.from_share + i * self.step, self.to_share))
            for i in range(count + 1)
        ]  # fmt: skip


Outcome = Serve | Rollout | Split | Ramp
"""`salt` is "" where the file names none; the flag's key then stands in."""


class Requirement(msgspec.Struct, frozen=True, gc=False):
    """Another flag that must answer with a variant, else this one serves `off_variant`."""

    flag: str
    variant: str


class Rule(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """People for whom `when` (all members) holds get `outcome`. `promote: false` stays in its environment."""

    name: str
    when: tuple[Condition, ...]
    outcome: Outcome
    description: str = ""
    promote: bool = True


class ScheduleEntry(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """From `at` on, `enabled` and `default` are these, where given."""

    at: int
    enabled: bool | None = None
    default: Outcome | None = None


class ForeignBucketing(msgspec.Struct, frozen=True, gc=False):
    """Another product's bucketing, which importers use to keep everybody's assignment."""

    algorithm: str
    salt: str = ""
    seed: int | None = None


class Flag(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One flag in one environment."""

    key: str
    description: str
    owner: Owner
    variants: dict[str, Value]
    off_variant: str
    type: Type = "boolean"
    kind: Kind = "release"
    documentation_url: str = ""
    tags: tuple[str, ...] = ()
    enabled: bool = True
    expires_at: int | None = None
    cache_ttl_seconds: int | None = None
    stale: Literal["serve", "default", "error"] = "serve"
    max_stale_seconds: int | None = None
    requires: tuple[Requirement, ...] = ()
    overrides: dict[str, tuple[str, ...]] = {}
    rules: tuple[Rule, ...] = ()
    default: Outcome | None = None
    schedule: tuple[ScheduleEntry, ...] = ()
    bucketing: ForeignBucketing | None = None


class Segment(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A reusable audience of one environment."""

    name: str
    when: tuple[Condition, ...]
    description: str = ""
    owner: Owner | None = None
