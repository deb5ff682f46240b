"""A comment allows a problem that is not there.

It was mended, or the comment stands on another line than the problem. A comment that does nothing misleads whoever
reads it, and would hide the next mistake.
"""

from __future__ import annotations

ID = "allow-unused"
SEVERITY = "warning"
BAD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
default:
  # flagctl: allow non-ascii-salt — all our services are written in Python    # <- the salt is plain ASCII
  rollout: 25
  salt: wishes
"""
GOOD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
default:
  rollout: 25
  # flagctl: allow non-ascii-salt — all our services are written in Python
  salt: wünsche
"""
