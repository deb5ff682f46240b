"""Segments are made of each other in a circle.

Whether somebody belongs to one would depend on whether they do.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.check.cycles import cycles
from flagctl.check.view import EnvironmentView
from flagctl.problems import Problem

ID = "segment-cycle"
SEVERITY = "error"
_FLAG = """\
description: Show the gallery.
owner: {team: growth}
rules:
  - {name: early, when: [{segment: early}], serve: on}
"""
BAD = {
    "flags/production/gallery.yaml": _FLAG,
    "flags/production/segments/early.yaml": """\
description: Who sees things first.
when:
  - any:
      - {attribute: plan, equals: pro}
      - {segment: friends}    # <- and friends are early
""",
    "flags/production/segments/friends.yaml": """\
description: Friends of the house.
when:
  - {segment: early}
""",
}
GOOD = {
    "flags/production/gallery.yaml": _FLAG,
    "flags/production/segments/early.yaml": """\
description: Who sees things first.
when:
  - any:
      - {attribute: plan, equals: pro}
      - {segment: friends}
""",
    "flags/production/segments/friends.yaml": """\
description: Friends of the house.
when:
  - {attribute: country, equals: DE}
""",
}


def check_environment(view: EnvironmentView) -> Iterator[Problem]:
    """Each circle once, in the file of the name that sorts first."""
    places = {one.segment.name: dict(reversed(one.segments)) for one in view.segments if one.segments}
    links = {name: [other for other in found if other in places] for name, found in places.items()}
    for circle in cycles(links):
        first, second = circle[0], circle[1]
        yield Problem(
            rule=ID,
            message=f"segments are made of each other: {' → '.join(circle)}",
            hint="take one of these conditions away",
            file=view.environment.segment_files[first],
            pointer=f"{places[first][second]}/segment",
        )
