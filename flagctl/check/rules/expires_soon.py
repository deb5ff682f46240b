"""A flag expires within 30 days.

From `expires_at` on everybody gets `off_variant`, whatever its rules say. Take the flag out of the code, or move the
date, before that surprises anybody. Permanent flags are not pointed out.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.check.view import FlagView
from flagctl.model import times
from flagctl.model.state import SOON_DAYS
from flagctl.problems import Problem

ID = "expires-soon"
SEVERITY = "warning"
BAD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
expires_at: 2027-01-20    # <- in less than 30 days, at the time of this example
default: {serve: on}
"""
GOOD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
expires_at: 2027-03-20
default: {serve: on}
"""
_DAY = 86400


def check_flag(view: FlagView) -> Iterator[Problem]:
    """Flags whose time is nearly over."""
    end = view.flag.expires_at
    if end is None or view.flag.kind == "permanent":
        return
    left = end - view.now
    if 0 < left <= SOON_DAYS * _DAY:
        days = int(left // _DAY)
        when = f"in {days} day{'s'[: days != 1]}" if days else "today"
        message = f"flag expires {when}: from {times.text(end)} on everybody gets {view.flag.off_variant}"
        yield view.problem(ID, message, "/expires_at", hint="take it out of the code and remove it, or move the date")
