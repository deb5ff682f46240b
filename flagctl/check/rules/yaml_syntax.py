"""A file is not YAML.

Nothing in it can be read, so the flag would be missing from what is published.
"""

from __future__ import annotations

ID = "yaml-syntax"
SEVERITY = "error"
FIRM = True
BAD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
default:
  split: {on: 50, off: 50    # <- the bracket is never closed
"""
GOOD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
default:
  split: {on: 50, off: 50}
"""
