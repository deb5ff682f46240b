"""A regular expression, which flagd does not have.

The same flags are published for flagd and its providers in other languages; this flag can't be.
As an error it stops publishing; as a warning, or off, the flag is left out of that file, and services that read it
get their own default.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.check.unsaid import problems
from flagctl.check.view import EnvironmentView
from flagctl.problems import Problem

ID = "flagd-regex"
SEVERITY = "warning"
BAD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
rules:
  - name: robots
    when:
      - {attribute: email, matches: "(bot|crawler)@"}    # <- flagd has no such operator
    serve: on
"""
GOOD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
rules:
  - name: robots
    when:
      - {attribute: email, contains: [bot@, crawler@]}
    serve: on
"""


def check_environment(view: EnvironmentView) -> Iterator[Problem]:
    """Flags that are left out of the environment's flagd.json for it."""
    yield from problems(view, ID)
