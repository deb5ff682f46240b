"""An operator does not fit the declared type of its attribute.

`gt` compares numbers, `starts_with` reads text, `includes` looks into lists: on an attribute of another type an
operator matches nobody, whatever services send.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.check.kinds import attribute, operator_fits, operators_for
from flagctl.check.view import View
from flagctl.problems import Problem

ID = "operator-type"
SEVERITY = "error"
BAD = """\
description: Show the new player.
owner: {team: media}
rules:
  - name: newer-apps
    when:
      - attribute: app_version
        gte: 2    # <- app_version is a semver
    serve: on
"""
GOOD = """\
description: Show the new player.
owner: {team: media}
rules:
  - name: newer-apps
    when:
      - attribute: app_version
        semver_gte: "2"
    serve: on
"""


def check_conditions(view: View) -> Iterator[Problem]:
    """Operators on attributes that are declared."""
    for test, place in view.tests:
        declared = attribute(view.repository, test.attribute)
        if declared is not None and not operator_fits(test.operator, declared):
            article = "an" if declared.type[0] in "aio" else "a"
            yield view.problem(
                ID,
                f"{test.operator} does not work on {test.attribute}, which is {article} {declared.type}",
                f"{place}/{test.operator}",
                at_key=True,
                hint=f"on {article} {declared.type}: {', '.join(operators_for(declared))}",
            )
