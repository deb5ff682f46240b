"""A time that is none, or that does not say its zone.

A local time means another moment for everybody who reads it. Write RFC 3339 with a zone, or a date alone, which is its
midnight UTC. Conditions compare with whole seconds.
"""

from __future__ import annotations

ID = "time"
SEVERITY = "error"
FIRM = True
BAD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
expires_at: 2120-03-01T09:00:00    # <- in which zone?
"""
GOOD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
expires_at: 2120-03-01T09:00:00Z
"""
