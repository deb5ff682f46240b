"""A flag that becomes too large or too deep for flagd.

flagd has no segments and no requirements: they are written out wherever they are used. A flag may take 2 MiB so, half
of what a gRPC message holds, and be 100 expressions deep; Python's engine can't go much deeper. It may have
1,500 rules; JavaScript's engine can't read many more.
As an error it stops publishing; as a warning, or off, the flag is left out of that file, and services that read it
get their own default.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.check.unsaid import problems
from flagctl.check.view import EnvironmentView
from flagctl.problems import Problem

ID = "flagd-size"
SEVERITY = "warning"
_FLAG = """\
description: Show the wishlist gallery page.{mark}
owner: {{team: growth}}
rules:
  - name: friends
    when: [{{segment: {segment}}}]
    serve: on
"""
_FRIENDS = "when: [{attribute: email, ends_with: '@example.com'}]\n"


def _ten_times(segment: str) -> str:
    return f"when:\n  - any: [{', '.join([f'{{segment: {segment}}}'] * 10)}]\n"


BAD = {
    "flags/production/gallery.yaml": _FLAG.format(segment="f", mark="    # <- holds a 100,000 times"),
    "flags/production/segments/a.yaml": _FRIENDS,
    **{f"flags/production/segments/{one}.yaml": _ten_times(other) for one, other in zip("bcdef", "abcde", strict=True)},
}
GOOD = {
    "flags/production/gallery.yaml": _FLAG.format(segment="a", mark=""),
    "flags/production/segments/a.yaml": _FRIENDS,
}


def check_environment(view: EnvironmentView) -> Iterator[Problem]:
    """Flags that are left out of the environment's flagd.json for it."""
    yield from problems(view, ID)
