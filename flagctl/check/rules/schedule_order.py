"""Schedule entries do not follow each other in time, or come when the flag has expired.

Entries take effect in order of time whatever their order in the file, so one out of order does something else than it
seems to say; one after `expires_at` does nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.check.view import FlagView
from flagctl.model import times
from flagctl.problems import Problem

ID = "schedule-order"
SEVERITY = "error"
BAD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
enabled: false
schedule:
  - {at: 2027-02-01T09:00:00Z, enabled: true, default: {rollout: 50}}
  - {at: 2027-01-01T09:00:00Z, enabled: true, default: {rollout: 10}}    # <- earlier than the one above
"""
GOOD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
enabled: false
schedule:
  - {at: 2027-01-01T09:00:00Z, enabled: true, default: {rollout: 10}}
  - {at: 2027-02-01T09:00:00Z, enabled: true, default: {rollout: 50}}
"""


def check_flag(view: FlagView) -> Iterator[Problem]:
    """Each entry against the latest before it, and against the flag's expiry."""
    end = view.flag.expires_at
    latest: int | None = None
    for i, entry in enumerate(view.flag.schedule):
        if latest is not None and entry.at <= latest:
            relation = "is at the same time as" if entry.at == latest else "is before"
            message = f"{times.text(entry.at)} {relation} an entry above it"
            hint = "write one entry per time" if entry.at == latest else "put the entries in order of time"
            yield view.problem(ID, message, f"/schedule/{i}/at", hint=hint)
        latest = entry.at if latest is None else max(latest, entry.at)
        if end is not None and entry.at >= end:
            message = f"{times.text(entry.at)} is not before expires_at, {times.text(end)}: it would never take effect"
            yield view.problem(ID, message, f"/schedule/{i}/at", hint="move expires_at, or take this entry away")
