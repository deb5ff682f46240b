"""A key stands twice in one mapping.

YAML readers silently take the first or the last, so nobody can tell from the file what is served.
"""

from __future__ import annotations

ID = "duplicate-key"
SEVERITY = "error"
FIRM = True
BAD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
default: {serve: on}
default: {serve: off}    # <- again
"""
GOOD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
default: {serve: on}
"""
