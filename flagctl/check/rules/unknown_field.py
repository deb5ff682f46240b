"""A field that there is not.

It would be passed over in silence, and the file would do less than it seems to say.
"""

from __future__ import annotations

ID = "unknown-field"
SEVERITY = "error"
FIRM = True
BAD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
defualt: {serve: on}    # <- mistyped
"""
GOOD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
default: {serve: on}
"""
