"""What state a flag is in at a moment: on, off, scheduled or expired, its share, and whether it can go."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from flagctl.model import times
from flagctl.model.flag import WHOLE, Flag, Outcome, Ramp, Rollout, Serve, Split
from flagctl.model.words import percent

SOON_DAYS = 30
"""How long before its expiry a flag is pointed out."""
_DAY = 86400


class State(msgspec.Struct, frozen=True, kw_only=True):
    """A flag at a moment.

    share: who gets what by `default`, short: "25 %", "50/25/25", "winter"; with "rules" where rules or
    overrides decide first; "" while the flag is not on. at: epoch second a scheduled flag comes on.
    """

    name: Literal["on", "off", "scheduled", "expired"]
    share: str = ""
    at: int | None = None

    @property
    def text(self) -> str:
        """As a table's cell says it."""
        if self.at is not None:
            return f"{self.name} {times.text(self.at)[:10]}"
        return f"{self.name} {self.share}".strip()


def in_force(flag: Flag, now: float) -> tuple[bool, Outcome]:
    """`enabled` and `default` after the schedule's entries that are due."""
    enabled, default = flag.enabled, flag.default or Serve(flag.off_variant)
    for entry in sorted(flag.schedule, key=lambda entry: entry.at):
        if entry.at <= now:
            enabled = enabled if entry.enabled is None else entry.enabled
            default = entry.default or default
    return enabled, default


def ramp_share(ramp: Ramp, now: float) -> int:
    """The share a ramp has reached, in thousandths of a percent; 0 before its start."""
    return max((share for at, share in ramp.steps() if at <= now), default=0)


def state(flag: Flag, now: float) -> State:
    """The state of a flag. One is off when nobody can get anything but its `off_variant`."""
    if flag.expires_at is not None and now >= flag.expires_at:
        return State(name="expired")
    if not _only_off(flag, now):
        return State(name="on", share=_share(flag, now))
    for moment in sorted(_changes(flag)):
        if now < moment < (flag.expires_at or math.inf) and not _only_off(flag, moment):
            return State(name="scheduled", at=moment)
    return State(name="off")


def stale(flags: Mapping[str, Flag], now: float, *, everywhere: bool = True) -> str:
    """Why a flag can or should go, from its state in the environments that hold it; "" for no reason.

    Expired, about to expire, or a release that everybody or nobody has everywhere.
    everywhere: every environment holds it; one that has not come that far yet is not done.
    """
    ends = sorted((flag.expires_at, name) for name, flag in flags.items() if flag.expires_at is not None)
    if ends and ends[0][0] <= now:
        return f"expired in {ends[0][1]} on {times.text(ends[0][0])[:10]}"
    if ends and ends[0][0] <= now + SOON_DAYS * _DAY:
        return f"expires in {ends[0][1]} on {times.text(ends[0][0])[:10]}"
    if not flags or not everywhere or any(flag.kind != "release" for flag in flags.values()):
        return ""
    if all(state(flag, now).name == "off" for flag in flags.values()):
        return "off everywhere"
    served = {_served_to_all(flag, now) for flag in flags.values()}
    if len(served) == 1 and (variant := served.pop()):
        return f"everybody gets {variant} everywhere"
    return ""


def _served_to_all(flag: Flag, now: float) -> str:
    """The one variant everybody gets, for good; "" where it depends on who asks or when."""
    enabled, default = in_force(flag, now)
    if not enabled or flag.requires or flag.overrides or flag.rules or any(e.at > now for e in flag.schedule):
        return ""
    match default:
        case Serve(variant):
            return variant
        case Rollout(share) if share == WHOLE:
            return "on"
        case Ramp(variant) if ramp_share(default, now) == WHOLE:
            return variant
    return ""


def _only_off(flag: Flag, now: float) -> bool:
    enabled, default = in_force(flag, now)
    if not enabled:
        return True
    # A string flag whose default is its off_variant is still doing its work.
    if flag.type != "boolean" or any(variant != flag.off_variant for variant in flag.overrides):
        return False
    outcomes = (default, *(rule.outcome for rule in flag.rules))
    return not any(_gives_other(outcome, flag.off_variant, now) for outcome in outcomes)


def _gives_other(outcome: Outcome, off_variant: str, now: float) -> bool:
    match outcome:
        case Serve(variant):
            return variant != off_variant
        case Rollout(share):
            return share > 0
        case Split(weights):
            return any(weight and variant != off_variant for variant, weight in weights)
        case Ramp(variant):
            return variant != off_variant and ramp_share(outcome, now) > 0


def _changes(flag: Flag) -> Iterable[int]:
    outcomes = [flag.default, *(rule.outcome for rule in flag.rules), *(entry.default for entry in flag.schedule)]
    yield from (entry.at for entry in flag.schedule)
    for outcome in outcomes:
        if isinstance(outcome, Ramp):
            yield from (at for at, _ in outcome.steps())


def _share(flag: Flag, now: float) -> str:
    default = in_force(flag, now)[1]
    match default:
        case Serve(variant):
            share = percent(WHOLE if variant == "on" else 0) if flag.type == "boolean" else variant
        case Rollout(part):
            share = percent(part)
        case Split(weights):
            share = "/".join(percent(weight).removesuffix(" %") for _, weight in weights)
        case Ramp(_, _, to_share):
            reached = ramp_share(default, now)
            share = percent(reached) if reached == to_share else f"{percent(reached)} → {percent(to_share)}"
    if not flag.rules and not flag.overrides:
        return share
    only_rules = flag.type == "boolean" and not _gives_other(default, flag.off_variant, now)
    return "rules" if only_rules else f"{share} + rules"
