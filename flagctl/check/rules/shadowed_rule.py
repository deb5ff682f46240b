"""A rule gets nobody, because an earlier rule takes all its people.

The first rule that fits wins. A rule whose people all fit one above it does nothing, however it is changed. (A rule
with an experiment passes on whoever is outside its slots or traffic.)
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.check.facts import plain_attributes
from flagctl.check.view import FlagView
from flagctl.model import words
from flagctl.model.condition import Test
from flagctl.model.flag import WHOLE, Outcome, Rule, Split
from flagctl.problems import Problem

ID = "shadowed-rule"
SEVERITY = "error"
FOLLOWS = True
BAD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
rules:
  - name: europe
    when:
      - {attribute: country, in: [DE, FR, ES]}
    rollout: 10
  - name: paying-germans
    when:    # <- they are all in europe
      - {attribute: country, equals: DE}
      - {attribute: plan, in: [pro, premium]}
    serve: on
"""
GOOD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
rules:
  - name: paying-germans
    when:
      - {attribute: country, equals: DE}
      - {attribute: plan, in: [pro, premium]}
    serve: on
  - name: europe
    when:
      - {attribute: country, in: [DE, FR, ES]}
    rollout: 10
"""


def check_flag(view: FlagView) -> Iterator[Problem]:
    """Each rule against those above it that keep whom they match."""
    keeping: list[Rule] = []
    rules = view.flag.rules
    if len(rules) < 2:
        return
    for i, rule in enumerate(rules):
        by = _taken_by(view, i, keeping) if keeping else None
        if by is not None:
            name = words.value(by.name)
            message = f"this rule gets nobody: {name} above takes all its people"
            yield view.problem(ID, message, f"/rules/{i}/when", at_key=True, hint=f"move it above {name}, or remove it")
        if not _passes_on(rule.outcome):
            keeping.append(rule)


def _taken_by(view: FlagView, index: int, earlier: list[Rule]) -> Rule | None:
    """The first earlier rule that holds for all people of a rule, None where there is none or nobody to take."""
    plain = plain_attributes(view.flag.rules[index].when)
    for other in earlier:
        if plain is not None and any(isinstance(c, Test) and c.attribute not in plain for c in other.when):
            continue
        facts = view.facts(index)
        if all(facts.implies(condition) for condition in other.when):
            return None if facts.contradiction() else other
    return None


def _passes_on(outcome: Outcome) -> bool:
    experiment = outcome.experiment if isinstance(outcome, Split) else None
    return experiment is not None and (experiment.slots != (0, WHOLE) or experiment.traffic < WHOLE)
