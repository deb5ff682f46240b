"""A duration is none.

Durations are numbers with units, longer than nothing: `90m`, `24h`, `7d`, `1d12h`, `2w`.
"""

from __future__ import annotations

ID = "duration"
SEVERITY = "error"
FIRM = True
BAD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
default:
  ramp:
    variant: on
    from: 0
    to: 100
    start: 2027-01-10
    duration: a week    # <- in words
    step: 5
"""
GOOD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
default:
  ramp:
    variant: on
    from: 0
    to: 100
    start: 2027-01-10
    duration: 7d
    step: 5
"""
