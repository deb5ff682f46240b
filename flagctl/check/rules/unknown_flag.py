"""`requires` names a flag that this environment does not have.

A requirement that is not there does not hold, so this flag would serve its `off_variant` to everybody.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.check.view import FlagView
from flagctl.problems import Problem, did_you_mean

ID = "unknown-flag"
SEVERITY = "error"
BAD = {
    "flags/production/wishlist-core.yaml": """\
description: The wishlist itself.
owner: {team: growth}
default: {serve: on}
""",
    "flags/production/wishlist-edit.yaml": """\
description: Edit an item of the wishlist.
owner: {team: growth}
requires:
  - flag: wishlist-cor    # <- mistyped
default: {serve: on}
""",
}
GOOD = {
    "flags/production/wishlist-core.yaml": """\
description: The wishlist itself.
owner: {team: growth}
default: {serve: on}
""",
    "flags/production/wishlist-edit.yaml": """\
description: Edit an item of the wishlist.
owner: {team: growth}
requires:
  - flag: wishlist-core
default: {serve: on}
""",
}


def check_flag(view: FlagView) -> Iterator[Problem]:
    """Required flags; one whose file can't be read is there all the same."""
    for i, required in enumerate(view.flag.requires):
        known = view.environment.flag_files
        if required.flag not in known:
            others = [key for key in known if key != view.flag.key]
            hint = did_you_mean(required.flag, others) or "promote or add that flag first"
            message = f'no flag "{required.flag}" in {view.environment.name}'
            yield view.problem(ID, message, f"/requires/{i}/flag", hint=hint)
