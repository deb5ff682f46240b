"""A flag deals people out by another product's algorithm, which flagd does not know.

The same flags are published for flagd and its providers in other languages; this flag can't be.
As an error it stops publishing; as a warning, or off, the flag is left out of that file, and services that read it
get their own default.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.check.unsaid import problems
from flagctl.check.view import EnvironmentView
from flagctl.problems import Problem

ID = "flagd-foreign-bucketing"
SEVERITY = "warning"
BAD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
bucketing: {algorithm: launchdarkly-sha1, salt: 3e1f}    # <- flagd hashes by murmur3 alone
default:
  rollout: 25
"""
GOOD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
default:
  rollout: 25
"""


def check_environment(view: EnvironmentView) -> Iterator[Problem]:
    """Flags that are left out of the environment's flagd.json for it."""
    yield from problems(view, ID)
