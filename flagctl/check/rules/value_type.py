"""A value is of another type than the attribute it is compared with.

Comparison is strict: 1 is not "1" and not true, so such a condition matches nobody.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.check.kinds import NAMES, attribute, compared_values, named, value_fits
from flagctl.check.view import View
from flagctl.model import words
from flagctl.model.repository import Repository
from flagctl.problems import Problem, pointer

ID = "value-type"
SEVERITY = "error"
BAD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
rules:
  - name: grown-up
    when:
      - {attribute: age, in: [18, "19"]}    # <- the second is text
    serve: on
"""
GOOD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
rules:
  - name: grown-up
    when:
      - {attribute: age, in: [18, 19]}
    serve: on
"""


def check_conditions(view: View) -> Iterator[Problem]:
    """Values that declared attributes are compared with."""
    for test, place in view.tests:
        declared = attribute(view.repository, test.attribute)
        if declared is None:
            continue
        for kind, value, where in compared_values(test, declared, place):
            if not value_fits(kind, value):
                subject = f"a member of {test.attribute}" if declared.type == "array" else test.attribute
                message = f"{subject} is {NAMES[kind]}, but {words.value(value)} is {named(value)}"
                yield view.problem(ID, message, where, hint=_hint(kind, value))


def check_repository(repository: Repository) -> Iterator[Problem]:
    """The lists of values that attributes are declared with."""
    for declared in repository.attributes.values():
        kind = declared.items if declared.type == "array" else declared.type
        for i, value in enumerate(declared.values):
            if not value_fits(kind, value):
                yield Problem(
                    rule=ID,
                    message=f"{declared.name} is {NAMES[kind]}, but {words.value(value)} is {named(value)}",
                    hint=_hint(kind, value),
                    file="flags/attributes.yaml",
                    pointer=pointer("attributes", declared.name, "values", i),
                )


def _hint(kind: str, value: object) -> str:
    if kind in ("string", "semver"):
        return f'quote it: "{words.value(value)}"'
    if kind == "boolean" and value in ("on", "off", "yes", "no", "true", "false"):
        return "write true or false, without quotes"
    if kind in ("integer", "number") and isinstance(value, str):
        return "take the quotes away"
    return ""
