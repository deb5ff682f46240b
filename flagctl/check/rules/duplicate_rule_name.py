"""Two rules of a flag have one name.

Edits, traces and logs name rules, and could not tell these apart.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.check.view import FlagView
from flagctl.model import words
from flagctl.problems import Problem

ID = "duplicate-rule-name"
SEVERITY = "error"
BAD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
rules:
  - name: early
    when: [{attribute: country, equals: DE}]
    serve: on
  - name: early    # <- again
    when: [{attribute: country, equals: FR}]
    serve: on
"""
GOOD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
rules:
  - name: early-de
    when: [{attribute: country, equals: DE}]
    serve: on
  - name: early-fr
    when: [{attribute: country, equals: FR}]
    serve: on
"""


def check_flag(view: FlagView) -> Iterator[Problem]:
    """Every name that an earlier rule has."""
    rules = view.flag.rules
    if len(rules) < 2:
        return
    seen = set[str]()
    for i, rule in enumerate(rules):
        if rule.name in seen:
            message = f"an earlier rule is named {words.value(rule.name)} too"
            yield view.problem(ID, message, f"/rules/{i}/name", hint="give each rule a name of its own")
        seen.add(rule.name)
