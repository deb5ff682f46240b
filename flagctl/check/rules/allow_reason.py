"""A comment allows a problem without saying why.

Whoever meets it later must be able to judge whether it still holds: `# flagctl: allow RULE-ID — reason`. Without a
reason nothing is silenced.
"""

from __future__ import annotations

ID = "allow-reason"
SEVERITY = "error"
BAD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
default:
  rollout: 25
  salt: wünsche    # flagctl: allow non-ascii-salt    # <- why?
"""
GOOD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
default:
  rollout: 25
  salt: wünsche    # flagctl: allow non-ascii-salt — all our services are written in Python
"""
