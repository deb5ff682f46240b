"""Something that is text is written so that YAML reads a number or a boolean.

`1234` is a number, `2.10` is the number 2.1, and `yes` depends on the reader. Put quotes around a targeting key or a
version that looks like one.
"""

from __future__ import annotations

ID = "quote-it"
SEVERITY = "error"
FIRM = True
BAD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
overrides:
  on: ["alice", 1234]    # <- a number
"""
GOOD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
overrides:
  on: ["alice", "1234"]
"""
