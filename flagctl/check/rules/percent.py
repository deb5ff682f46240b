"""A percentage is below 0, above 100, or has more than three decimals.

People are dealt into 100,000 buckets, so a thousandth of a percent is the smallest share there is.
"""

from __future__ import annotations

ID = "percent"
SEVERITY = "error"
FIRM = True
BAD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
default:
  rollout: 120    # <- more than all
"""
GOOD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
default:
  rollout: 100
"""
