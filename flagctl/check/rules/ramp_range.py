"""A ramp does not rise from a lower to a higher share in at most 1,000 steps.

A ramp that falls, stands still or has endless steps would take the flag away from people, or make every evaluation
slow.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.check.view import FlagView
from flagctl.model.flag import Ramp
from flagctl.model.words import percent
from flagctl.problems import Problem

ID = "ramp-range"
SEVERITY = "error"
BAD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
default:
  ramp:
    variant: on
    from: 50    # <- above to
    to: 10
    start: 2027-01-10
    duration: 7d
    step: 5
"""
GOOD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
default:
  ramp:
    variant: on
    from: 10
    to: 50
    start: 2027-01-10
    duration: 7d
    step: 5
"""
MOST_STEPS = 1000


def check_flag(view: FlagView) -> Iterator[Problem]:
    """Ramps in rules, default and schedule."""
    for outcome, place in view.bucketed:
        if isinstance(outcome, Ramp):
            yield from _check(outcome, f"{place}/ramp", view)


def _check(ramp: Ramp, place: str, view: FlagView) -> Iterator[Problem]:
    start, end = percent(ramp.from_share), percent(ramp.to_share)
    rise = ramp.to_share - ramp.from_share
    if rise < 0:
        hint = "to take a flag back, lower a rollout or disable the flag"
        yield view.problem(ID, f"ramp falls from {start} to {end}", f"{place}/from", hint=hint)
    elif rise == 0:
        hint = f"write rollout: {end.removesuffix(' %')}" if view.flag.type == "boolean" else "write a split"
        yield view.problem(ID, f"ramp stands still: it goes from {start} to {end}", f"{place}/from", hint=hint)
    elif ramp.step == 0:
        yield view.problem(ID, "ramp has a step of 0 and would never rise", f"{place}/step", hint="write step: 5")
    elif -(-rise // ramp.step) > MOST_STEPS:
        least = percent(-(-rise // MOST_STEPS)).removesuffix(" %")
        count = -(-rise // ramp.step)
        message = f"ramp has {count:,} steps, more than {MOST_STEPS:,}"
        yield view.problem(ID, message, f"{place}/step", hint=f"write step: {least} or more")
