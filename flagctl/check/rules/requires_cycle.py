"""Flags require each other in a circle.

Each waits for the other, so none of them can ever be on.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.check.cycles import cycles
from flagctl.check.view import EnvironmentView
from flagctl.problems import Problem

ID = "requires-cycle"
SEVERITY = "error"
BAD = {
    "flags/production/gallery.yaml": """\
description: Show the gallery.
owner: {team: growth}
requires:
  - flag: sharing    # <- and sharing requires gallery
default: {serve: on}
""",
    "flags/production/sharing.yaml": """\
description: Share a wishlist.
owner: {team: growth}
requires:
  - flag: gallery
default: {serve: on}
""",
}
GOOD = {
    "flags/production/gallery.yaml": """\
description: Show the gallery.
owner: {team: growth}
default: {serve: on}
""",
    "flags/production/sharing.yaml": """\
description: Share a wishlist.
owner: {team: growth}
requires:
  - flag: gallery
default: {serve: on}
""",
}


def check_environment(view: EnvironmentView) -> Iterator[Problem]:
    """Each circle once, in the file of the key that sorts first."""
    flags = view.environment.flags
    links = {key: [r.flag for r in flag.requires if r.flag in flags] for key, flag in flags.items() if flag.requires}
    for circle in cycles(links):
        first, second = circle[0], circle[1]
        index = next(i for i, required in enumerate(flags[first].requires) if required.flag == second)
        yield Problem(
            rule=ID,
            message=f"flags require each other: {' → '.join(circle)}",
            hint="take one of these requirements away",
            file=view.environment.flag_files[first],
            pointer=f"/requires/{index}/flag",
        )
