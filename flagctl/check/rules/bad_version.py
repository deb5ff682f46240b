"""A version is not one: versions are `2`, `2.3`, `2.3.1` or `2.3.1-beta.1`.

The `semver_…` operators compare as semver.org says, with missing numbers taken for 0. With something else they match
nobody. Numbers beyond 2^53 are none to JavaScript.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.check.view import View
from flagctl.model import semver, words
from flagctl.model.condition import OPERATORS
from flagctl.problems import Problem

ID = "bad-version"
SEVERITY = "error"
_LARGEST = 2**53 - 1
BAD = """\
description: Show the new player.
owner: {team: media}
rules:
  - name: newer-apps
    when:
      - {attribute: app_version, semver_gte: 2.3.x}    # <- no wildcards
    serve: on
"""
GOOD = """\
description: Show the new player.
owner: {team: media}
rules:
  - name: newer-apps
    when:
      - {attribute: app_version, semver_gte: "2.3"}
    serve: on
"""


def check_conditions(view: View) -> Iterator[Problem]:
    """Versions of all conditions."""
    for test, place in view.tests:
        if OPERATORS[test.operator].takes != "version":
            continue
        key = semver.key(str(test.value))
        if key is None:
            message = f"{words.value(test.value)} is no version"
            hint = "write numbers, such as 2.3.1 or 2.3.1-beta.1; ranges are two conditions"
            yield view.problem(ID, message, f"{place}/{test.operator}", hint=hint)
        elif max(*key[:3], *(number for _, number, _ in key[3])) > _LARGEST:
            message = f"{words.value(test.value)} has a number beyond 2^53, which is a version in some languages only"
            yield view.problem(ID, message, f"{place}/{test.operator}", hint="write smaller numbers")
