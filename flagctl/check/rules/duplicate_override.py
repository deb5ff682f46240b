"""One person stands twice in `overrides`.

They can get one variant only, so one of the two lines does nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.check.view import FlagView
from flagctl.model import words
from flagctl.problems import Problem, pointer

ID = "duplicate-override"
SEVERITY = "error"
BAD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
overrides:
  on: [alice, bob]
  off: [carol, bob]    # <- bob is on above
"""
GOOD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
overrides:
  on: [alice, bob]
  off: [carol]
"""


def check_flag(view: FlagView) -> Iterator[Problem]:
    """Every user that was named before, in the order of the file."""
    if not view.flag.overrides:
        return
    seen: dict[str, str] = {}
    for variant, users in view.flag.overrides.items():
        for i, user in enumerate(users):
            if user in seen:
                message = f"{words.value(user)} stands under {seen[user]} already"
                yield view.problem(ID, message, pointer("overrides", variant, i), hint="keep one of the two")
            else:
                seen[user] = variant
