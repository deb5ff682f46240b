"""No flag of the environment uses a segment.

Nobody would notice if it were wrong, and everybody who reads it wonders what it is for.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.check.view import EnvironmentView
from flagctl.problems import Problem

ID = "unused-segment"
SEVERITY = "warning"
_FLAG = """\
description: Show the wishlist gallery page.
owner: {team: growth}
rules:
  - {name: beta, when: [{segment: beta-testers}], serve: on}
"""
_BETA = """\
description: People who asked for it.
when: [{attribute: plan, equals: pro}]
"""
BAD = {
    "flags/production/wishlist.yaml": _FLAG,
    "flags/production/segments/beta-testers.yaml": _BETA,
    "flags/production/segments/friends.yaml": """\
description: Friends of the house.    # <- in no flag
when: [{attribute: country, equals: DE}]
""",
}
GOOD = {"flags/production/wishlist.yaml": _FLAG, "flags/production/segments/beta-testers.yaml": _BETA}


def check_environment(view: EnvironmentView) -> Iterator[Problem]:
    """Segments that no flag reaches, not even through another segment."""
    if not view.complete:  # a file that can't be read may be the one that uses it
        return
    needs = {one.segment.name: [name for name, _ in one.segments] for one in view.segments}
    todo = [name for flag in view.flags for name, _ in flag.segments]
    used = set[str]()
    while todo:
        name = todo.pop()
        if name not in used:
            used.add(name)
            todo += needs.get(name, [])
    for one in view.segments:
        if one.segment.name not in used:
            message = f"no flag of {view.environment.name} uses segment {one.segment.name}"
            yield one.problem(ID, message, hint="remove the file, or use the segment in a rule")
