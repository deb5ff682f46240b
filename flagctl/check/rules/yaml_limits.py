"""A file is too large, too deep, or grows without bounds.

A file may have a megabyte, 32 levels and 20,000 values after its aliases are expanded. Real flags are far from that;
files that are not are mistakes, or attacks on whoever reads them.
"""

from __future__ import annotations

ID = "yaml-limits"
SEVERITY = "error"
FIRM = True
BAD = "description: [" + "[" * 100 + "]" * 100 + "]    # <- a hundred levels\nowner: {team: growth}\n"
GOOD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
"""
