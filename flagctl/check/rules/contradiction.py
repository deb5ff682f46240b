"""The conditions of a rule or a segment contradict each other.

All members of `when` must hold, and no context can fulfil these: the rule never matches anybody. Often `any:` was
meant.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.check.facts import Facts, plain_attributes
from flagctl.check.view import FlagView, SegmentView, View
from flagctl.problems import Problem

ID = "contradiction"
SEVERITY = "error"
FOLLOWS = True
BAD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
rules:
  - name: germany-and-france
    when:    # <- nobody is in both
      - {attribute: country, equals: DE}
      - {attribute: country, equals: FR}
    serve: on
"""
GOOD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
rules:
  - name: germany-and-france
    when:
      - {attribute: country, in: [DE, FR]}
    serve: on
"""


def check_flag(view: FlagView) -> Iterator[Problem]:
    """Every rule that asks more than one question of something."""
    for i, rule in enumerate(view.flag.rules):
        plain = plain_attributes(rule.when)
        if plain is not None and len(set(plain)) == len(plain):
            continue
        reason = view.facts(i).contradiction()
        if reason:
            yield _problem(view, "this rule", reason, f"/rules/{i}/when")


def check_segment(view: SegmentView) -> Iterator[Problem]:
    """The segment's own conditions."""
    reason = Facts(view.segment.when, view.environment.segments).contradiction()
    if reason:
        yield _problem(view, "this segment", reason, "/when")


def _problem(view: View, what: str, reason: str, place: str) -> Problem:
    hint = "every member of when must hold; write any: [...] where one is enough"
    return view.problem(ID, f"{what} can never match: {reason}", place, at_key=True, hint=hint)
