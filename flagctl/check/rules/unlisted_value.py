"""A value is not among those that its attribute is declared with.

`values` in `flags/attributes.yaml` lists all that services send, so such a condition matches nobody (or, negated,
everybody).
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.check.kinds import attribute, compared_values, identity, one_of, value_fits
from flagctl.check.view import View
from flagctl.model import words
from flagctl.problems import Problem, did_you_mean

ID = "unlisted-value"
SEVERITY = "error"
BAD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
rules:
  - name: subscribers
    when:
      - {attribute: plan, in: [pro, premum]}    # <- plan is free, pro or premium
    serve: on
"""
GOOD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
rules:
  - name: subscribers
    when:
      - {attribute: plan, in: [pro, premium]}
    serve: on
"""


def check_conditions(view: View) -> Iterator[Problem]:
    """Values of the right type that attributes with a list are compared with."""
    for test, place in view.tests:
        declared = attribute(view.repository, test.attribute)
        if declared is None or not declared.values:
            continue
        listed = {identity(value) for value in declared.values}
        for kind, value, where in compared_values(test, declared, place):
            if value_fits(kind, value) and identity(value) not in listed:
                known = [str(one) for one in declared.values]
                message = f"{words.value(value)} is none of the values of {test.attribute}"
                yield view.problem(ID, message, where, hint=did_you_mean(str(value), known) or one_of(known))
