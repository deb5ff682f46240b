"""A field is missing, or its value is not of the form it must have.

The JSON Schemas of all files are in `schema/`; `flagctl schema flag` prints one, and editors complete from them.
"""

from __future__ import annotations

ID = "schema"
SEVERITY = "error"
FIRM = True
BAD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
enabled: sometimes    # <- true or false
"""
GOOD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
enabled: true
"""
