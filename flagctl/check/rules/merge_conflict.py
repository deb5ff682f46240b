"""A merge left both sides of a field in a file.

The lines that begin with <<<<<<<, ======= and >>>>>>> stand around the two sides; one of them has to go, and so
have these lines. `flagctl merge-driver` names the field behind them.
"""

from __future__ import annotations

ID = "merge-conflict"
SEVERITY = "error"
FIRM = True
BAD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
default:
<<<<<<< ours: default/rollout    # <- both sides are still here
  rollout: 25
=======
  rollout: 50
>>>>>>> theirs: default/rollout
"""
GOOD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
default:
  rollout: 50
"""
