"""A flag or a segment has an owner without a name.

Somebody must be asked before it is changed, and told when it misbehaves or expires. (`owner` itself is asked for by
the schema.)
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.check.view import FlagView, SegmentView
from flagctl.problems import Problem

ID = "missing-owner"
SEVERITY = "error"
BAD = """\
description: Show the wishlist gallery page.
owner: {team: " "}    # <- nobody
default: {serve: on}
"""
GOOD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
default: {serve: on}
"""


def check_flag(view: FlagView) -> Iterator[Problem]:
    """Flags that belong to nobody."""
    if not view.flag.owner.team.strip():
        yield view.problem(ID, "the owner's team is blank", "/owner/team", hint="name the team that answers for it")


def check_segment(view: SegmentView) -> Iterator[Problem]:
    """Segments whose owner is nobody; they may have none."""
    owner = view.segment.owner
    if owner is not None and not owner.team.strip():
        yield view.problem(ID, "the owner's team is blank", "/owner/team", hint="name the team, or take owner away")
